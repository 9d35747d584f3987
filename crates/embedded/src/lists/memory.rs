//! The records in memory, in the order of a list, as far as a page goes.
//!
//! They are chosen from [mirrors](crate::lists::mirrors) of the live and the frozen overlay some at a time, each as it is
//! now or was when the list began. A record that changes while a page is made may move from where nothing was chosen yet to
//! where the page has been, as it may between two pages. Where a list is only of few members, these are looked up one by one.

use std::{collections::VecDeque, sync::Arc};

use muster_model::{id::RecordId, profile::Profile};
use muster_store::lists::{ListCursor, kept_seen};
use rustc_hash::FxHashSet;

use super::{
    columns::{Asked, Standing},
    glance::{Fault, LOOK_RECORDS, Side},
    mirror::{Choice, Chosen},
    mirrors::fresh,
    pager::{Pager, is_after},
    sets::Answer,
    sources::FEW,
};
use crate::{keys::ProfileKey, slots::SlotNumber};

/// Uncertain accounts in memory whose first and last track are read from history for one page.
const UNCERTAIN_MAX: usize = 1_000;

/// A record of the list, and where it stands.
type Found = (ListCursor, Arc<Profile>);

/// Records that come next.
pub struct Memory {
    asked: Asked,
    named: Answer,
    /// Records whose first and last track were uncertain, by what was found out of them; they are chosen nowhere else.
    apart: Vec<Found>,
    apart_ids: FxHashSet<RecordId>,
    next: VecDeque<Found>,
    /// Up to where all of them are in `next` or were taken.
    reached: Option<Standing>,
    /// How many are chosen at once.
    most: usize,
    done: bool,
}

impl Memory {
    /// All that may be on a page or a later one. Of a list of members, `named` are all that can be in it, if that is known.
    pub fn of(pager: &mut Pager<'_>, named: Answer) -> Result<Memory, Fault> {
        let asked = Asked::of(&pager.query);
        let reached = pager.query.from.map(|from| Standing::of(&from, pager.query.ascending));
        let most = (pager.query.limit.max(1) + 1).min(LOOK_RECORDS);
        let (apart, apart_ids, next) = (Vec::new(), FxHashSet::default(), VecDeque::new());
        let mut memory = Memory { asked, named, apart, apart_ids, next, reached, most, done: false };
        if let Some(named) = memory.named.as_ref().filter(|named| named.len() <= FEW) {
            let found = look_up(pager, named)?;
            if memory.asked.seen {
                make_certain(pager, &found)?;
            }
            memory.next = placed(pager, found).into();
            memory.done = true;
        } else if memory.asked.seen {
            let uncertain = memory.uncertain(pager)?;
            make_certain(pager, &uncertain)?;
            memory.apart_ids = uncertain.iter().map(|profile| profile.id).collect();
            memory.apart = placed(pager, uncertain);
        }
        Ok(memory)
    }

    /// Where the next one stands.
    pub fn peek(&mut self, pager: &Pager<'_>) -> Result<Option<ListCursor>, Fault> {
        while self.next.is_empty() && !self.done {
            self.go_on(pager)?;
        }
        Ok(self.next.front().map(|(cursor, _)| *cursor))
    }

    /// Takes the next one, if it was looked at.
    pub fn take(&mut self) -> Option<Found> {
        self.next.pop_front()
    }

    /// Chooses those that come next.
    fn go_on(&mut self, pager: &Pager<'_>) -> Result<(), Fault> {
        let mut choice = Choice {
            after: self.reached,
            end: Some(pager.glance.end()),
            among: self.named.as_deref(),
            most: self.most,
        };
        let live = self.choose(pager, Of::Live, &choice)?;
        choice.end = None;
        let frozen = self.choose(pager, Of::Frozen, &choice)?;
        // Behind the last one that either of them chose, there may be others.
        let last = |chosen: &Chosen| chosen.found.last().filter(|_| chosen.more).map(|(standing, _)| *standing);
        let until = last(&live).into_iter().chain(last(&frozen)).min();
        let numbers = |chosen: Chosen| -> Vec<SlotNumber> {
            let within = |standing: Standing| until.is_none_or(|until| standing <= until);
            chosen.found.into_iter().filter(|(standing, _)| within(*standing)).map(|(_, number)| number.0).collect()
        };
        let mut profiles = read_live(pager, &numbers(live))?;
        profiles.extend(read_frozen(pager, &numbers(frozen))?);
        profiles.retain(|profile| !self.apart_ids.contains(&profile.id));
        let apart = self.apart.iter().cloned();
        let mut found: Vec<Found> = placed(pager, profiles).into_iter().chain(apart).collect();
        found.retain(|(cursor, _)| {
            let standing = Standing::of(cursor, self.asked.ascending);
            self.reached.is_none_or(|reached| standing > reached) && until.is_none_or(|until| standing <= until)
        });
        found.sort_unstable_by(|(one, _), (other, _)| self.asked.compare(one, other));
        self.next = found.into();
        (self.reached, self.done) = (until, until.is_none());
        self.most = (2 * self.most).min(LOOK_RECORDS);
        Ok(())
    }

