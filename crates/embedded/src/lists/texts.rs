//! The texts that searches look through, in memory, within a bound.
//!
//! A table holds the folded texts of one kind of record as they are on disk, in the order of their ids. It is made by a
//! thread of its own when somebody first searches, who waits for it a while, and kept up by checkpoints; searching it is one pass over
//! its bytes, or a look at the text of one record. What it tells may be out of date in either direction only for records that memory
//! knows better at that moment, and whoever searches looks at the records anyway. When there is no table, because it
//! would be too large or is being made, the search follows the order of the list.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use fjall::Readable;
use memchr::memmem;
use muster_model::{
    find,
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
};
use muster_store::error::ReadError;
use parking_lot::{Condvar, Mutex};
use rustc_hash::FxHashMap;

use crate::{
    codec,
    error::{damaged, state_failed},
    keys,
    overlay::Overlay,
    state::State,
};

/// Changed records that a table is made anew from, at least.
const RECENT_MIN: usize = 10_000;
/// The part of a table's records that may have changed before it is made anew, if that is more.
const RECENT_PART: usize = 32;
/// Bytes that a changed record takes besides its text, roughly.
const RECENT_BYTES: usize = 64;
/// How long a search waits for its table. To follow the order of the list meanwhile takes more work and finds less; the table of a
/// million records is made in a few seconds.
const WAIT: Duration = Duration::from_secs(5);
/// Searches that wait at one time; further ones follow the order of the list at once, so that threads are left for other reads.
const WAITING_MAX: usize = 8;
/// Records read for a table before it is asked whether the store is closing.
const READ_AT_ONCE: usize = 1_000;

type Of = (WorkspaceId, RecordKind);
type Recent = FxHashMap<RecordId, Box<str>>;
/// A table, and what changed since it was made.
type Unsettled = (Arc<Rows>, Arc<Recent>);

/// Every table there is.
#[derive(Debug, Default)]
pub struct Texts {
    held: Mutex<Held>,
    /// A table was made, or will not be.
    made: Condvar,
    ending: AtomicBool,
}

#[derive(Debug, Default)]
struct Held {
    bytes_max: usize,
    tables: FxHashMap<Of, Kept>,
    /// Counts searches, for telling which table was used last.
    searches: u64,
    makers: Vec<JoinHandle<()>>,
    /// Searches that wait for a table.
    waiting: usize,
}

/// A table, and what changed since it was made.
#[derive(Debug)]
struct Kept {
    table: Table,
    recent: Arc<Recent>,
    recent_bytes: usize,
    used: u64,
    /// Who began to make it.
    maker: u64,
}

#[derive(Clone, Debug)]
enum Table {
    /// Somebody is making it.
    Making,
    Made(Arc<Rows>),
    TooLarge,
}

/// Texts one after the other, each followed by a line break, by id.
#[derive(Debug, Default)]
struct Rows {
    ids: Vec<RecordId>,
    ends: Vec<u32>,
    text: Vec<u8>,
}

impl Rows {
    fn push(&mut self, id: RecordId, text: &[u8]) {
        self.text.extend_from_slice(text);
        self.text.push(b'\n');
        self.ids.push(id);
        self.ends.push(self.text.len() as u32);
    }

    fn bytes(&self) -> usize {
        self.text.len() + self.ids.len() * (size_of::<RecordId>() + size_of::<u32>())
    }

    fn row(&self, row: usize) -> &[u8] {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.text[start..self.ends[row] as usize - 1]
    }

    /// The text of a record.
    fn of(&self, id: RecordId) -> Option<&[u8]> {
        self.ids.binary_search(&id).ok().map(|row| self.row(row))
    }

    /// Shows the ids of the rows that hold the needle until it is told to stop.
    fn find(&self, needle: &memmem::Finder<'_>, mut show: impl FnMut(RecordId) -> bool) {
        let (mut from, mut row) = (0, 0);
        while let Some(at) = needle.find(&self.text[from..]) {
            // Where much is found, the next row is near.
            let mut ahead = 1;
            while self.ends.get(row + ahead).is_some_and(|end| (*end as usize) <= from + at) {
                ahead *= 2;
            }
            let until = (row + ahead).min(self.ends.len());
            row += self.ends[row..until].partition_point(|end| (*end as usize) <= from + at);
            if !show(self.ids[row]) {
                return;
            }
            from = self.ends[row] as usize;
            row += 1;
        }
    }

