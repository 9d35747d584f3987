//! Stretches of an order on disk in which no place is left, remembered so that nobody steps over them twice.
//!
//! What a checkpoint removes stays in the tables of the state store until these are merged, and whoever reads along an order
//! steps over all of it: of a list whose oldest places have all moved, that is nearly everything. A step that took long is
//! kept here with where it began and where it ended, and the next reader goes from the one to the other at once. What is
//! kept is true of the disk as it was when it was found and from then on: a checkpoint takes out the places that it puts
//! in before anybody can see them. Nothing is kept over a restart, and nothing depends on what is: it only saves steps.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fjall::Snapshot;
use muster_model::{
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    time::Micros,
};
use muster_store::lists::values;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::keys::{self, TimePlace};

/// Orders that something is kept of.
pub const ORDERS_MAX: usize = 64;
/// Gaps that are kept of an order: more than the records of a page.
const GAPS_MAX: usize = 256;
/// Checkpoints after which an order that nobody read meanwhile is gone through no more.
const WANTED_CHECKPOINTS: u8 = 3;
/// Places that are put in under one lock.
const FILLED_AT_ONCE: usize = 4_096;

/// An order on disk: one of the lists of places, and with what its keys begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    pub list: List,
    workspace: WorkspaceId,
    kind: RecordKind,
    field: u64,
}

/// A list of places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum List {
    Created,
    Updated,
    Field,
}

impl Order {
    /// By times of receipt.
    pub fn of_times(list: List, workspace: WorkspaceId, kind: RecordKind) -> Order {
        Order { list, workspace, kind, field: 0 }
    }

    /// By a field.
    pub fn of_field(workspace: WorkspaceId, kind: RecordKind, field: u64) -> Order {
        Order { list: List::Field, workspace, kind, field }
    }

    /// The order that a place belongs to.
    fn of_place(list: List, key: &[u8]) -> Option<Order> {
        let (workspace, rest) = key.split_first_chunk()?;
        let (&[kind], rest) = rest.split_first_chunk()?;
        let field = if list == List::Field { u64::from_be_bytes(*rest.first_chunk()?) } else { 0 };
        let (workspace, kind) = (WorkspaceId(u32::from_be_bytes(*workspace)), RecordKind::from_number(kind)?);
        Some(Order { list, workspace, kind, field })
    }

    /// Its first and its last place, so far as it is read as an order: a list by a field goes on with records that have no value.
    pub fn ends(&self) -> (Vec<u8>, Vec<u8>) {
        let (workspace, kind) = (self.workspace, self.kind);
        match self.list {
            List::Created | List::Updated => {
                let place = |at, id| keys::list_key(workspace, kind, TimePlace { at, id: RecordId(id) }).to_vec();
                (place(Micros::MAX, 0), place(Micros::MIN, u128::MAX))
            }
            List::Field => {
                let place = |value, id| keys::field_key(workspace, kind, self.field, value, RecordId(id)).to_vec();
                (place(values::RANKED.0, 0), place(values::RANKED.1, u128::MAX))
            }
        }
    }
}

/// Two places between which there is none. They themselves may be there or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    from: Box<[u8]>,
    to: Box<[u8]>,
    /// The number of the last change of the disk in which it was found.
    since: u64,
    /// How long it took to step over it, halved with each checkpoint since: what lies in it may have gone from the tables.
    nanos: u64,
}

/// Gaps of an order, the first one first; they do not overlap.
pub type Gaps = Arc<Vec<Gap>>;

/// Where a reader at a place may go on that reads the keys upwards, without having missed anything that was there at that change.
pub fn skip_up<'g>(gaps: &'g [Gap], at: &[u8], change: u64) -> Option<&'g [u8]> {
    let gap = &gaps[gaps.partition_point(|gap| &*gap.from <= at).checked_sub(1)?];
    (&*gap.to > at && gap.since <= change).then_some(&gap.to)
}