    fn choose(&self, pager: &Pager<'_>, of: Of, choice: &Choice<'_>) -> Result<Chosen, Fault> {
        let Some((number, side)) = of.side(pager) else { return Ok(Chosen::default()) };
        let mirror = pager.reader.views.mirrors.of(number, (pager.workspace, self.asked.kind));
        let mirror = fresh(&mirror, &side, (pager.workspace, &self.asked))?;
        Ok(mirror.choose(&self.asked, choice))
    }

    /// Records whose first and last track are uncertain.
    fn uncertain(&self, pager: &Pager<'_>) -> Result<Vec<Arc<Profile>>, Fault> {
        let mut found = Vec::new();
        for of in [Of::Live, Of::Frozen] {
            let Some((number, side)) = of.side(pager) else { continue };
            let mirror = pager.reader.views.mirrors.of(number, (pager.workspace, self.asked.kind));
            let numbers = fresh(&mirror, &side, (pager.workspace, &self.asked))?.uncertain(UNCERTAIN_MAX - found.len());
            found.extend(match of {
                Of::Live => read_live(pager, &numbers)?,
                Of::Frozen => read_frozen(pager, &numbers)?,
            });
        }
        Ok(found)
    }
}

/// One of the overlays that a list reads.
#[derive(Clone, Copy)]
enum Of {
    Live,
    Frozen,
}

impl Of {
    /// The overlay and its number, if there is one.
    fn side<'p>(self, pager: &'p Pager<'_>) -> Option<(u64, Side<'p>)> {
        let glance = &pager.glance;
        match self {
            Of::Live => Some((glance.number(), Side::Live(glance, &pager.reader.views))),
            Of::Frozen => {
                Some((glance.number().checked_sub(1)?, Side::Frozen(&glance.below.frozen.as_ref()?.profiles)))
            }
        }
    }
}

/// Profiles of the live overlay, without those that were deleted or came after the list began.
fn read_live(pager: &Pager<'_>, numbers: &[SlotNumber]) -> Result<Vec<Arc<Profile>>, Fault> {
    let current = pager.reader.views.look();
    let slots = &pager.glance.live(&current)?.profiles;
    let there = |number: &&SlotNumber| **number < pager.glance.end() && slots.counts(**number);
    Ok(numbers.iter().filter(there).map(|number| Arc::clone(&slots.at(*number).profile)).collect())
}

/// Profiles of the frozen overlay, without those that the live one knows better.
fn read_frozen(pager: &Pager<'_>, numbers: &[SlotNumber]) -> Result<Vec<Arc<Profile>>, Fault> {
    let Some(frozen) = &pager.glance.below.frozen else { return Ok(Vec::new()) };
    let current = pager.reader.views.look();
    let live = pager.glance.live(&current)?;
    let slots = &frozen.profiles;
    let there = |number: &&SlotNumber| slots.counts(**number) && !pager.glance.is_above(live, slots.key_at(**number));
    Ok(numbers.iter().filter(there).map(|number| Arc::clone(&slots.at(*number).profile)).collect())
}

/// Those of some records that are in memory.
fn look_up(pager: &Pager<'_>, ids: &FxHashSet<RecordId>) -> Result<Vec<Arc<Profile>>, Fault> {
    let current = pager.reader.views.look();
    let live = pager.glance.live(&current)?;
    let frozen = pager.glance.below.frozen.as_deref();
    let profile = |id: &RecordId| {
        let key = ProfileKey::new(pager.workspace, pager.query.kind, *id);
        match live.profiles.number(&key).filter(|number| *number < pager.glance.end()) {
            Some(number) => Some(Arc::clone(&live.profiles.at(number).profile)),
            None if live.gone.contains_key(&key) => None,
            None => frozen?.profiles.get(&key).map(|slot| Arc::clone(&slot.profile)),
        }
    };
    Ok(ids.iter().filter_map(profile).collect())
}

/// Finds out the first and last track of those of which they are uncertain.
fn make_certain(pager: &mut Pager<'_>, profiles: &[Arc<Profile>]) -> Result<(), Fault> {
    let uncertain = profiles.iter().filter(|profile| !kept_seen(profile).1).take(UNCERTAIN_MAX);
    for profile in uncertain {
        let seen = pager.reader.seen(pager.workspace, (profile.kind(), profile.id))?;
        pager.seen.insert(profile.id, seen);
    }
    Ok(())
}

