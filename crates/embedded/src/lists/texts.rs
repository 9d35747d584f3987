//! The texts that searches look through, in memory, within a bound.
//!
//! A table holds the [folded texts](crate::lists::folded) of one kind of record as they are on disk, in the order of their ids. It is
//! made by a thread of its own: after a start one table after the other, by a thread that gives way to all other work; and when
//! somebody searches before that, who waits for it a while. Checkpoints keep it up. What it tells may be out of date in either
//! direction only for records that memory knows better at that moment, and whoever searches looks at the records anyway. When
//! there is no table, because it would be too large or is being made, the search follows the order of the list.
//!
//! All tables together are within one bound. What somebody searched takes the room of what nobody did; what is made ahead takes
//! nobody's.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use fjall::Readable;
use muster_model::{
    find,
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
};
use muster_store::{codec, error::ReadError};
use parking_lot::{Condvar, Mutex};
use rustc_hash::FxHashSet;

use super::{
    finds::{Of, Question},
    folded::{Rows, Search, Times},
    tables::{Held, Table, Unsettled},
};
use crate::{
    error::{damaged, state_failed},
    keys::{self, ProfileKey},
    overlay::Overlay,
    slots::Slot,
    state::State,
};

/// How long a search waits for its table. To follow the order of the list meanwhile takes more work and finds less; the table of a
/// million records is made in a few seconds.
const WAIT: Duration = Duration::from_secs(5);
/// Searches that wait at one time; further ones follow the order of the list at once, so that threads are left for other reads.
const WAITING_MAX: usize = 8;
/// Records read for a table before it is asked whether the store is closing, and before a reader that is not waited for rests.
const READ_AT_ONCE: usize = 1_000;
/// How many times as long such a reader rests as it reads.
const RESTS: u32 = 2;
/// Kinds of record that are read ahead, those first that are read soonest.
const AHEAD: [RecordKind; 3] = [RecordKind::Organization, RecordKind::Account, RecordKind::User];
/// Tables that are made ahead at the most, so that many small ones are bounded as well.
const AHEAD_MAX: usize = 64;
/// Changed records that are noted under one lock.
const NOTED_AT_ONCE: usize = 512;

/// Every table there is.
#[derive(Debug, Default)]
pub struct Texts {
    held: Mutex<Held>,
    /// A table was made, or will not be.
    made: Condvar,
    /// Somebody waits for a table, or the store is closing.
    hurried: Condvar,
    ending: AtomicBool,
}

impl Texts {
    /// Bounds the bytes of all tables together.
    pub fn keep_within(&self, bytes_max: usize) {
        self.held.lock().bytes_max = bytes_max.min(u32::MAX as usize);
    }

    /// Takes in what a checkpoint has brought into place. To be called after its commit and before memory lets go of it, by
    /// one thread at a time.
    pub fn note(&self, overlay: &Overlay) {
        let tables: FxHashSet<Of> = self.held.lock().tables.keys().copied().collect();
        if tables.is_empty() {
            return;
        }
        let of_table = |(key, _): &(&ProfileKey, &Slot)| tables.contains(&(key.workspace, key.kind));
        let changed = |(key, slot): (&ProfileKey, &Slot)| {
            let profile = &slot.profile;
            ((key.workspace, key.kind), key.id, find::searchable(profile), Times::of(profile))
        };
        let mut changed = overlay.profiles.iter().filter(of_table).map(changed).peekable();
        // Searches go on meanwhile: what is not noted yet is in memory, which knows it better.
        while changed.peek().is_some() {
            let some: Vec<(Of, RecordId, String, Times)> = changed.by_ref().take(NOTED_AT_ONCE).collect();
            self.held.lock().note(&some);
        }
        self.settle();
    }

    /// Makes tables anew of which much has changed. Nobody who searches waits for it.
    fn settle(&self) {
        let unsettled: Vec<(Of, Unsettled)> = {
            let held = self.held.lock();
            held.tables.iter().filter_map(|(of, kept)| Some((*of, kept.unsettled()?))).collect()
        };
        for (of, (before, recent)) in unsettled {
            let rows = before.with(&recent);
            drop(recent);
            let mut held = self.held.lock();
            let now = held.next();
            let Some(kept) = held.tables.get_mut(&of) else { continue };
            if matches!(&kept.table, Table::Made(known) if Arc::ptr_eq(known, &before)) {
                (kept.table, kept.recent, kept.recent_bytes) = (Table::Made(Arc::new(rows)), Arc::default(), 0);
                // What was found stood in other rows.
                kept.change = now;
                held.finds.forget(of);
            }
        }
        self.held.lock().keep_bound(None);
    }

