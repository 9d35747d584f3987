//! Beginnings of lists gone through before anybody asks for them.
//!
//! Whoever reads a list from its beginning steps over the places that are gone there, and [remembers](crate::lists::gaps) it for
//! those who come later. After a start, when nothing is remembered, that is done for the lists whose places move most; after a
//! checkpoint for those that somebody read lately, and for those of what it changed whose places move. The last ones may take a
//! hundredth of the time while messages come in, since the places that are gone are as many as messages moved; the first look
//! at which none has come goes through all that is left.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use muster_model::{id::WorkspaceId, kind::RecordKind};
use muster_store::lists::ListOrder;
use rustc_hash::FxHashSet;

use super::{
    along::{Along, Stretch},
    entries,
    gaps::{GapBook, List, ORDERS_MAX, Order},
    pace::Pace,
};
use crate::{overlay::Overlay, state::State};

/// Places of a list that are gone through: more than the records of a page.
const PLACES: usize = 200;
/// The part of the time that may be spent unasked while messages come in.
const SHARE: u32 = 100;
/// Orders that a checkpoint has gone through unasked, so that others are remembered as well.
const MOVED_MAX: usize = ORDERS_MAX / 2;

/// Lists whose places move with every message, or with every link.
const MOVING: [(RecordKind, ListOrder); 8] = [
    (RecordKind::User, ListOrder::UpdatedAt),
    (RecordKind::Account, ListOrder::UpdatedAt),
    (RecordKind::Organization, ListOrder::UpdatedAt),
    (RecordKind::User, ListOrder::LastSeen),
    (RecordKind::Account, ListOrder::LastSeen),
    (RecordKind::Account, ListOrder::UsersCount),
    (RecordKind::Organization, ListOrder::UsersCount),
    (RecordKind::Organization, ListOrder::AccountsCount),
];

/// An order and the end that it is read from: the last one if downwards.
pub type Beginning = (Order, bool);

/// What is to be gone through.
#[derive(Debug)]
pub struct Ahead {
    /// Of what somebody may ask soon.
    wanted: VecDeque<Beginning>,
    /// Of what moved, that first which was gone through longest ago.
    moved: VecDeque<Beginning>,
    /// How much may be done of that while messages come in.
    pace: Pace,
    /// The last frame that had been applied at the last look.
    applied: u64,
}

impl Ahead {
    /// After a start: of as many orders as are remembered at the most.
    pub fn after_start(workspaces: &[WorkspaceId], now: Instant) -> Ahead {
        let all = MOVING.iter().flat_map(|(kind, order)| {
            workspaces.iter().flat_map(move |workspace| beginnings(*workspace, *kind, order))
        });
        let wanted = all.take(2 * ORDERS_MAX).collect();
        Ahead { wanted, moved: VecDeque::new(), pace: Pace::new(SHARE, now), applied: 0 }
    }

    /// After a checkpoint, by what somebody read lately.
    pub fn checkpointed(&mut self, overlay: &Overlay, wanted: Vec<Beginning>) {
        let changed: FxHashSet<_> = overlay.profiles.iter().map(|(key, _)| (key.workspace, key.kind)).collect();
        let moved = MOVING.iter().flat_map(|(kind, order)| {
            let changed = changed.iter().filter(move |(_, changed)| changed == kind);
            changed.flat_map(move |(workspace, kind)| beginnings(*workspace, *kind, order))
        });
        self.add(wanted, moved.collect());
    }

    fn add(&mut self, wanted: Vec<Beginning>, moved: Vec<Beginning>) {
        self.moved.retain(|known| !wanted.contains(known));
        for one in moved {
            let known = wanted.contains(&one) || self.moved.contains(&one);
            if !known && self.moved.len() < 2 * MOVED_MAX {
                self.moved.push_back(one);
            }
        }
        self.wanted.retain(|known| !wanted.contains(known));
        self.wanted.extend(wanted);
    }