    /// These rows with others in place of some and beside them.
    fn with(&self, recent: &Recent) -> Rows {
        let mut changed: Vec<(&RecordId, &Box<str>)> = recent.iter().collect();
        changed.sort_unstable_by_key(|(id, _)| **id);
        let mut changed = changed.into_iter().peekable();
        let mut rows = Rows::default();
        for (row, id) in self.ids.iter().enumerate() {
            while let Some((new, text)) = changed.next_if(|(new, _)| *new < id) {
                rows.push(*new, text.as_bytes());
            }
            match changed.next_if(|(new, _)| *new == id) {
                Some((_, text)) => rows.push(*id, text.as_bytes()),
                None => rows.push(*id, self.row(row)),
            }
        }
        changed.for_each(|(id, text)| rows.push(*id, text.as_bytes()));
        rows
    }
}

/// A search in a table as it is at one moment.
#[derive(Debug)]
pub struct Search {
    rows: Arc<Rows>,
    recent: Arc<Recent>,
    finder: memmem::Finder<'static>,
}

impl Search {
    /// The records that are found, if there are at most so many.
    pub fn few(&self, most: usize) -> Option<Vec<RecordId>> {
        let mut found = Vec::new();
        self.rows.find(&self.finder, |id| {
            if !self.recent.contains_key(&id) {
                found.push(id);
            }
            found.len() <= most
        });
        let recent = self.recent.iter().filter(|(_, text)| self.finder.find(text.as_bytes()).is_some());
        let room = (most + 1).saturating_sub(found.len());
        found.extend(recent.map(|(id, _)| *id).take(room));
        (found.len() <= most).then_some(found)
    }

    /// Whether a record is found.
    pub fn finds(&self, id: RecordId) -> bool {
        let text = self.recent.get(&id).map(|text| text.as_bytes()).or_else(|| self.rows.of(id));
        text.is_some_and(|text| self.finder.find(text).is_some())
    }
}

impl Kept {
    fn bytes(&self) -> usize {
        let made = if let Table::Made(rows) = &self.table { rows.bytes() } else { 0 };
        made + self.recent_bytes
    }

    fn note(&mut self, id: RecordId, text: &str) {
        self.recent_bytes += text.len() + RECENT_BYTES;
        if let Some(before) = Arc::make_mut(&mut self.recent).insert(id, text.into()) {
            self.recent_bytes -= before.len() + RECENT_BYTES;
        }
    }

    /// The table, if so much has changed since that one is to be made of both.
    fn unsettled(&self) -> Option<Unsettled> {
        let Table::Made(rows) = &self.table else { return None };
        let much = self.recent.len() >= RECENT_MIN.max(rows.ids.len() / RECENT_PART);
        much.then(|| (Arc::clone(rows), Arc::clone(&self.recent)))
    }
}

impl Texts {
    /// Bounds the bytes of all tables together.
    pub fn keep_within(&self, bytes_max: usize) {
        self.held.lock().bytes_max = bytes_max.min(u32::MAX as usize);
    }

    /// Takes in what a checkpoint has brought into place. To be called after its commit and before memory lets go of it, by
    /// one thread at a time.
    pub fn note(&self, overlay: &Overlay) {
        let mut held = self.held.lock();
        if held.tables.is_empty() {
            return;
        }
        for (key, slot) in overlay.profiles.iter() {
            if let Some(kept) = held.tables.get_mut(&(key.workspace, key.kind)) {
                match kept.table {
                    Table::Making | Table::Made(_) => kept.note(key.id, &find::searchable(&slot.profile)),
                    Table::TooLarge => {}
                }
            }
        }
        let unsettled = held.tables.iter().filter_map(|(of, kept)| Some((*of, kept.unsettled()?)));
        let unsettled: Vec<(Of, Unsettled)> = unsettled.collect();
        drop(held);
        // Nobody who searches waits for it.
        let settled: Vec<_> =
            unsettled.into_iter().map(|(of, (rows, recent))| (of, rows.with(&recent), rows)).collect();
        let mut held = self.held.lock();
        for (of, rows, before) in settled {
            let Some(kept) = held.tables.get_mut(&of) else { continue };
            if matches!(&kept.table, Table::Made(now) if Arc::ptr_eq(now, &before)) {
                (kept.table, kept.recent, kept.recent_bytes) = (Table::Made(Arc::new(rows)), Arc::default(), 0);
            }
        }
        held.keep_bound(None);
    }

    /// Forgets everything about a workspace.
    pub fn forget(&self, workspace: WorkspaceId) {
        self.held.lock().tables.retain(|(of, _), _| *of != workspace);
    }