    /// Forgets everything about a workspace.
    pub fn forget(&self, workspace: WorkspaceId) {
        self.held.lock().tables.retain(|(of, _), _| *of != workspace);
    }

    /// Ends what is being made and waits for it. What is searched for afterwards makes nothing any more.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Release);
        let makers = {
            let mut held = self.held.lock();
            self.hurried.notify_all();
            std::mem::take(&mut held.makers)
        };
        // One that panicked has left nothing behind.
        makers.into_iter().for_each(|maker| drop(maker.join()));
    }

    /// A search for a folded needle among the records on disk, if there is a table for it.
    pub fn search(self: &Arc<Self>, state: &State, of: Of, needle: &str) -> Option<Search> {
        if needle.is_empty() || needle.contains('\n') {
            return None;
        }
        let mut held = self.held.lock();
        let now = held.next();
        if !held.tables.contains_key(&of) {
            self.make(&mut held, state, of, now);
        }
        let making = |held: &mut Held| held.tables.get(&of).is_some_and(|kept| matches!(kept.table, Table::Making));
        if making(&mut held) && held.waiting < WAITING_MAX {
            held.waiting += 1;
            held.tables.entry(of).and_modify(|kept| kept.hurried = true);
            self.hurried.notify_all();
            self.made.wait_while_for(&mut held, making, WAIT);
            held.waiting -= 1;
        }
        let finds = Arc::clone(&held.finds);
        let kept = held.tables.get_mut(&of)?;
        kept.used = now;
        let Table::Made(rows) = &kept.table else { return None };
        let parts = (Arc::clone(rows), Arc::clone(&kept.recent));
        let question = Question { of, change: kept.change, needle: needle.into() };
        Some(Search::new(finds, parts, question))
    }

    /// Whether there is a table of a kind of record.
    #[cfg(test)]
    pub fn has(&self, of: Of) -> bool {
        matches!(self.held.lock().tables.get(&of), Some(kept) if matches!(kept.table, Table::Made(_)))
    }

    /// Has a table made that there is not; what changes from now on is noted for it.
    fn make(self: &Arc<Self>, held: &mut Held, state: &State, of: Of, maker: u64) {
        if self.ending.load(Ordering::Acquire) {
            return;
        }
        held.begin(of, maker, maker);
        let (texts, state, bytes_max) = (Arc::clone(self), state.clone(), held.bytes_max);
        let work = move || {
            let made = make(&state, of, bytes_max, || !texts.ending.load(Ordering::Acquire));
            // The state may go once the table is kept.
            drop(state);
            texts.keep(of, maker, made);
        };
        if !held.spawn(work) {
            held.tables.remove(&of);
        }
    }

    /// Has tables made before anybody searches, for one workspace after the other and as long as there is room, by a thread that
    /// leaves most of a processor to others. Whoever searches what it is reading has it hurry.
    pub fn read_ahead(self: &Arc<Self>, state: &State, workspaces: &[WorkspaceId]) {
        let all = workspaces.iter().flat_map(|workspace| AHEAD.map(|kind| (*workspace, kind)));
        let ahead: Vec<Of> = all.take(AHEAD_MAX).collect();
        let (texts, state) = (Arc::clone(self), state.clone());
        let work = move || ahead.into_iter().take_while(|of| texts.make_ahead(&state, *of)).for_each(drop);
        self.held.lock().spawn(work);
    }

    /// Makes a table if there is room for it; whether there was, and there may be some for another one.
    fn make_ahead(&self, state: &State, of: Of) -> bool {
        let (maker, room) = {
            let mut held = self.held.lock();
            if held.tables.contains_key(&of) {
                return true;
            }
            let room = held.bytes_max.saturating_sub(held.bytes());
            if room == 0 || self.ending.load(Ordering::Acquire) {
                return false;
            }
            let maker = held.next();
            held.begin(of, maker, 0);
            (maker, room)
        };
        let mut began = Instant::now();
        let made = make(state, of, room, || {
            self.rest((of, maker), began.elapsed() * RESTS);
            began = Instant::now();
            !self.ending.load(Ordering::Acquire)
        });
        let fits = matches!(&made, Ok(Some(_)));
        if fits || made.is_err() {
            self.keep(of, maker, made);
        } else {
            // It is not too large; there is no room, and whoever searches makes some.
            self.held.lock().drop_begun(maker);
            self.made.notify_all();
        }
        fits
    }

    /// Waits a while, unless somebody waits for this table.
    fn rest(&self, (of, maker): (Of, u64), pause: Duration) {
        let mut held = self.held.lock();
        let rests = |held: &mut Held| {
            let hurried = held.tables.get(&of).is_none_or(|kept| kept.maker != maker || kept.hurried);
            !hurried && !self.ending.load(Ordering::Acquire)
        };
        self.hurried.wait_while_for(&mut held, rests, pause);
    }

    /// Keeps a table, unless it was let go of since it was begun.
    fn keep(&self, of: Of, maker: u64, made: Result<Option<Rows>, ReadError>) {
        let mut held = self.held.lock();
        match made {
            Ok(made) => held.keep(of, maker, made),
            Err(error) => {
                tracing::warn!(%error, "the texts of a search could not be read; it follows the order of the list");
                held.drop_begun(maker);
            }
        }
        drop(held);
        self.made.notify_all();
    }
}

