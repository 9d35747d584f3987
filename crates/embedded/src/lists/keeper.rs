//! The thread that keeps up what lists ask of memory, and makes it before anybody asks.
//!
//! Of kinds with few records in memory it keeps up what somebody asked for lately. Of those with many, where the first to ask
//! for an order would wait until all of them had been looked at, it makes everything that a list may ask, within a bound of
//! bytes, and goes through what messages stated of traits. While messages come in it may take some hundredths of the time, and at the first look at
//! which none has come it does all that is left. It looks twice a second while something changes, and sleeps until it is woken
//! when nothing does. Nothing depends on it but how soon a list is there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use muster_model::kind::RecordKind;
use rustc_hash::FxHashMap;

use super::{
    catalogue,
    glance::{Fault, Glance, LOOK_RECORDS, Side},
    mirror::Of,
    pace::Pace,
    pass,
};
use crate::{slots::SlotNumber, views::Views};

/// Between two looks while something changes.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// One part in so many of the time may be spent while messages come in.
const SHARE: u32 = 50;
/// Records of a kind in one overlay from which on columns are made before anybody asks. To look at fewer takes a request a
/// millisecond.
pub const MANY_RECORDS: usize = 8_192;

/// What is made ahead.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of kinds with so many records in an overlay.
    pub records_min: usize,
    /// Bytes of all mirrors together that what nobody asked for may fill up.
    pub bytes_max: usize,
}

/// How far memory was when it was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Moment {
    freezes: u64,
    clock: u32,
    applied: u64,
}

/// The thread's own things.
pub struct Keeper {
    views: Arc<Views>,
    /// None if nothing is made ahead.
    ahead: Option<Bounds>,
    pace: Pace,
    /// What there was at the last look, and when everything was kept up.
    looked: Moment,
    kept: Moment,
    counted: FxHashMap<u64, Counted>,
}

/// How many records of each kind an overlay has, as far as they were counted.
#[derive(Debug, Default)]
struct Counted {
    slots: usize,
    records: FxHashMap<Of, usize>,
}

/// Wakes the thread when something changed in memory since it was woken last.
pub struct Waker {
    woken: Sender<()>,
    /// How often an overlay had been frozen then, and groups of changes of the live one.
    known: (u64, u32),
}

/// Who wakes, and what whoever is woken waits for.
pub fn waking() -> (Waker, Receiver<()>) {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    (Waker { woken: sender, known: (0, 0) }, receiver)
}

impl Waker {
    /// To be called now and then.
    pub fn wake(&mut self, views: &Views) {
        let now = {
            let current = views.look();
            (current.freezes, current.live.profiles.clock())
        };
        if std::mem::replace(&mut self.known, now) != now {
            // One call that waits already is enough.
            let _ = self.woken.try_send(());
        }
    }
}

impl Keeper {
    pub fn new(views: Arc<Views>, ahead: Option<Bounds>) -> Keeper {
        let (looked, kept, counted) = (Moment::default(), Moment::default(), FxHashMap::default());
        Keeper { views, ahead, pace: Pace::new(SHARE, Instant::now()), looked, kept, counted }
    }

