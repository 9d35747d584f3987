//! A copy of the whole data directory, taken while the engine works.
//!
//! One moment is chosen under a lock that only keeps file names from being removed: a snapshot of the state, and links to
//! the history files that it names and to the journal's files, in a directory of its own within the data directory.
//! Everything after that happens at leisure: history files are linked or copied, the journal is copied up to its last
//! whole frame, and the state is written anew, entry by entry, so that what is damaged is found and not copied. Built
//! under a temporary name beside its place, the backup appears there only when all of it is on stable storage.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use fjall::{KeyspaceCreateOptions, Readable, Snapshot};
use muster_history::{disk, manifest::Segment, verified::VerifiedFile};
use muster_store::{
    Answer,
    backup::{Backup, Backups},
    error::{AdminError, ReadError},
};
use parking_lot::{Mutex, MutexGuard};

use crate::{
    Embedded,
    error::state_failed,
    history::manifest,
    journal::frame::{self, FILE_HEADER_BYTES},
    recovery::Layout,
    state::State,
    views::Views,
};

/// Within the data directory: links to what a backup under way copies. A start removes what a crash left of it.
pub const STAGING: &str = "backup.tmp";
/// Appended to the name of a backup that is not finished.
pub const UNFINISHED: &str = ".unfinished";
const STATE_CACHE_BYTES: u64 = 8 << 20;

/// One backup at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

impl Backups for Embedded {
    fn backup(&self, into: PathBuf) -> Answer<'_, Backup, AdminError> {
        let (views, layout) = (Arc::clone(&self.views), self.layout().clone());
        Box::pin(async move {
            let ended = |error: tokio::task::JoinError| AdminError::Failed(error.to_string());
            tokio::task::spawn_blocking(move || take(&views, &layout, &into)).await.map_err(ended)?
        })
    }
}

/// Removes what a backup left behind when the process ended in the middle of it.
pub fn clear_staging(layout: &Layout) -> io::Result<()> {
    remove_tree(&layout.root.join(STAGING))
}

/// Keeps others from choosing a moment in this process.
pub fn alone() -> Result<MutexGuard<'static, ()>, AdminError> {
    let says = "another backup is being taken; wait until it is done";
    ONE_AT_A_TIME.try_lock().ok_or_else(|| AdminError::Exists(says.to_owned()))
}

fn take(views: &Views, layout: &Layout, into: &Path) -> Result<Backup, AdminError> {
    let _one = alone()?;
    check_place(layout, into)?;
    let failed = |error: Fault| AdminError::Failed(error.0);
    let unfinished = with_suffix(into, UNFINISHED);
    let staging = layout.root.join(STAGING);
    let copied =
        remove_tree(&unfinished).map_err(Fault::from).and_then(|()| copy(views, layout, &staging, &unfinished));
    let cleared = remove_tree(&staging);
    match copied.and_then(|backup| cleared.map(|()| backup).map_err(Fault::from)) {
        Ok(mut backup) => {
            finish(&unfinished, into).map_err(failed)?;
            into.clone_into(&mut backup.directory);
            Ok(backup)
        }
        Err(fault) => {
            let _ = remove_tree(&unfinished);
            Err(failed(fault))
        }
    }
}

/// Why a backup could not be taken, in a sentence.
pub struct Fault(pub String);

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault(error.to_string())
    }
}

impl From<fjall::Error> for Fault {
    fn from(error: fjall::Error) -> Self {
        state_failed(&error).into()
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        Fault(error.to_string())
    }
}

impl From<crate::OpenError> for Fault {
    fn from(error: crate::OpenError) -> Self {
        Fault(error.to_string())
    }
}

fn check_place(layout: &Layout, into: &Path) -> Result<(), AdminError> {
    if !into.is_absolute() || into.file_name().is_none() {
        return Err(AdminError::Invalid("the directory of a backup must be given by its whole path".to_owned()));
    }
    let parent = into.parent().unwrap_or(into);
    let parent = fs::canonicalize(parent).map_err(|error| {
        AdminError::Invalid(format!("{} must be there before a backup is put into it: {error}", parent.display()))
    })?;
    if fs::canonicalize(&layout.root).is_ok_and(|root| parent.starts_with(root)) {
        return Err(AdminError::Invalid(
            "a backup cannot lie within the data directory; give another place".to_owned(),
        ));
    }
    check_empty(into)
}

/// Makes sure that a directory that is to be made is not there, or empty.
pub fn check_empty(into: &Path) -> Result<(), AdminError> {
    let taken = fs::read_dir(into).map(|mut entries| entries.next().is_some());
    match taken {
        Ok(false) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(true) => Err(AdminError::Exists(format!("{} is not empty; give a new directory", into.display()))),
        Err(error) => Err(AdminError::Invalid(format!("{} cannot be used: {error}", into.display()))),
    }
}

