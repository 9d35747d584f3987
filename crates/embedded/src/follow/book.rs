//! Every follower, what of the journal is kept for them, and how far the journal has got.
//!
//! In memory, behind a lock that is held for a look or a rename, never for a sync. Places in here are those on disk: a
//! file is let go of only when no follower can come back to it, whatever happens. Whoever changes places on disk holds
//! [`crate::follow::book::Book::settling`] meanwhile.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use muster_history::disk;
use muster_model::id::WorkspaceId;
use muster_store::{
    batch::Batch,
    error::ReadError,
    follow::{Follower, FollowerId},
};
use parking_lot::{Condvar, Mutex};
use rustc_hash::FxHashMap;
use tracing::warn;

use super::{
    frames,
    place::{self, Entry, Place},
};
use crate::{
    error::{OpenError, damaged, state_failed},
    state::State,
};

/// A follower and where it stands on disk.
#[derive(Clone, Debug)]
pub struct Known {
    pub follower: Arc<Follower>,
    pub place: Place,
    /// Goes up when somebody else moves the follower; what it did from its old place counts no more.
    pub moves: u64,
    pub letters: u64,
}

/// A file that is kept for followers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub first: u64,
    pub last: u64,
    pub bytes: u64,
    pub path: PathBuf,
}

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub bytes_max: u64,
    pub letters_max: u64,
    pub letters_retention: Duration,
}

/// The book.
pub struct Book {
    pub dir: PathBuf,
    pub journal: PathBuf,
    pub bounds: Mutex<Bounds>,
    /// Held while places on disk change, and while kept files are written anew.
    pub settling: Mutex<()>,
    inner: Mutex<Inner>,
    grown: Condvar,
    /// Somebody takes everything over, frame by frame.
    held: AtomicBool,
    /// And is to find nothing more.
    stopped: AtomicBool,
}

#[derive(Default)]
struct Inner {
    followers: BTreeMap<FollowerId, Known>,
    woken: BTreeSet<FollowerId>,
    kept: VecDeque<Kept>,
    /// The last frame that is durable, and the last one that the state covers.
    last: u64,
    covered: u64,
    accepted: FxHashMap<WorkspaceId, u64>,
    /// Whoever takes everything over wants every frame from this one on.
    held_from: Option<u64>,
}

impl Inner {
    /// Whether somebody may still want a file that ends with a frame.
    fn needs(&self, last: u64) -> bool {
        self.held_from.is_some_and(|from| from <= last)
            || self.followers.values().any(|known| known.place.sequence <= last)
    }
}

impl Book {
    /// Reads all followers, and what is kept for them.
    pub fn load(state: &State, dir: &Path, journal: &Path) -> Result<Book, OpenError> {
        let mut inner = Inner { covered: state.position()?, ..Inner::default() };
        let (mut places, mut letters) = (BTreeMap::new(), BTreeMap::<FollowerId, u64>::new());
        let mut followers = Vec::new();
        for entry in state.followers.iter() {
            let (key, value) = entry.into_inner().map_err(|error| state_failed(&error))?;
            let unreadable = |_| damaged("a follower");
            match place::parse_key(&key).ok_or_else(|| damaged("a follower's key"))? {
                Entry::Follower(workspace, id) => {
                    followers.push(place::decode_follower(workspace, id, &value).map_err(unreadable)?);
                }
                Entry::Place(id) => drop(places.insert(id, Place::decode(&value).map_err(unreadable)?)),
                Entry::Letter(_, id, _) => *letters.entry(id).or_default() += 1,
            }
        }
        for follower in followers {
            let id = follower.id;
            let place = *places.get(&id).ok_or_else(|| damaged("a follower's place"))?;
            let letters = letters.get(&id).copied().unwrap_or(0);
            inner.followers.insert(id, Known { follower: Arc::new(follower), place, moves: 0, letters });
        }
        let bounds = Bounds { bytes_max: u64::MAX, letters_max: u64::MAX, letters_retention: Duration::MAX };
        Ok(Book {
            dir: dir.to_owned(),
            journal: journal.to_owned(),
            bounds: Mutex::new(bounds),
            settling: Mutex::new(()),
            inner: Mutex::new(inner),
            grown: Condvar::new(),
            held: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        })
    }