    /// Works until nobody is left to wake it.
    pub fn run(mut self, woken: &Receiver<()>, closing: &AtomicBool) {
        let mut moving = true;
        while !closing.load(Ordering::Acquire) {
            let waited = if moving {
                woken.recv_timeout(LOOK_INTERVAL)
            } else {
                woken.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            if waited == Err(RecvTimeoutError::Disconnected) {
                return;
            }
            moving = self.look(Instant::now());
        }
    }

    /// Does what it is time for; whether there is, or may soon be, something left.
    fn look(&mut self, now: Instant) -> bool {
        let (moment, frozen) = {
            let current = self.views.look();
            let clock = current.live.profiles.clock();
            (Moment { freezes: current.freezes, clock, applied: current.applied }, current.frozen.is_some())
        };
        let at_rest = std::mem::replace(&mut self.looked, moment) == moment;
        if self.kept != moment && (at_rest || self.pace.is_free(now)) {
            // What has passed meanwhile is looked at anew next time.
            _ = self.keep_up();
            self.kept = moment;
            self.pace.took(now, now.elapsed());
        }
        frozen || self.kept != moment || !at_rest
    }

    /// Brings up all that is to be kept of what is in memory now.
    pub fn keep_up(&mut self) -> Result<(), Fault> {
        let (views, glance) = (Arc::clone(&self.views), Glance::take(&self.views));
        self.counted.retain(|number, _| number + 1 >= glance.number());
        if let Some(frozen) = &glance.below.frozen {
            self.keep_up_side(glance.number().wrapping_sub(1), &Side::Frozen(&frozen.profiles))?;
        }
        self.keep_up_side(glance.number(), &Side::Live(&glance, &views))?;
        match self.ahead {
            Some(bounds) if glance.messages(&views)? >= bounds.records_min => catalogue::hear_ahead(&views, &glance),
            _ => Ok(()),
        }
    }

    fn keep_up_side(&mut self, number: u64, side: &Side<'_>) -> Result<(), Fault> {
        let many = self.many(number, side)?;
        let wanted = self.views.mirrors.all_of(number).into_iter().filter(|(_, mirror)| mirror.read().is_wanted());
        let wanted = wanted.map(|(of, _)| of).filter(|of| !many.contains(of));
        for of in many.iter().copied().chain(wanted) {
            let mirror = self.views.mirrors.of(number, of);
            let room = |bounds: Bounds| bounds.bytes_max.saturating_sub(self.views.mirrors.bytes_but(&mirror));
            let ahead = self.ahead.filter(|_| many.contains(&of)).map(room);
            pass::go(&mirror, side, of, ahead)?;
        }
        Ok(())
    }

    /// The kinds of which an overlay has many records.
    fn many(&mut self, number: u64, side: &Side<'_>) -> Result<Vec<Of>, Fault> {
        let Some(bounds) = self.ahead else { return Ok(Vec::new()) };
        let slots = side.look(|slots| slots.next_number().index())?;
        if slots < bounds.records_min {
            return Ok(Vec::new());
        }
        let counted = self.counted.entry(number).or_default();
        while counted.slots < slots {
            let some = counted.slots..slots.min(counted.slots + LOOK_RECORDS);
            side.look(|slots| counted.count(some.map(|place| slots.key_at(SlotNumber::of_index(place)))))?;
        }
        let many = counted.records.iter().filter(|((_, kind), records)| {
            // Anonymous ids are in no list.
            **records >= bounds.records_min && *kind != RecordKind::Anonymous
        });
        Ok(many.map(|(of, _)| *of).collect())
    }
}

impl Counted {
    fn count<'k>(&mut self, keys: impl Iterator<Item = &'k crate::keys::ProfileKey>) {
        for key in keys {
            *self.records.entry((key.workspace, key.kind)).or_default() += 1;
            self.slots += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_model::{
        id::{Identity, RecordId, WorkspaceId},
        profile::Profile,
        register::Stamp,
        time::Micros,
    };
    use muster_store::lists::{Condition, ListOrder, ListQuery};

    use super::*;
    use crate::{
        engine::Embedded, keys::ProfileKey, lists::columns::Asked, options::Options, slots::Slot, writer::ledger::add,
    };

    const USERS: Of = (WorkspaceId(1), RecordKind::User);

    fn keeper(dir: &std::path::Path, bytes_max: usize) -> (Embedded, Keeper) {
        let options = Options { checkpoint_interval: Duration::from_secs(86_400), ..Options::new(dir) };
        let (engine, _) = Embedded::open(options, Micros(0)).unwrap();
        let keeper = Keeper::new(Arc::clone(&engine.views), Some(Bounds { records_min: 100, bytes_max }));
        (engine, keeper)
    }

    /// Adds users with these ids, each with a number, a text and an address.
    fn add_users(views: &Views, ids: std::ops::Range<u128>) {
        views.change(|current| {
            for id in ids {
                let key = ProfileKey::new(USERS.0, USERS.1, RecordId(id));
                let mut user = Profile::new(USERS.1, key.id, &format!("u{id}"), Micros(id as i64));
                let stamp = Stamp { at: Micros(1), by: Identity(1) };
                for (trait_key, json) in [("logins", "7"), ("role", "\"owner\""), ("email", "\"a@b.c\"")] {
                    user.traits.state(stamp, trait_key, json);
                }
                add(&mut current.live, key, Slot::new(Arc::new(user), None));
            }
        });
    }

    /// Whether nobody would have to look at a record who asks this.
    fn is_made(views: &Views, order: ListOrder, conditions: Vec<Condition>) -> bool {
        let asked = Asked::of(&ListQuery { conditions, ..ListQuery::new(USERS.1, order) });
        let (number, state) = {
            let current = views.look();
            let slots = &current.live.profiles;
            (current.freezes, (slots.clock(), slots.next_number().index()))
        };
        let all = views.mirrors.all_of(number);
        all.into_iter().any(|(of, mirror)| of == USERS && mirror.read().is_fresh(&asked, state))
    }

    fn is_of(key: &str) -> Vec<Condition> {
        vec![Condition::TraitIs { key: key.to_owned(), value: "owner".to_owned() }]
    }

    #[test]
    fn what_lists_may_ask_of_many_records_is_made_and_of_few_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (engine, mut keeper) = keeper(dir.path(), usize::MAX);
        let views = &engine.views;
        add_users(views, 0..99);
        keeper.keep_up().unwrap();
        assert!(views.mirrors.all_of(0).is_empty());
        add_users(views, 99..100);
        assert!(!is_made(views, ListOrder::UpdatedAt, vec![]));
        keeper.keep_up().unwrap();
        for order in [ListOrder::UpdatedAt, ListOrder::CreatedAt].into_iter().chain(ListOrder::FIELDS) {
            assert!(is_made(views, order, vec![]));
        }
        let conditions = [
            is_of("role"),
            vec![Condition::Contains("u".to_owned())],
            vec![Condition::Email("a@b.c".to_owned()), Condition::EmailDomain("b.c".to_owned())],
            vec![Condition::LastSeen { after: None, before: None }],
        ];
        for conditions in conditions {
            assert!(is_made(views, ListOrder::Trait("logins".into()), conditions));
        }
        assert!(!is_made(views, ListOrder::UpdatedAt, is_of("name")), "names differ from record to record");
    }

    /// What has no rank goes before what lists are ordered by, and what somebody asked for stays.
    #[test]
    fn what_nobody_asked_for_is_made_within_a_bound() {
        let made = |bytes_max: usize, asked: bool| {
            let dir = tempfile::tempdir().unwrap();
            let (engine, mut keeper) = keeper(dir.path(), bytes_max);
            let views = &engine.views;
            add_users(views, 0..1_000);
            if asked {
                let (of, glance) = (views.mirrors.of(0, USERS), Glance::take(views));
                let asked = Asked::of(&ListQuery::new(USERS.1, ListOrder::Trait("role".into())));
                drop(crate::lists::mirrors::fresh(&of, &Side::Live(&glance, views), (USERS.0, &asked)).unwrap());
            }
            keeper.keep_up().unwrap();
            let bytes = views.mirrors.of(0, USERS).read().bytes();
            assert!(bytes <= bytes_max || asked, "{bytes}");
            let traits = ["role", "logins"].map(|key| is_made(views, ListOrder::Trait(key.into()), vec![]));
            let texts = is_made(views, ListOrder::UpdatedAt, vec![Condition::Contains("u".to_owned())]);
            (traits, texts, is_made(views, ListOrder::UpdatedAt, vec![]))
        };
        let mut found: Vec<_> =
            (24_000..=120_000).rev().step_by(4_000).map(|bytes_max| made(bytes_max, false)).collect();
        found.dedup();
        let (all, none) = ([true, true], [false, false]);
        let expected = [
            (all, true, true),
            ([false, true], true, true),
            (none, true, true),
            (none, false, true),
            (none, false, false),
        ];
        assert_eq!(found, expected);
        assert_eq!(made(64_000, true).0, [true, false]);
    }

    #[test]
    fn while_something_comes_a_part_of_the_time_is_spent_and_at_rest_all_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let (engine, mut keeper) = keeper(dir.path(), usize::MAX);
        let (views, start) = (&engine.views, Instant::now());
        let made = || is_made(views, ListOrder::UpdatedAt, vec![]);
        add_users(views, 0..100);
        assert!(keeper.look(start) && made(), "nothing was spent yet");
        keeper.pace.took(start, Duration::from_secs(1));
        add_users(views, 100..200);
        assert!(keeper.look(start) && !made());
        assert!(!keeper.look(start) && made(), "nothing came, and nothing is left");
        add_users(views, 200..300);
        assert!(keeper.look(start + Duration::from_secs(3_600)) && made());
        assert!(!keeper.look(start));
    }
}
