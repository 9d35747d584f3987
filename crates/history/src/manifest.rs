//! What is known of each file without opening it.
//!
//! A file is part of the history if and only if the manifest of an engine names it. Where an engine keeps its manifest is its own
//! business; files that it does not name are left-overs.

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use muster_model::{id::WorkspaceId, time::Micros};
use muster_store::error::ReadError;

use super::{disk, schema::Layout};

/// Bytes that one checksum covers.
pub const BLOCK_BYTES: usize = 64 * 1024;

/// One file of the history.
#[derive(Debug)]
pub struct Segment {
    pub workspace: WorkspaceId,
    pub id: u64,
    /// Below the history's directory, or below what names of a bucket begin with.
    pub relative_path: String,
    pub rows: u64,
    pub bytes: u64,
    pub first: Micros,
    pub last: Micros,
    /// The first instant of the month whose messages it holds; `None` for a file that may hold those of any.
    pub month: Option<Micros>,
    /// The first and the last of its rows' numbers of arrival, if the file has them.
    pub arrivals: Option<(u64, u64)>,
    /// xxh3 of each block of [`BLOCK_BYTES`].
    pub checksums: Vec<u64>,
    place: Place,
}

/// Where the bytes of files lie that are on no disk of this machine.
pub trait Remote: fmt::Debug + Send + Sync {
    /// The bytes of a file from `start` on.
    fn read(&self, segment: &Segment, start: u64, length: usize) -> io::Result<Bytes>;
}

#[derive(Debug)]
enum Place {
    Disk { path: PathBuf, file: OnceLock<Arc<File>> },
    Elsewhere(Arc<dyn Remote>),
}

/// What of a file was found out while it was written.
#[derive(Debug)]
pub struct Written {
    pub rows: u64,
    pub bytes: u64,
    /// The first and the last instant of its rows.
    pub span: (Micros, Micros),
    pub arrivals: Option<(u64, u64)>,
    pub checksums: Vec<u64>,
}

impl Segment {
    /// A file on disk.
    pub fn on_disk(
        history_dir: &Path,
        (workspace, id): (WorkspaceId, u64),
        relative_path: String,
        month: Option<Micros>,
        written: Written,
    ) -> Self {
        let place = Place::Disk { path: history_dir.join(&relative_path), file: OnceLock::new() };
        Segment::new((workspace, id), relative_path, month, written, place)
    }

    /// A file that lies elsewhere.
    pub fn elsewhere(
        remote: Arc<dyn Remote>,
        (workspace, id): (WorkspaceId, u64),
        relative_path: String,
        month: Option<Micros>,
        written: Written,
    ) -> Self {
        Segment::new((workspace, id), relative_path, month, written, Place::Elsewhere(remote))
    }

    fn new(
        (workspace, id): (WorkspaceId, u64),
        relative_path: String,
        month: Option<Micros>,
        written: Written,
        place: Place,
    ) -> Self {
        let Written { rows, bytes, span: (first, last), arrivals, checksums } = written;
        Segment { workspace, id, relative_path, rows, bytes, first, last, month, arrivals, checksums, place }
    }

    /// Which columns it has.
    pub fn layout(&self) -> Layout {
        if self.arrivals.is_some() { Layout::Numbered } else { Layout::Plain }
    }

    /// Where it is on disk, if it is there.
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::Disk { path, .. } => Some(path),
            Place::Elsewhere(_) => None,
        }
    }

    /// The same file under another name.
    pub fn at(self, path: PathBuf) -> Segment {
        Segment { place: Place::Disk { path, file: OnceLock::new() }, ..self }
    }

    /// A copy of it that somebody made on disk.
    pub fn copied_to(&self, path: PathBuf) -> Segment {
        Segment {
            workspace: self.workspace,
            id: self.id,
            relative_path: self.relative_path.clone(),
            rows: self.rows,
            bytes: self.bytes,
            first: self.first,
            last: self.last,
            month: self.month,
            arrivals: self.arrivals,
            checksums: self.checksums.clone(),
            place: Place::Disk { path, file: OnceLock::new() },
        }
    }

    /// Removes its name from the disk, if it is there. Whoever reads it goes on.
    pub fn remove(&self) -> io::Result<()> {
        let Some(path) = self.path() else { return Err(io::ErrorKind::Unsupported.into()) };
        self.file()?;
        disk::remove_if_there(path)
    }

    /// The open file, of one on disk; opened once, so that it can still be read after compaction removed its name.
    pub fn file(&self) -> io::Result<Arc<File>> {
        let Place::Disk { path, file } = &self.place else { return Err(io::ErrorKind::Unsupported.into()) };
        if let Some(file) = file.get() {
            return Ok(Arc::clone(file));
        }
        let opened = Arc::new(File::open(path)?);
        Ok(Arc::clone(file.get_or_init(|| opened)))
    }

    /// Its bytes from `start` on, as they are, checked by nobody.
    pub fn read(&self, start: u64, length: usize) -> io::Result<Bytes> {
        match &self.place {
            Place::Disk { .. } => {
                let mut bytes = vec![0; length];
                self.file()?.read_exact_at(&mut bytes, start)?;
                Ok(Bytes::from(bytes))
            }
            Place::Elsewhere(remote) => remote.read(self, start, length),
        }
    }
}

/// The files that count, as of one moment.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    segments: BTreeMap<(WorkspaceId, u64), Arc<Segment>>,
}

impl Manifest {
    /// Adds a file.
    pub fn add(&mut self, segment: Arc<Segment>) {
        self.segments.insert((segment.workspace, segment.id), segment);
    }

    /// Takes a file out.
    pub fn remove(&mut self, segment: &Segment) {
        self.segments.remove(&(segment.workspace, segment.id));
    }

    /// All files.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.segments.values()
    }

    /// A workspace's files.
    pub fn of(&self, workspace: WorkspaceId) -> impl Iterator<Item = &Arc<Segment>> {
        self.segments.range((workspace, 0)..=(workspace, u64::MAX)).map(|(_, segment)| segment)
    }

    /// An id that no file has had since the manifest was read.
    pub fn next_id(&self) -> u64 {
        self.segments.keys().map(|(_, id)| id + 1).max().unwrap_or(1)
    }
}

/// What whoever fetches bytes from elsewhere says when it gets none: another time it may.
pub const NOT_FETCHED: &str = "could not be fetched";

/// What readers are told of a history file that cannot be read.
pub fn unreadable(segment: &Segment, error: &dyn std::fmt::Display) -> ReadError {
    let what = format!("history file {}: {error}", segment.relative_path);
    match segment.path().is_none() && what.contains(NOT_FETCHED) {
        true => ReadError::Failed { what },
        false => ReadError::Damaged { what },
    }
}