    /// Ends what is being made and waits for it. What is searched for afterwards makes nothing any more.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Release);
        let makers = std::mem::take(&mut self.held.lock().makers);
        // One that panicked has left nothing behind.
        makers.into_iter().for_each(|maker| drop(maker.join()));
    }

    /// A search for a folded needle among the records on disk, if there is a table for it.
    pub fn search(self: &Arc<Self>, state: &State, of: Of, needle: &str) -> Option<Search> {
        if needle.is_empty() || needle.contains('\n') {
            return None;
        }
        let mut held = self.held.lock();
        held.searches += 1;
        let now = held.searches;
        if !held.tables.contains_key(&of) {
            self.make(&mut held, state, of, now);
        }
        let making = |held: &mut Held| held.tables.get(&of).is_some_and(|kept| matches!(kept.table, Table::Making));
        if making(&mut held) && held.waiting < WAITING_MAX {
            held.waiting += 1;
            self.made.wait_while_for(&mut held, making, WAIT);
            held.waiting -= 1;
        }
        let kept = held.tables.get_mut(&of)?;
        kept.used = now;
        let Table::Made(rows) = &kept.table else { return None };
        let finder = memmem::Finder::new(needle).into_owned();
        Some(Search { rows: Arc::clone(rows), recent: Arc::clone(&kept.recent), finder })
    }

    /// Has a table made that there is not; what changes from now on is noted for it.
    fn make(self: &Arc<Self>, held: &mut Held, state: &State, of: Of, maker: u64) {
        if self.ending.load(Ordering::Acquire) {
            return;
        }
        held.begin(of, maker);
        held.makers.retain(|maker| !maker.is_finished());
        let (texts, state, bytes_max) = (Arc::clone(self), state.clone(), held.bytes_max);
        let work = move || {
            let made = make(&state, of, bytes_max, &texts.ending);
            // The state may go once the table is kept.
            drop(state);
            texts.keep(of, maker, made);
        };
        match thread::Builder::new().name("muster-texts".to_owned()).spawn(work) {
            Ok(maker) => held.makers.push(maker),
            Err(error) => {
                tracing::warn!(%error, "no thread to read the texts of a search; it follows the order of the list");
                held.tables.remove(&of);
            }
        }
    }

    /// Keeps a table, unless it was let go of since it was begun.
    fn keep(&self, of: Of, maker: u64, made: Result<Option<Rows>, ReadError>) {
        let mut held = self.held.lock();
        if let Some(kept) = held.tables.get_mut(&of).filter(|kept| kept.maker == maker) {
            match made {
                Ok(made) => {
                    kept.table = made.map_or(Table::TooLarge, |rows| Table::Made(Arc::new(rows)));
                    held.keep_bound(Some(of));
                }
                Err(error) => {
                    tracing::warn!(%error, "the texts of a search could not be read; it follows the order of the list");
                    held.tables.remove(&of);
                }
            }
        }
        drop(held);
        self.made.notify_all();
    }
}

impl Held {
    fn begin(&mut self, of: Of, maker: u64) {
        let (table, recent) = (Table::Making, Arc::default());
        self.tables.insert(of, Kept { table, recent, recent_bytes: 0, used: maker, maker });
    }

    /// Lets go of tables until the bound is kept, that one last and as being too large.
    fn keep_bound(&mut self, last: Option<Of>) {
        while self.tables.values().map(Kept::bytes).sum::<usize>() > self.bytes_max {
            let others = self.tables.iter().filter(|(of, kept)| Some(**of) != last && kept.bytes() > 0);
            match others.min_by_key(|(_, kept)| kept.used).map(|(of, _)| *of) {
                Some(oldest) => {
                    self.tables.remove(&oldest);
                }
                None => {
                    for kept in self.tables.values_mut() {
                        (kept.table, kept.recent, kept.recent_bytes) = (Table::TooLarge, Arc::default(), 0);
                    }
                }
            }
        }
    }
}