/// Where records stand, in the order of the list, without those before the page.
fn placed(pager: &Pager<'_>, profiles: Vec<Arc<Profile>>) -> Vec<Found> {
    let query = &pager.query;
    let place = |profile: Arc<Profile>| (query.order.place(&profile, pager.seen_of(&profile)), profile);
    let mut found: Vec<Found> = profiles.into_iter().map(place).filter(|(cursor, _)| is_after(cursor, query)).collect();
    found.sort_unstable_by(|(one, _), (other, _)| one.order(other, query.ascending));
    found
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        path::Path,
        sync::atomic::{AtomicBool, Ordering},
        time::Duration,
    };

    use muster_model::{
        id::{Identity, WorkspaceId},
        kind::RecordKind,
        profile::Body,
        register::Stamp,
        time::Micros,
    };
    use muster_store::lists::{Condition, ListOrder, ListQuery};

    use super::*;
    use crate::{
        engine::{Embedded, Reader},
        lists::keeper::{Bounds, Keeper},
        options::Options,
        overlay::Overlay,
        slots::Slot,
        views::Views,
        writer::ledger::add,
    };

    const WORKSPACE: WorkspaceId = WorkspaceId(1);
    const RECORDS: u64 = 300;

    /// What there is, and the dice that change it.
    struct World {
        expected: BTreeMap<RecordId, Profile>,
        seed: u64,
    }

    impl World {
        fn dice(&mut self, sides: u64) -> u64 {
            self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.seed >> 33) % sides
        }

        /// Changes a record as the writer would, or deletes it.
        fn change(&mut self, live: &mut Overlay, now: i64) {
            let id = RecordId(u128::from(self.dice(RECORDS)));
            let key = ProfileKey::new(WORKSPACE, RecordKind::User, id);
            if self.dice(12) == 0 {
                let rows = live.profiles.detach(&key);
                live.gone.entry(key).or_default().rows.extend(rows);
                self.expected.remove(&id);
                return;
            }
            let new = || Profile::new(RecordKind::User, id, &format!("u{}", id.0), Micros(now));
            let mut profile = self.expected.remove(&id).unwrap_or_else(new);
            profile.updated_at = Micros(now);
            if let Some(number) = live.profiles.number(&key).filter(|_| self.dice(3) == 0) {
                self.track(live, number, profile);
                return;
            }
            let stamp = Stamp { at: Micros(now), by: Identity(1) };
            let number = ["null", "\"text\"", "3", "7", "\"2024-01-01\""][self.dice(5) as usize];
            profile.traits.state(stamp, "n", number);
            let name = ["null", "\"Ada\"", "\"Adam\"", "\"Bea\""][self.dice(4) as usize];
            profile.traits.state(stamp, "name", name);
            // Of these hardly anybody has each.
            let (rare, value) = (format!("r{}", self.dice(60)), ["null", "1", "2"][self.dice(3) as usize]);
            profile.traits.state(stamp, &rare, value);
            match live.profiles.number(&key) {
                Some(number) => live.profiles.at_mut(number).profile = Arc::new(profile.clone()),
                None => _ = add(live, key, Slot::new(Arc::new(profile.clone()), None)),
            }
            self.expected.insert(id, profile);
        }

        /// As when a track comes.
        fn track(&mut self, live: &mut Overlay, number: SlotNumber, mut profile: Profile) {
            if let Body::User(user) = &mut profile.body {
                user.seen.take_in(Micros(self.dice(1_000) as i64));
            }
            live.profiles.expect_only_instants(true);
            live.profiles.at_mut(number).profile = Arc::new(profile.clone());
            live.profiles.expect_only_instants(false);
            self.expected.insert(profile.id, profile);
        }

        /// Compares lists with all records, filtered and sorted here.
        fn compare(&self, reader: &Reader, limit: usize) {
            let conditions = [
                vec![],
                vec![Condition::TraitPresent { key: "n".to_owned(), present: false }],
                vec![
                    Condition::TraitIs { key: "n".to_owned(), value: "7".to_owned() },
                    Condition::Contains("ada".to_owned()),
                ],
                vec![Condition::Contains("u1".to_owned())],
            ];
            let traits = ["n", "r1", "never"].map(|key| ListOrder::Trait(key.into()));
            for order in [ListOrder::UpdatedAt, ListOrder::CreatedAt, ListOrder::LastSeen].into_iter().chain(traits) {
                for (conditions, ascending) in conditions.iter().flat_map(|some| [(some, false), (some, true)]) {
                    let (conditions, from) = (conditions.clone(), None);
                    let query = ListQuery {
                        kind: RecordKind::User,
                        order: order.clone(),
                        ascending,
                        within: None,
                        conditions,
                        from,
                        limit,
                    };
                    let holds = |profile: &&Profile| {
                        query.conditions.iter().all(|one| one.holds(profile, kept_seen(profile).0))
                    };
                    let mut expected: Vec<&Profile> = self.expected.values().filter(holds).collect();
                    let place = |profile: &Profile| query.order.place(profile, kept_seen(profile).0);
                    expected.sort_by(|one, other| place(one).order(&place(other), ascending));
                    let found = pages(reader, query.clone());
                    let names = |profiles: &[&Profile]| -> Vec<String> {
                        profiles.iter().map(|one| format!("{} {:?}", one.external_id, place(one).place)).collect()
                    };
                    let found: Vec<&Profile> = found.iter().map(|profile| &**profile).collect();
                    assert_eq!(names(&found), names(&expected), "{query:?}");
                    assert!(found == expected, "{query:?}");
                }
            }
        }
    }

    fn pages(reader: &Reader, mut query: ListQuery) -> Vec<Arc<Profile>> {
        let mut found = Vec::new();
        loop {
            let page = reader.list(WORKSPACE, &query).unwrap();
            found.extend(page.profiles);
            query.from = page.next;
            if query.from.is_none() {
                return found;
            }
        }
    }

    /// An engine of which no checkpoint ever comes.
    fn open(dir: &Path) -> (Embedded, Reader) {
        let options = Options { checkpoint_interval: Duration::from_secs(86_400), ..Options::new(dir) };
        let (engine, _) = Embedded::open(options, Micros(0)).unwrap();
        let (views, registry) = (Arc::clone(&engine.views), Arc::clone(&engine.registry));
        let options = Arc::clone(&engine.options);
        (engine, Reader { views, registry, options })
    }

    /// As before a checkpoint; what was asked of the one is kept up in the other.
    fn freeze(views: &Views) {
        views.change(|current| {
            let next = Overlay::after(&current.live);
            current.frozen = Some(Arc::new(std::mem::replace(&mut current.live, next)));
            current.freezes += 1;
        });
    }

    impl World {
        /// Some groups of changes.
        fn go_on(&mut self, views: &Views, round: i64) {
            for group in 0..3 {
                let changes = 1 + self.dice(40);
                views.change(|current| {
                    (0..changes).for_each(|_| self.change(&mut current.live, 3 * round + group));
                });
            }
        }
    }

    /// Records change, are deleted and come back between one list and the next, in the live overlay alone and above a frozen one;
    /// what lists ask is made when they do, or ahead, with room for all or for little of it.
    #[test]
    fn lists_from_memory_are_what_sorting_everything_gives() {
        for bytes_max in [None, Some(usize::MAX), Some(9_000), Some(0)] {
            let dir = tempfile::tempdir().unwrap();
            let (engine, reader) = open(dir.path());
            let mut keeper = Keeper::new(
                Arc::clone(&engine.views),
                bytes_max.map(|bytes_max| Bounds { records_min: 60, bytes_max }),
            );
            let mut world = World { expected: BTreeMap::new(), seed: 5 };
            for round in 0..32 {
                if round == 16 {
                    freeze(&engine.views);
                    if bytes_max.is_none() {
                        engine.views.mirrors.forget_before(1);
                    }
                }
                if round % 4 == 1 {
                    keeper.keep_up().unwrap();
                }
                world.go_on(&engine.views, round);
                if round % 4 == 3 {
                    keeper.keep_up().unwrap();
                }
                world.compare(&reader, [7, 100, 1][round as usize % 3]);
            }
            assert!(world.expected.len() > 100);
        }
    }

    /// The thread that makes columns goes through records while they change and while lists ask for them, and over a freeze.
    #[test]
    fn lists_are_right_while_columns_are_made() {
        let dir = tempfile::tempdir().unwrap();
        let (engine, reader) = open(dir.path());
        let bounds = Bounds { records_min: 1, bytes_max: usize::MAX };
        let mut keeper = Keeper::new(Arc::clone(&engine.views), Some(bounds));
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Acquire) {
                    // What was frozen twice meanwhile is begun anew.
                    _ = keeper.keep_up();
                }
            });
            let mut world = World { expected: BTreeMap::new(), seed: 11 };
            for round in 0..40 {
                if round == 20 {
                    freeze(&engine.views);
                }
                world.go_on(&engine.views, round);
                world.compare(&reader, [100, 7, 33][round as usize % 3]);
            }
            ended.store(true, Ordering::Release);
        });
    }
}