    /// Takes in what a replay found: the journal goes on after `last`. Removes what nobody needs.
    pub fn begin(&self, last: u64, names: &Mutex<()>) -> io::Result<()> {
        let mut files = frames::files(&self.dir)?;
        let after = frames::files(&self.journal)?.first().map_or(last + 1, |(first, _)| *first);
        let mut kept = VecDeque::new();
        while let Some((first, path)) = files.pop() {
            let next = kept.front().map_or(after, |later: &Kept| later.first);
            let bytes = path.metadata()?.len();
            kept.push_front(Kept { first, last: next.saturating_sub(1).max(first), bytes, path });
        }
        for left in disk::files_below(&self.dir)?.into_iter().filter(|path| !disk::has_extension(path, "log")) {
            disk::remove_if_there(&left)?;
        }
        let mut inner = self.inner.lock();
        (inner.kept, inner.last) = (kept, last);
        for known in inner.followers.values_mut().filter(|known| known.place.sequence > last + 1) {
            // The journal was cut back by hand; what was ahead of its end is gone with it.
            known.place = Place { past: known.place.past, ..Place::at(last + 1) };
        }
        drop(inner);
        self.trim(names);
        Ok(())
    }

    /// A frame is durable.
    pub fn appended(&self, last: u64, batches: &[Batch]) {
        let mut inner = self.inner.lock();
        inner.last = last;
        for batch in batches.iter().filter(|batch| batch.messages() > 0) {
            *inner.accepted.entry(batch.workspace()).or_default() += batch.messages() as u64;
        }
        self.grown.notify_all();
    }

    /// The state covers everything up to a frame, and the history holds it.
    pub fn covers(&self, position: u64) {
        self.inner.lock().covered = position;
    }

    /// Takes over a journal file that the state covers: keeps it while somebody needs it, and removes it otherwise.
    pub fn retire(&self, path: &Path, first: u64, last: u64) -> io::Result<()> {
        let mut inner = self.inner.lock();
        if !inner.needs(last) {
            return disk::remove_if_there(path);
        }
        let kept = self.dir.join(path.file_name().unwrap_or_default());
        match fs::rename(path, &kept) {
            // One that is not there is made up for by the history when somebody misses it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            renamed => renamed?,
        }
        let bytes = kept.metadata()?.len();
        inner.kept.retain(|known| known.first != first);
        inner.kept.push_back(Kept { first, last, bytes, path: kept });
        Ok(())
    }

    /// Lets go of what no follower can come back to.
    pub fn trim(&self, names: &Mutex<()>) {
        let mut inner = self.inner.lock();
        let mut done = Vec::new();
        while inner.kept.front().is_some_and(|kept| !inner.needs(kept.last)) {
            done.extend(inner.kept.pop_front());
        }
        drop(inner);
        let _names = (!done.is_empty()).then(|| names.lock());
        for kept in done {
            if let Err(fault) = disk::remove_if_there(&kept.path) {
                warn!(error = %fault, "a file kept for followers could not be removed; the next start removes it");
            }
        }
    }

    /// Keeps every frame from where the followers stand, until [`Book::release`]; `false` if somebody has that done already.
    /// Meanwhile nothing comes that is more than messages.
    pub fn hold(&self) -> bool {
        let mut inner = self.inner.lock();
        if self.held.swap(true, Ordering::AcqRel) {
            return false;
        }
        let first = inner.followers.values().map(|known| known.place.sequence).min();
        inner.held_from = Some(first.unwrap_or(u64::MAX).min(inner.last + 1));
        true
    }

