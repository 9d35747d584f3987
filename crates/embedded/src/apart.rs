//! A data directory opened without changing it.
//!
//! The state store can only be opened to be written. So what is opened is a directory beside: its files are links to those that
//! are never written again, history files and the state store's tables, and copies of the others, journals above all, which are
//! small. Whatever the engine writes or removes it writes and removes there, and all of it goes away in the end. The directory
//! itself is locked meanwhile against whoever would change it, and need not be writable.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use tempfile::TempDir;

use muster_history::disk;

use crate::{
    engine::Embedded,
    error::OpenError,
    options::Options,
    recovery::{Layout, Recovery},
};

/// Where the state store keeps the files that it never writes again, below the directory of each keyspace.
const TABLES: &str = "tables";

/// The directory beside, which goes away with this.
#[derive(Debug)]
pub struct Apart {
    beside: TempDir,
    /// Held as long as somebody reads.
    _lock: Option<File>,
}

impl Apart {
    /// Opens an engine over what the directory of the options holds; to be dropped before what is returned with it.
    ///
    /// # Errors
    /// As [`Embedded::open`], and [`OpenError::NoData`].
    pub fn open(options: Options, now: muster_model::time::Micros) -> Result<(Embedded, Recovery, Apart), OpenError> {
        let layout = Layout::new(&options.data_dir);
        let apart = Apart::of(&layout)?;
        let beside = apart.layout();
        let is_parquet = |path: &Path| disk::has_extension(path, "parquet");
        for (from, to, linked) in [
            (&layout.history, &beside.history, is_parquet as fn(&Path) -> bool),
            (&layout.journal, &beside.journal, |_| false),
            (&layout.forward, &beside.forward, |_| false),
        ] {
            put_beside(from, to, linked)?;
        }
        let options = Options { data_dir: beside.root, ..options };
        let (engine, recovery) = Embedded::open(options, now)?;
        Ok((engine, recovery, apart))
    }

    /// The state of a directory alone, to look at.
    pub(crate) fn of(layout: &Layout) -> Result<Apart, OpenError> {
        layout.check_not_bereft()?;
        if !layout.holds_data() {
            return Err(OpenError::NoData { dir: layout.root.clone() });
        }
        let lock = layout.lock_to_read()?;
        let apart = Apart { beside: private_dir()?, _lock: lock };
        let is_table = |path: &Path| path.parent().is_some_and(|parent| parent.ends_with(TABLES));
        put_beside(&layout.state, &apart.layout().state, is_table)?;
        Ok(apart)
    }

    /// What is opened.
    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.beside.path())
    }
}

/// Where copies of what is kept lie for a while, which nobody else of the machine is to read.
fn private_dir() -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("muster-").permissions(Permissions::from_mode(0o700)).tempdir()
}

/// Puts the files below a directory below another one, as links or as copies. One that is not there has none.
fn put_beside(from: &Path, to: &Path, linked: impl Fn(&Path) -> bool) -> io::Result<()> {
    fs::create_dir_all(to)?;
    if !from.is_dir() {
        return Ok(());
    }
    let whole = fs::canonicalize(from)?;
    for path in disk::files_below(&whole)? {
        let Ok(within) = path.strip_prefix(&whole) else { continue };
        let target = to.join(within);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        if linked(&path) { symlink(&path, &target)? } else { copy(&path, &target)? }
    }
    Ok(())
}

/// The bytes alone: whoever may not write a file may write its copy.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    io::copy(&mut File::open(from)?, &mut File::create_new(to)?).map(drop)
}