/// The same for one that reads them downwards.
pub fn skip_down<'g>(gaps: &'g [Gap], at: &[u8], change: u64) -> Option<&'g [u8]> {
    let gap = &gaps[gaps.partition_point(|gap| &*gap.from < at).checked_sub(1)?];
    (&*gap.to >= at && gap.since <= change).then_some(&gap.from)
}

/// All that is kept.
#[derive(Debug, Default)]
pub struct GapBook {
    held: Mutex<Held>,
    /// A step that takes so many nanoseconds is remembered.
    long_step_nanos: AtomicU64,
}

#[derive(Debug, Default)]
struct Held {
    /// A checkpoint is putting places in.
    changing: bool,
    /// The number of the last change of the disk that put places in.
    changed: u64,
    orders: FxHashMap<Order, Kept>,
    /// Counts looks and finds, for telling which order was used last.
    count: u64,
}

#[derive(Debug, Default)]
struct Kept {
    gaps: Gaps,
    used: u64,
    /// For how many checkpoints more it is gone through from either end, upwards and downwards.
    wanted: [u8; 2],
}

impl GapBook {
    /// Says which steps are worth remembering: those that take so long.
    pub fn remember_from(&self, step: Duration) {
        self.long_step_nanos.store(u64::try_from(step.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Whether a step is worth remembering.
    pub fn is_long(&self, step: Duration) -> bool {
        step.as_nanos() >= u128::from(self.long_step_nanos.load(Ordering::Relaxed))
    }

    /// What is known of an order by whoever reads along it.
    pub fn of(&self, order: Order) -> Gaps {
        let mut held = self.held.lock();
        held.count += 1;
        let now = held.count;
        let Some(kept) = held.orders.get_mut(&order) else { return Gaps::default() };
        kept.used = now;
        Arc::clone(&kept.gaps)
    }

    /// Notes that somebody reads an order from one of its ends.
    pub fn want(&self, order: Order, downwards: bool) {
        if let Some(kept) = self.held.lock().orders.get_mut(&order) {
            kept.wanted[usize::from(downwards)] = WANTED_CHECKPOINTS;
        }
    }

    /// The orders, and from which ends, that somebody read lately and something is kept of. To be asked once after each checkpoint.
    pub fn wanted(&self) -> Vec<(Order, bool)> {
        let mut wanted = Vec::new();
        for (order, kept) in &mut self.held.lock().orders {
            Arc::make_mut(&mut kept.gaps).iter_mut().for_each(|gap| gap.nanos /= 2);
            for (downwards, left) in [false, true].into_iter().zip(&mut kept.wanted) {
                if *left > 0 {
                    wanted.push((*order, downwards));
                    *left -= 1;
                }
            }
        }
        wanted
    }

    /// Remembers that a reader found no place between these two, and took so long for it. What was put in since it began to read
    /// makes it void.
    pub fn remember(&self, order: Order, snapshot: &Snapshot, (from, to): (&[u8], &[u8]), step: Duration) {
        self.found(order, snapshot.seqno(), (from, to), step);
    }

    fn found(&self, order: Order, change: u64, (from, to): (&[u8], &[u8]), step: Duration) {
        let mut held = self.held.lock();
        if held.changing || change < held.changed || from >= to {
            return;
        }
        held.count += 1;
        let now = held.count;
        let kept = held.orders.entry(order).or_default();
        kept.used = now;
        let nanos = u64::try_from(step.as_nanos()).unwrap_or(u64::MAX);
        add(Arc::make_mut(&mut kept.gaps), Gap { from: from.into(), to: to.into(), since: change, nanos });
        if held.orders.len() > ORDERS_MAX
            && let Some(oldest) = held.orders.iter().min_by_key(|(_, kept)| kept.used).map(|(order, _)| *order)
        {
            held.orders.remove(&oldest);
        }
    }

    /// To be called before a checkpoint makes any place visible: from here on nothing is remembered.
    pub fn begin(&self) {
        self.held.lock().changing = true;
    }

    /// Takes out places that are put in. To be called after [`GapBook::begin`] and before anybody can see them.
    pub fn fill<'k>(&self, list: List, keys: impl IntoIterator<Item = &'k [u8]>) {
        let mut keys = keys.into_iter().peekable();
        while keys.peek().is_some() {
            let mut held = self.held.lock();
            let some = keys.by_ref().take(FILLED_AT_ONCE);
            if held.orders.is_empty() {
                return;
            }
            for key in some {
                if let Some(kept) = Order::of_place(list, key).and_then(|order| held.orders.get_mut(&order)) {
                    take_out(&mut kept.gaps, key);
                }
            }
        }
    }

    /// To be called when all that a checkpoint puts in can be seen, with the number of the disk's last change.
    pub fn end(&self, snapshot: &Snapshot) {
        self.ended(snapshot.seqno());
    }

    fn ended(&self, change: u64) {
        let mut held = self.held.lock();
        (held.changing, held.changed) = (false, change);
    }
}

/// Adds a gap, as one with those that it overlaps.
fn add(gaps: &mut Vec<Gap>, mut new: Gap) {
    let first = gaps.partition_point(|gap| gap.to <= new.from);
    let behind = gaps.partition_point(|gap| gap.from < new.to);
    for gap in gaps.drain(first..behind) {
        new.since = new.since.max(gap.since);
        new.nanos = new.nanos.saturating_add(gap.nanos);
        if gap.from < new.from {
            new.from = gap.from;
        }
        if gap.to > new.to {
            new.to = gap.to;
        }
    }
    gaps.insert(first, new);
    keep_bound(gaps);
}

/// Takes a place out of the gap that it lies in.
fn take_out(gaps: &mut Gaps, key: &[u8]) {
    let Some(at) = gaps.partition_point(|gap| &*gap.from < key).checked_sub(1) else { return };
    if &*gaps[at].to <= key {
        return;
    }
    let gaps = Arc::make_mut(gaps);
    let rest = Gap { from: key.into(), ..gaps[at].clone() };
    gaps[at].to = key.into();
    gaps.insert(at + 1, rest);
    keep_bound(gaps);
}

/// Forgets the gap that saves least if there are too many.
fn keep_bound(gaps: &mut Vec<Gap>) {
    if gaps.len() > GAPS_MAX
        && let Some(least) = (0..gaps.len()).min_by_key(|at| gaps[*at].nanos)
    {
        gaps.remove(least);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const STEP: Duration = Duration::from_micros(5);

    fn order() -> Order {
        Order::of_field(WorkspaceId(1), RecordKind::User, 7)
    }

    /// The place with a number.
    fn place(number: u16) -> Vec<u8> {
        let mut value = values::RANKED.0;
        value[7..].copy_from_slice(&number.to_be_bytes());
        keys::field_key(WorkspaceId(1), RecordKind::User, 7, value, RecordId(1)).to_vec()
    }

    fn number(key: &[u8]) -> u16 {
        u16::from_be_bytes([key[20], key[21]])
    }

    #[test]
    fn the_gap_that_saves_least_goes_first() {
        let book = GapBook::default();
        let gap = |number: u16, step| book.found(order(), 0, (&place(2 * number), &place(2 * number + 1)), step);
        let starts = || -> Vec<u16> { book.of(order()).iter().map(|gap| number(&gap.from) / 2).collect() };
        for number in 0..=GAPS_MAX as u16 {
            gap(number, if number == 7 { STEP / 2 } else { STEP });
        }
        assert!(starts().len() == GAPS_MAX && !starts().contains(&7));
        // What was found a while ago counts for less.
        book.wanted();
        gap(1_000, STEP - Duration::from_nanos(1));
        assert!(starts().len() == GAPS_MAX && starts().contains(&1_000));
        // One that takes in others saves what they did.
        book.found(order(), 0, (&place(0), &place(500)), Duration::ZERO);
        (3_000..3_000 + GAPS_MAX as u16).for_each(|number| gap(number, STEP));
        assert!(starts().len() == GAPS_MAX && starts()[0] == 0);
    }

    #[test]
    fn what_was_put_in_meanwhile_makes_a_find_void() {
        let book = GapBook::default();
        let skip = |at, change| skip_up(&book.of(order()), &place(at), change).map(number);
        book.found(order(), 5, (&place(1), &place(9)), STEP);
        assert_eq!((skip(1, 5), skip(4, 6), skip(9, 5), skip(0, 5)), (Some(9), Some(9), None, None));
        assert_eq!(skip(1, 4), None, "whoever looks at the disk as it was before");
        book.begin();
        book.found(order(), 6, (&place(20), &place(30)), STEP);
        book.fill(List::Field, [place(3).as_slice(), &place(25)]);
        book.ended(8);
        book.found(order(), 7, (&place(20), &place(30)), STEP);
        assert_eq!((skip(1, 8), skip(3, 8), skip(20, 8)), (Some(3), Some(9), None));
        book.found(order(), 8, (&place(20), &place(30)), STEP);
        assert_eq!(skip(20, 8), Some(30));
        assert_eq!(skip_down(&book.of(order()), &place(30), 8).map(number), Some(20));
        assert_eq!(skip_down(&book.of(order()), &place(20), 8), None);
        let other = Order::of_times(List::Updated, WorkspaceId(1), RecordKind::User);
        assert_eq!(*book.of(other), []);
    }

    #[test]
    fn orders_that_are_read_are_wanted_for_some_checkpoints() {
        let book = GapBook::default();
        book.want(order(), true);
        assert_eq!(book.wanted(), [], "nothing is known of it, so it takes no time");
        book.found(order(), 0, (&place(1), &place(2)), STEP);
        book.want(order(), true);
        for _ in 0..WANTED_CHECKPOINTS {
            assert_eq!(book.wanted(), [(order(), true)]);
        }
        assert_eq!(book.wanted(), []);
        for field in 0..2 * ORDERS_MAX as u64 {
            book.found(Order::of_field(WorkspaceId(1), RecordKind::User, field), 0, (&place(1), &place(2)), STEP);
        }
        assert_eq!(book.held.lock().orders.len(), ORDERS_MAX);
    }

    /// Places come and go, gaps are found where none is, by readers of the disk as it is and as it was; no gap ever holds a place
    /// of a disk that it counts for.
    #[test]
    fn no_gap_holds_a_place() {
        let book = GapBook::default();
        let mut disks: Vec<BTreeSet<u16>> = vec![(0..256).step_by(8).collect()];
        let mut seed: u64 = 11;
        let mut dice = |sides: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % sides
        };
        for _ in 0..5_000 {
            let now = disks.len() - 1;
            match dice(12) {
                0 => {
                    let mut next = disks[now].clone();
                    let new: Vec<u16> = (0..dice(4)).map(|_| dice(256) as u16).collect();
                    (0..dice(6)).for_each(|_| _ = next.remove(&(dice(256) as u16)));
                    next.extend(&new);
                    book.begin();
                    let keys: Vec<Vec<u8>> = new.iter().map(|number| place(*number)).collect();
                    book.fill(List::Field, keys.iter().map(Vec::as_slice));
                    disks.push(next);
                    book.ended(disks.len() as u64 - 1);
                }
                _ => {
                    let seen = now - (dice(3) as usize).min(now);
                    let from = dice(255) as u16;
                    let to = disks[seen].range(from + 1..).next().copied().unwrap_or(255);
                    book.found(order(), seen as u64, (&place(from), &place(to)), STEP);
                }
            }
            let gaps = book.of(order());
            assert!(gaps.len() <= GAPS_MAX && gaps.is_sorted_by(|one, other| one.to <= other.from));
            for gap in gaps.iter() {
                let (from, to) = (number(&gap.from), number(&gap.to));
                for disk in &disks[gap.since as usize..] {
                    assert_eq!(disk.range(from + 1..to).next(), None, "from {from} to {to}");
                }
            }
        }
        assert!(book.of(order()).len() > 10);
    }
}