    /// Frames are kept for followers only.
    pub fn release(&self, names: &Mutex<()>) {
        self.inner.lock().held_from = None;
        self.held.store(false, Ordering::Release);
        self.stopped.store(false, Ordering::Release);
        self.trim(names);
    }

    /// Whoever takes everything over is to find nothing more: the writer takes nothing until [`Book::release`].
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// Whether the writer takes nothing.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Whether somebody takes everything over.
    pub fn is_held(&self) -> bool {
        self.held.load(Ordering::Acquire)
    }

    /// Whether every frame is kept that whoever takes everything over may want.
    pub fn has_held(&self) -> bool {
        self.inner.lock().held_from.is_some()
    }

    /// A file that ends with a frame cannot be kept any longer, whoever wants it.
    pub fn lose(&self, last: u64) {
        let mut inner = self.inner.lock();
        if inner.held_from.is_some_and(|from| from <= last) {
            warn!("what came in since is not kept any longer for the move that is under way");
            inner.held_from = None;
        }
    }

    /// The files that are kept, oldest first.
    pub fn kept(&self) -> Vec<Kept> {
        self.inner.lock().kept.iter().cloned().collect()
    }

    /// Bytes of the files that are kept.
    pub fn kept_bytes(&self) -> u64 {
        self.inner.lock().kept.iter().map(|kept| kept.bytes).sum()
    }

    /// A file that is kept was written anew.
    pub fn resized(&self, first: u64, bytes: u64) {
        let mut inner = self.inner.lock();
        if let Some(kept) = inner.kept.iter_mut().find(|kept| kept.first == first) {
            kept.bytes = bytes;
        }
    }

    /// The last frame that may be read.
    pub fn last(&self) -> u64 {
        self.inner.lock().last
    }

    /// The last frame that the history covers.
    pub fn covered(&self) -> u64 {
        self.inner.lock().covered
    }

    /// Messages of a workspace accepted by this process.
    pub fn accepted(&self, workspace: WorkspaceId) -> u64 {
        self.inner.lock().accepted.get(&workspace).copied().unwrap_or(0)
    }

    /// One follower.
    pub fn known(&self, id: FollowerId) -> Option<Known> {
        self.inner.lock().followers.get(&id).cloned()
    }

    /// All of them, oldest first.
    pub fn all(&self) -> Vec<Known> {
        self.inner.lock().followers.values().cloned().collect()
    }

    /// Takes in a follower, at a place that is found while nothing is let go of.
    pub fn enter(&self, id: FollowerId, known: impl FnOnce(u64, u64) -> Known) -> Known {
        let mut inner = self.inner.lock();
        let known = known(inner.last, inner.covered);
        inner.followers.insert(id, known.clone());
        known
    }

    /// Changes what is known of a follower, if it is there.
    pub fn note(&self, id: FollowerId, change: impl FnOnce(&mut Known)) {
        if let Some(known) = self.inner.lock().followers.get_mut(&id) {
            change(known);
        }
    }

    /// Strikes a follower out.
    pub fn strike(&self, id: FollowerId) {
        self.inner.lock().followers.remove(&id);
        self.grown.notify_all();
    }

    /// Ends a wait of a follower, now or the next one.
    pub fn wake(&self, id: FollowerId) {
        self.inner.lock().woken.insert(id);
        self.grown.notify_all();
    }

    /// Waits until there is a frame from this number on, the follower is woken or gone, or so long.
    pub fn wait(&self, id: FollowerId, sequence: u64, at_most: Duration) {
        let until = Instant::now() + at_most;
        let mut inner = self.inner.lock();
        while inner.last < sequence && inner.followers.contains_key(&id) && !inner.woken.remove(&id) {
            if self.grown.wait_until(&mut inner, until).timed_out() {
                return;
            }
        }
    }
}

/// What a read answers whose follower is not there.
pub fn there(known: Option<Known>) -> Result<Known, ReadError> {
    known.ok_or_else(muster_store::follow::gone)
}