fn copy(views: &Views, layout: &Layout, staging: &Path, target: &Path) -> Result<Backup, Fault> {
    let Moment { snapshot, segments, journal, forward } = choose_moment(views, layout, staging)?;
    let into = Layout::new(target);
    disk::make_private_dir(&into.root)?;
    for dir in [&into.journal, &into.history, &into.forward] {
        fs::create_dir_all(dir)?;
    }
    let mut backup = Backup::default();
    for segment in &segments {
        place(segment, &into.history.join(&segment.relative_path))?;
        backup.history_files += 1;
        backup.history_bytes += segment.bytes;
    }
    for file in journal {
        let name = file.file_name().unwrap_or_default().to_owned();
        backup.journal_bytes += copy_frames(&file, &into.journal.join(name))?;
    }
    for file in forward {
        let name = file.file_name().unwrap_or_default().to_owned();
        backup.journal_bytes += copy_frames(&file, &into.forward.join(name))?;
    }
    backup.entries = copy_state(views, &snapshot, &into.state)?;
    sync_tree(target)?;
    Ok(backup)
}

/// A snapshot of the state, and links to everything that belongs to it; the paths are those of the links, those of the
/// journal oldest first.
pub struct Moment {
    pub snapshot: Snapshot,
    pub segments: Vec<Arc<Segment>>,
    pub journal: Vec<PathBuf>,
    /// What is kept for followers.
    pub forward: Vec<PathBuf>,
}

/// Chooses the moment that the backup is of.
pub fn choose_moment(views: &Views, layout: &Layout, staging: &Path) -> Result<Moment, Fault> {
    remove_tree(staging)?;
    fs::create_dir(staging)?;
    let _names_stay = views.names.lock();
    let snapshot = views.state.database.snapshot();
    let mut segments = Vec::new();
    for segment in manifest::entries(snapshot.iter(&views.state.manifest), &layout.history)? {
        let link = staging.join(format!("{}-{}", segment.workspace.0, segment.id));
        fs::hard_link(layout.history.join(&segment.relative_path), &link)?;
        segments.push(Arc::new(segment.at(link)));
    }
    let journal = link_frames(&layout.journal, &staging.join("journal"))?;
    let forward = link_frames(&layout.forward, &staging.join("forward"))?;
    Ok(Moment { snapshot, segments, journal, forward })
}

/// Links to the files of frames in a directory, oldest first.
fn link_frames(from: &Path, to: &Path) -> Result<Vec<PathBuf>, Fault> {
    fs::create_dir(to)?;
    let mut links = Vec::new();
    for path in disk::files_below(from)?.into_iter().filter(|path| disk::has_extension(path, "log")) {
        let link = to.join(path.file_name().unwrap_or_default());
        fs::hard_link(&path, &link)?;
        links.push(link);
    }
    Ok(links)
}

/// Puts a history file into its place: another name for it, or a checked copy where the place is on another disk.
fn place(segment: &Arc<Segment>, to: &Path) -> Result<(), Fault> {
    if let Some(dir) = to.parent() {
        fs::create_dir_all(dir)?;
    }
    if segment.path().is_some_and(|path| fs::hard_link(path, to).is_ok()) {
        return Ok(());
    }
    let mut file = File::create_new(to)?;
    VerifiedFile::new(Arc::clone(segment)).each_block(|block| file.write_all(block))?;
    Ok(())
}

/// Copies the whole frames of a journal file, which may still be growing. Returns the bytes copied.
fn copy_frames(from: &Path, to: &Path) -> Result<u64, Fault> {
    let bytes = fs::read(from)?;
    if frame::parse_file_header(&bytes).is_none() {
        return Err(Fault(format!("the journal file {} is damaged in its head", from.display())));
    }
    let mut end = FILE_HEADER_BYTES;
    while let Some(next) = frame::parse_frame(&bytes, end) {
        end = next.end;
    }
    fs::write(to, &bytes[..end])?;
    Ok((end - FILE_HEADER_BYTES) as u64)
}

/// Writes every entry of a snapshot into a state store of its own. Returns how many there were.
fn copy_state(views: &Views, snapshot: &Snapshot, dir: &Path) -> Result<u64, Fault> {
    let (from, to) = (&views.state, State::open(dir, STATE_CACHE_BYTES)?);
    let mut entries = 0;
    for name in from.database.list_keyspace_names() {
        let source = from.database.keyspace(&name, KeyspaceCreateOptions::default)?;
        let mut ingestion = None;
        let target = to.database.keyspace(&name, KeyspaceCreateOptions::default)?;
        for entry in snapshot.iter(&source) {
            let (key, value) = entry.into_inner()?;
            let ingestion = match &mut ingestion {
                Some(begun) => begun,
                none => none.insert(target.start_ingestion()?),
            };
            ingestion.write(key, value)?;
            entries += 1;
        }
        if let Some(ingestion) = ingestion {
            ingestion.finish()?;
        }
    }
    Ok(entries)
}

/// Gives a finished backup its name.
pub fn finish(unfinished: &Path, into: &Path) -> Result<(), Fault> {
    match fs::remove_dir(into) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    disk::rename_durably(unfinished, into)?;
    Ok(())
}

pub fn sync_tree(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { sync_tree(&entry.path())? } else { File::open(entry.path())?.sync_all()? }
    }
    disk::sync_dir(dir)
}

pub fn remove_tree(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}