/// Reads a table, unless it has more bytes than that; now and then it is asked whether to go on.
fn make(
    state: &State,
    (workspace, kind): Of,
    bytes_max: usize,
    mut goes_on: impl FnMut() -> bool,
) -> Result<Option<Rows>, ReadError> {
    let mut rows = Rows::default();
    let prefix = keys::list_prefix(workspace, kind);
    for (number, entry) in state.database.snapshot().prefix(&state.profiles, prefix).enumerate() {
        let value = entry.value().map_err(|error| state_failed(&error))?;
        let profile = codec::profile::decode(&value).map_err(|_| damaged("a profile"))?;
        rows.push(profile.id, find::searchable(&profile).as_bytes(), Times::of(&profile));
        if rows.bytes() > bytes_max || number % READ_AT_ONCE == 0 && !goes_on() {
            return Ok(None);
        }
    }
    Ok(Some(rows))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, thread};

    use muster_model::{profile::Profile, time::Micros};
    use muster_store::lists::ListOrder;

    use super::*;

    fn users(workspace: u32) -> Of {
        (WorkspaceId(workspace), RecordKind::User)
    }

    fn found(texts: &Arc<Texts>, state: &State, needle: &str) -> Option<BTreeSet<u128>> {
        let search = texts.search(state, users(1), needle)?;
        search.ids().map(|found| found.iter().map(|id| id.0).collect())
    }

    fn note(texts: &Texts, some: &[(u128, &str)]) {
        let times = |id: u128| Times { created: Micros(-(id as i64)), updated: Micros(id as i64) };
        let new = |(id, text): &(u128, &str)| (users(1), RecordId(*id), (*text).to_owned(), times(*id));
        let some: Vec<_> = some.iter().map(new).collect();
        texts.held.lock().note(&some);
    }

    /// Where those that are found stand by their last change and by their creation.
    fn standing(texts: &Arc<Texts>, state: &State, needle: &str) -> [BTreeSet<(i64, u128)>; 2] {
        let search = texts.search(state, users(1), needle).unwrap();
        assert!(search.standing(&ListOrder::LastSeen).is_none());
        [ListOrder::UpdatedAt, ListOrder::CreatedAt].map(|order| {
            let standing = search.standing(&order).unwrap();
            standing.into_iter().map(|(at, id)| (at.0, id.0)).collect()
        })
    }

    #[test]
    fn a_table_takes_changes_in() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&dir.path().join("state"), 1 << 20).unwrap();
        let texts = Arc::new(Texts::default());
        texts.keep_within(1 << 24);
        texts.held.lock().begin(users(1), 1, 1);
        note(&texts, &[(2, "meanwhile")]);
        texts.keep(users(1), 1, Ok(Some(Rows::of_texts((0..20_000).map(|id| (id * 2, "old"))))));
        assert_eq!(found(&texts, &state, "mean"), Some(BTreeSet::from([2])));
        let kept = |texts: &Texts| {
            let held = texts.held.lock();
            let kept = &held.tables[&users(1)];
            (kept.change, kept.recent.len(), kept.recent_bytes)
        };
        let before = kept(&texts);
        note(&texts, &[(2, "meanwhile"), (4, "old")]);
        assert_eq!(kept(&texts), before, "no text changed");
        let [updated, created] = standing(&texts, &state, "old");
        assert!(updated.contains(&(4, 4)) && updated.contains(&(0, 6)) && !updated.iter().any(|(_, id)| *id == 2));
        assert!(created.contains(&(-4, 4)) && created.contains(&(0, 6)));
        assert_eq!(standing(&texts, &state, "mean"), [BTreeSet::from([(2, 2)]), BTreeSet::from([(-2, 2)])]);
        note(&texts, &[(5, "meanwhile"), (4, "new")]);
        assert_eq!(
            found(&texts, &state, "mean"),
            Some(BTreeSet::from([2, 5])),
            "what was found before is not taken for it"
        );
        (0..9_996).for_each(|id| note(&texts, &[(100 + id, "new")]));
        texts.settle();
        assert_eq!(kept(&texts).1, 9_999);
        note(&texts, &[(7, "new")]);
        texts.settle();
        assert_eq!((kept(&texts).1, kept(&texts).2), (0, 0));
        let expected: BTreeSet<u128> = (100..10_096).chain([4, 7]).collect();
        let stand = |sign: i64| expected.iter().map(|id| (sign * *id as i64, *id)).collect();
        assert_eq!(standing(&texts, &state, "new"), [stand(1), stand(-1)]);
        assert_eq!(found(&texts, &state, "new"), Some(expected));
        assert_eq!(found(&texts, &state, "mean"), Some(BTreeSet::from([2, 5])));
    }

    /// An empty page that comes at once, while the texts are being read, says less than one that comes a little later.
    #[test]
    fn some_wait_for_a_table_and_the_others_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&dir.path().join("state"), 1 << 20).unwrap();
        let texts = Arc::new(Texts::default());
        texts.keep_within(1_000);
        texts.held.lock().begin(users(1), 1, 0);
        thread::scope(|scope| {
            // As who reads ahead: without anybody who waits, the rest would not end.
            let resting = scope.spawn(|| texts.rest((users(1), 1), Duration::MAX));
            let search = || found(&texts, &state, "a");
            let waiting: Vec<_> = (0..WAITING_MAX).map(|_| scope.spawn(search)).collect();
            while texts.held.lock().waiting < WAITING_MAX {
                thread::yield_now();
            }
            resting.join().unwrap();
            assert!(search().is_none(), "one more does not wait");
            texts.keep(users(1), 1, Ok(Some(Rows::of_texts([(7, "ada")]))));
            waiting.into_iter().for_each(|one| assert_eq!(one.join().unwrap(), Some(BTreeSet::from([7]))));
        });
        assert_eq!(texts.held.lock().waiting, 0);
    }

    /// Three workspaces, of which two have room, or one; whoever searches in the last one is found room all the same.
    #[test]
    fn tables_are_made_ahead_while_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&dir.path().join("state"), 1 << 20).unwrap();
        for (workspace, id) in (1..=3).flat_map(|workspace| (0..20).map(move |id| (workspace, id))) {
            let user = Profile::new(RecordKind::User, RecordId(id), "x", Micros(0));
            let mut value = Vec::new();
            codec::profile::encode(&user, &mut value);
            state
                .profiles
                .insert(ProfileKey::new(WorkspaceId(workspace), RecordKind::User, user.id).bytes(), value)
                .unwrap();
        }
        let workspaces = [WorkspaceId(1), WorkspaceId(2), WorkspaceId(3)];
        for (bytes_max, made) in [(0, 0), (800, 1), (1_600, 2), (2_400, 3)] {
            let texts = Arc::new(Texts::default());
            texts.keep_within(bytes_max);
            texts.read_ahead(&state, &workspaces);
            let makers = std::mem::take(&mut texts.held.lock().makers);
            makers.into_iter().for_each(|maker| maker.join().unwrap());
            let tables = |texts: &Texts| {
                let held = texts.held.lock();
                let full = |of: &Of| held.tables.get(of).is_some_and(|kept| kept.bytes() > 0);
                assert!(held.bytes() <= bytes_max);
                (1..=3).map(users).filter(full).collect::<Vec<Of>>()
            };
            assert_eq!(tables(&texts), (1..=made).map(users).collect::<Vec<Of>>(), "{bytes_max} bytes");
            let search = texts.search(&state, users(3), "x");
            assert_eq!(search.map(|search| search.found().as_ref().unwrap().count()), (bytes_max > 0).then_some(20));
            assert_eq!(tables(&texts).contains(&users(3)), bytes_max > 0);
            texts.end();
            texts.read_ahead(&state, &workspaces);
            texts.end();
        }
    }
}
