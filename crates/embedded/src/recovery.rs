//! From a directory as some stop left it to an engine that can go on.
//!
//! Order: lock the directory; open the state, which is made only where nothing is kept yet; check the history against the
//! manifest; read the journal from the committed position and fold it in; drop the history files that no entry names. What a
//! checkpoint held that was cut while it changed lists is frozen as it was then, so that the next one changes the same
//! ([`crate::lists::changes`]). Dropping comes last: until the journal goes on where the state ends, such a file may belong to another state than this one.
//! Everything dropped is reported. A start that is refused removes nothing, and a second crash at any point of this finds the
//! same directory again.

use std::{
    fmt,
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Instant,
};

use muster_history::{disk, manifest::Manifest, segment::TEMPORARY_SUFFIX};
use muster_store::batch::Batch;
use rustc_hash::FxHashSet;

use crate::{
    commit::Job,
    counters::Counters,
    erase::known,
    error::OpenError,
    follow::book::Book,
    history::manifest,
    imports::ClosedImports,
    journal::replay,
    overlay::Overlay,
    state::{self, State},
    tally::OnDisk,
    views::Views,
    writer::{
        apply,
        dedupe::Identities,
        publish,
        sieve::{Filling, Sieve},
    },
};

/// The parts of a data directory.
#[derive(Clone, Debug)]
pub struct Layout {
    pub root: PathBuf,
    pub journal: PathBuf,
    pub history: PathBuf,
    pub state: PathBuf,
    /// Journal files that the state covers and some follower has not had.
    pub forward: PathBuf,
    pub lock: PathBuf,
    /// There once everything was moved to another store.
    pub moved: PathBuf,
}

/// What is written there, for whoever comes across it.
const MOVED: &str = "What this directory holds was moved into a cluster, and is used there. No server starts on it any more; to use it \
                     all the same, as it was then, remove this file.\n";

impl Layout {
    pub fn new(root: &Path) -> Self {
        Layout {
            root: root.to_owned(),
            journal: root.join("journal"),
            history: root.join("history"),
            state: root.join("state"),
            forward: root.join("forward"),
            lock: root.join("lock"),
            moved: root.join("moved"),
        }
    }

    /// Makes the directories and takes the lock, which is held as long as the file returned is.
    pub fn lock(&self) -> Result<File, OpenError> {
        disk::make_private_dir(&self.root).map_err(OpenError::at(&self.root))?;
        for dir in [&self.journal, &self.history, &self.forward] {
            disk::make_dir(dir).map_err(OpenError::at(dir))?;
        }
        self.try_lock()
    }

    /// Takes the lock of a directory that is there.
    fn try_lock(&self) -> Result<File, OpenError> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&self.lock);
        let file = file.map_err(OpenError::at(&self.lock))?;
        self.locked(file.try_lock(), file)
    }

    /// Takes it together with others who only read. A backup that no server has run over yet has none.
    pub(crate) fn lock_to_read(&self) -> Result<Option<File>, OpenError> {
        match File::open(&self.lock) {
            Ok(file) => self.locked(file.try_lock_shared(), file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(OpenError::at(&self.lock)(error)),
        }
    }

    fn locked(&self, taken: Result<(), TryLockError>, file: File) -> Result<File, OpenError> {
        match taken {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { dir: self.root.clone() }),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Whether an engine has ever been opened here.
    #[must_use]
    pub fn holds_data(&self) -> bool {
        state::is_born(&self.state)
    }

    /// Notes, durably, that everything was moved to another store.
    pub(crate) fn leave(&self) -> io::Result<()> {
        let mut file = File::create(&self.moved)?;
        io::Write::write_all(&mut file, MOVED.as_bytes())?;
        file.sync_all()?;
        disk::sync_dir(&self.root)
    }

    /// Takes that back.
    pub(crate) fn come_back(&self) -> io::Result<()> {
        disk::remove_if_there(&self.moved)?;
        disk::sync_dir(&self.root)
    }

    /// Refuses a directory from which everything was moved: what comes in here would be missing there.
    pub(crate) fn check_not_left(&self) -> Result<(), OpenError> {
        match self.moved.try_exists() {
            Ok(false) => Ok(()),
            Ok(true) => Err(OpenError::Moved { dir: self.root.clone(), note: self.moved.clone() }),
            Err(error) => Err(OpenError::at(&self.moved)(error)),
        }
    }

    /// Refuses a directory that has lost its state: a new one would know nothing of the history and the journal that are left.
    pub(crate) fn check_not_bereft(&self) -> Result<(), OpenError> {
        if self.holds_data() {
            return Ok(());
        }
        let files = if self.history.is_dir() { finished(&self.history)?.len() } else { 0 };
        let journal = self.journal.is_dir() && replay::holds_frames(&self.journal)?;
        if files == 0 && !journal {
            return Ok(());
        }
        let dir = self.root.display();
        let left = if journal { "messages in its journal" } else { "an empty journal" };
        Err(OpenError::damaged(format!(
            "{dir} has no state, but {files} history files and {left}, which cannot be read without it; nothing was changed: \
             put the directory \"state\" back that belongs to them, or restore the data directory from a backup; to begin anew, \
             give another directory"
        )))
    }
}

/// What an opening found and did.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    /// Groups and messages that were folded in from the journal.
    pub groups: u64,
    pub messages: u64,
    /// The incomplete end of the journal that was cut: file, place, bytes.
    pub cut: Option<(String, u64, u64)>,
    /// Left-over history files that were removed.
    pub removed_files: Vec<String>,
    /// From the beginning, the opening of the state store included.
    pub millis: u64,
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "opened in {} ms", self.millis)?;
        if self.groups > 0 {
            write!(f, "; folded in {} messages in {} groups from the journal", self.messages, self.groups)?;
        }
        if let Some((file, at, bytes)) = &self.cut {
            write!(
                f,
                "; cut an incomplete, never acknowledged end of {bytes} bytes at byte {at} of journal file {file}"
            )?;
        }
        if !self.removed_files.is_empty() {
            write!(f, "; removed {} unfinished or merged history files", self.removed_files.len())?;
        }
        Ok(())
    }
}