    /// Whether no message has come since the last look, by the last frame that was applied.
    pub fn at_rest(&mut self, applied: u64) -> bool {
        std::mem::replace(&mut self.applied, applied) == applied
    }

    /// What is next, if it is time for it.
    pub fn next(&mut self, now: Instant, at_rest: bool) -> Option<Beginning> {
        let next = self.wanted.pop_front();
        next.or_else(|| if at_rest || self.pace.is_free(now) { self.moved.pop_front() } else { None })
    }

    /// Notes how long it took.
    pub fn took(&mut self, began: Instant, took: Duration) {
        self.pace.took(began, took);
    }
}

/// Both beginnings of a list.
fn beginnings(workspace: WorkspaceId, kind: RecordKind, order: &ListOrder) -> [Beginning; 2] {
    let order = match entries::field(order) {
        Some(field) => Order::of_field(workspace, kind, field),
        None => Order::of_times(List::Updated, workspace, kind),
    };
    [(order, true), (order, false)]
}

/// Goes through the first places of a list.
pub fn go_through(state: &State, gaps: &Arc<GapBook>, (order, downwards): Beginning) {
    let stretch = Stretch { order, range: order.ends(), after: None, downwards };
    let places = Along::new(state, gaps, &state.database.snapshot(), stretch);
    // What cannot be read is told to whoever asks for it.
    places.take(PLACES).take_while(Result::is_ok).for_each(drop);
}

#[cfg(test)]
mod tests {
    use super::{super::pace::SAVED, *};

    const USER: RecordKind = RecordKind::User;

    fn of(workspace: u32) -> [Beginning; 2] {
        beginnings(WorkspaceId(workspace), USER, &ListOrder::UpdatedAt)
    }

    #[test]
    fn what_moved_takes_a_hundredth_of_the_time_unless_nothing_comes() {
        let start = Instant::now();
        let at = |millis| start + SAVED + Duration::from_millis(millis);
        let mut ahead = Ahead::after_start(&[], start);
        ahead.add(vec![], of(1).to_vec());
        ahead.add(vec![], of(2).to_vec());
        assert_eq!(ahead.next(at(0), false), Some(of(1)[0]));
        // What was saved is spent, and one second more.
        ahead.took(at(0), SAVED / SHARE + Duration::from_millis(10));
        assert_eq!((ahead.next(at(0), false), ahead.next(at(999), false)), (None, None));
        assert_eq!(ahead.next(at(999), true), Some(of(1)[1]));
        assert_eq!(ahead.next(at(1_000), false), Some(of(2)[0]));
        // What comes again waits behind what has waited longer.
        ahead.add(vec![], of(1).to_vec());
        let mut rest = std::iter::from_fn(|| ahead.next(at(1_000), true));
        assert_eq!(rest.by_ref().collect::<Vec<_>>(), [of(2)[1], of(1)[0], of(1)[1]]);
        assert_eq!([ahead.at_rest(3), ahead.at_rest(3), ahead.at_rest(4)], [false, true, false]);
    }

    #[test]
    fn what_is_wanted_goes_first_and_once() {
        let start = Instant::now();
        let mut ahead = Ahead::after_start(&[WorkspaceId(7)], start);
        ahead.took(start, Duration::from_secs(1));
        assert_eq!(ahead.wanted.len(), 2 * MOVING.len());
        ahead.wanted.clear();
        ahead.add(vec![], [of(1), of(2)].concat());
        ahead.add(vec![of(2)[1]], of(2).to_vec());
        ahead.add(vec![of(2)[1], of(3)[0]], vec![]);
        assert_eq!(ahead.next(start, false), Some(of(2)[1]));
        assert_eq!(ahead.next(start, false), Some(of(3)[0]));
        assert_eq!(ahead.next(start, false), None);
        assert_eq!(ahead.moved, [of(1)[0], of(1)[1], of(2)[0]]);
        (0..1_000).for_each(|workspace| ahead.add(vec![], of(workspace).to_vec()));
        assert_eq!(ahead.moved.len(), 2 * MOVED_MAX);
    }
}