/// Reads a table, unless it has more bytes than that or the store closes.
fn make(
    state: &State,
    (workspace, kind): Of,
    bytes_max: usize,
    ending: &AtomicBool,
) -> Result<Option<Rows>, ReadError> {
    let mut rows = Rows::default();
    let prefix = keys::list_prefix(workspace, kind);
    for (number, entry) in state.database.snapshot().prefix(&state.profiles, prefix).enumerate() {
        let value = entry.value().map_err(|error| state_failed(&error))?;
        let profile = codec::profile::decode(&value).map_err(|_| damaged("a profile"))?;
        rows.push(profile.id, find::searchable(&profile).as_bytes());
        if rows.bytes() > bytes_max || number % READ_AT_ONCE == 0 && ending.load(Ordering::Acquire) {
            return Ok(None);
        }
    }
    Ok(Some(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(of: impl IntoIterator<Item = (u128, &'static str)>) -> Rows {
        let mut rows = Rows::default();
        of.into_iter().for_each(|(id, text)| rows.push(RecordId(id), text.as_bytes()));
        rows
    }

    fn search(rows: Rows, recent: &[(u128, &str)], needle: &str) -> Search {
        let recent = recent.iter().map(|(id, text)| (RecordId(*id), Box::from(*text)));
        let finder = memmem::Finder::new(needle).into_owned();
        Search { rows: Arc::new(rows), recent: Arc::new(recent.collect()), finder }
    }

    #[track_caller]
    fn check(search: &Search, expected: &[u128]) {
        let mut found = search.few(usize::MAX - 1).unwrap();
        found.sort_unstable();
        assert_eq!(found, expected.iter().copied().map(RecordId).collect::<Vec<RecordId>>());
        assert_eq!(search.few(expected.len()).map(|found| found.len()), Some(expected.len()));
        assert!(expected.is_empty() || search.few(expected.len() - 1).is_none());
        let finds = (0..20).filter(|id| search.finds(RecordId(*id)));
        assert_eq!(finds.collect::<Vec<u128>>(), expected.iter().copied().filter(|id| *id < 20).collect::<Vec<u128>>());
    }

    #[test]
    fn rows_are_found_by_any_part_of_them() {
        let some = || rows([(1, "cid"), (3, "bea bea"), (7, "ada\nada@example.com\nu-1"), (9, "")]);
        for (needle, expected) in [("a", &[3, 7][..]), ("bea", &[3]), ("u-1", &[7]), ("cid", &[1]), ("dada", &[])] {
            check(&search(some(), &[], needle), expected);
        }
        check(&search(some(), &[(3, "cid"), (4, "a cid"), (7, "")], "cid"), &[1, 3, 4]);
        check(&search(some(), &[(3, "cid"), (4, "a cid"), (7, "")], "a"), &[4]);
        // Near and far from one another.
        let far = || rows((0..1_000).map(|id| (id, if id % 300 < 2 { "here" } else { "nothing" })));
        let mut found = search(far(), &[], "here").few(100).unwrap();
        found.sort_unstable();
        assert_eq!(found, [0, 1, 300, 301, 600, 601, 900, 901].map(RecordId));
    }

    #[test]
    fn a_table_takes_changes_in() {
        let table = Table::Made(Arc::new(rows((0..20_000).map(|id| (id * 2, "old")))));
        let mut kept = Kept { table, recent: Arc::default(), recent_bytes: 0, used: 0, maker: 0 };
        (0..9_999).for_each(|id| kept.note(RecordId(id * 3), "new"));
        assert!(kept.unsettled().is_none());
        kept.note(RecordId(100_000), "new");
        let (before, recent) = kept.unsettled().unwrap();
        let settled = before.with(&recent);
        assert!(settled.ids.is_sorted_by(|one, other| one < other));
        for id in 0..40_000u128 {
            let expected = match (id % 3 == 0 && id < 29_997, id % 2 == 0) {
                (true, _) => Some("new"),
                (false, true) => Some("old"),
                (false, false) => None,
            };
            assert_eq!(settled.of(RecordId(id)), expected.map(str::as_bytes), "{id}");
        }
        assert_eq!(settled.of(RecordId(100_000)), Some(&b"new"[..]));
    }

    /// An empty page that comes at once, while the texts are being read, says less than one that comes a little later.
    #[test]
    fn some_wait_for_a_table_and_the_others_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&dir.path().join("state"), 1 << 20).unwrap();
        let (texts, of) = (Arc::new(Texts::default()), (WorkspaceId(1), RecordKind::User));
        texts.keep_within(1_000);
        texts.held.lock().begin(of, 1);
        thread::scope(|scope| {
            let search = || texts.search(&state, of, "a").and_then(|search| search.few(9));
            let waiting: Vec<_> = (0..WAITING_MAX).map(|_| scope.spawn(search)).collect();
            while texts.held.lock().waiting < WAITING_MAX {
                thread::yield_now();
            }
            assert!(search().is_none(), "one more does not wait");
            texts.keep(of, 1, Ok(Some(rows([(7, "ada")]))));
            waiting.into_iter().for_each(|one| assert_eq!(one.join().unwrap(), Some(vec![RecordId(7)])));
        });
        assert_eq!(texts.held.lock().waiting, 0);
    }

    #[test]
    fn the_bound_is_kept() {
        let texts = Texts::default();
        texts.keep_within(1_000);
        let of = |workspace| (WorkspaceId(workspace), RecordKind::User);
        for (workspace, count, tables) in [(1, 20, 1), (2, 20, 2), (3, 20, 2), (4, 60, 1)] {
            texts.held.lock().begin(of(workspace), u64::from(workspace));
            let made = rows((0..count).map(|id| (id, "x")));
            texts.keep(of(workspace), u64::from(workspace), Ok(Some(made)));
            let held = texts.held.lock();
            assert_eq!(held.tables.len(), tables, "after {workspace}");
            assert!(held.tables.values().map(Kept::bytes).sum::<usize>() <= 1_000);
        }
    }
}