/// Everything an engine starts from.
pub struct Recovered {
    pub views: Views,
    pub identities: Identities,
    /// What reads the identities on disk for the filter.
    pub filling: Filling,
    pub replayed: replay::Replayed,
    /// A checkpoint that was cut while it changed lists, to be made before any other.
    pub begun: Option<Job>,
    pub report: Recovery,
}

/// Brings a locked directory to where an engine can go on. It is told since when the directory is being opened.
pub fn recover(
    layout: &Layout,
    (state, started): (State, Instant),
    filter_bytes: usize,
    counters: &Counters,
) -> Result<Recovered, OpenError> {
    let manifest = manifest::load(&state, &layout.history)?;
    manifest::check_files(&manifest)?;
    let (committed, cut) = (state.position()?, state.begun()?);
    let tombstones = (known::load(&state)?, ClosedImports::load(&state)?);
    let book = Book::load(&state, &layout.forward, &layout.journal)?;
    let on_disk = OnDisk::load(&state)?;
    let views = Views::new(state, Overlay::default(), (manifest, on_disk), tombstones, book);
    let (sieve, filling) = Sieve::new(&views.state.identities, filter_bytes);
    let mut identities = Identities::new(sieve);
    let (mut messages, mut last, mut begun) = (0, committed, None);
    let replayed = replay::replay(&layout.journal, committed, true, |batches| {
        messages += fold(&batches, &views, &mut identities, counters)?;
        last += 1;
        if cut == Some(last) {
            views.change(|current| current.live.brought_back = true);
            begun = Some(Job::freeze(&views, identities.freeze(), last));
        }
        Ok(())
    })?;
    check_not_foreign(&layout.history, committed, replayed.frames)?;
    let removed_files = sweep(&layout.history, &views.look().manifest)?;
    views.change(|current| {
        current.applied = replayed.next_sequence - 1;
        current.live.brought_back = replayed.frames > 0;
    });
    views.book.begin(replayed.next_sequence - 1, &views.names)?;
    let report = Recovery {
        groups: replayed.frames,
        messages,
        cut: replayed.cut.clone(),
        removed_files,
        millis: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    Ok(Recovered { views, identities, filling, replayed, begun, report })
}

/// Folds a group in as the writer does. The duplicate check was made before it was written and is not made again:
/// identities of this very group may be on disk already.
fn fold(batches: &[Batch], views: &Views, identities: &mut Identities, counters: &Counters) -> Result<u64, OpenError> {
    let mut messages = 0;
    for batch in batches {
        messages += identities.replay(batch)?;
    }
    // Which frame it is counts once all of them are in.
    publish::publish(apply::prepare(batches, views)?, 0, views, counters)?;
    Ok(messages)
}

/// Refuses history beside a state in which nothing was ever stored, and a journal with nothing to store: whatever wrote
/// those files, it was not followed by this state.
pub(crate) fn check_not_foreign(history: &Path, committed: u64, frames: u64) -> Result<(), OpenError> {
    if committed > 0 || frames > 0 {
        return Ok(());
    }
    let files = finished(history)?.len();
    if files == 0 {
        return Ok(());
    }
    Err(OpenError::damaged(format!(
        "there are {files} history files, but state and journal are of a store in which nothing was ever stored; no file was \
         removed: put the directories \"state\" and \"journal\" back that belong to them, or restore the data directory from \
         a backup"
    )))
}

/// The history files that are finished, whether an entry names them or not.
pub(crate) fn finished(history: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(disk::files_below(history)?.into_iter().filter(|path| disk::has_extension(path, "parquet")).collect())
}

/// Removes the history files that no manifest entry names: those that were being written, those whose commit did not come
/// about, and those that were merged or rewritten. Only for who knows that the manifest is the one of these files.
pub fn sweep(history: &Path, manifest: &Manifest) -> io::Result<Vec<String>> {
    let named: FxHashSet<&Path> = manifest.all().filter_map(|segment| segment.path()).collect();
    let mut removed = Vec::new();
    for path in disk::files_below(history)?.into_iter().filter(|path| !named.contains(path.as_path())) {
        if disk::has_extension(&path, "parquet") || disk::has_extension(&path, TEMPORARY_SUFFIX) {
            disk::remove_if_there(&path)?;
            removed.push(path.strip_prefix(history).unwrap_or(&path).display().to_string());
        }
    }
    Ok(removed)
}
