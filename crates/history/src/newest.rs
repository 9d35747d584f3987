//! The newest few of many.

use std::{cmp::Reverse, collections::BinaryHeap};

use muster_model::{id::Identity, time::Micros};
use muster_store::history::EventCursor;

/// The newest items offered so far, at most one more than a page holds.
pub struct Newest<T> {
    limit: usize,
    /// The oldest of them on top, with its place in `items`.
    heap: BinaryHeap<Reverse<(EventCursor, usize)>>,
    items: Vec<Option<T>>,
}

impl<T> Newest<T> {
    /// For a page of `limit` items.
    pub fn new(limit: usize) -> Self {
        Newest { limit, heap: BinaryHeap::new(), items: Vec::new() }
    }

    /// Whether an item at this instant could still get onto the page.
    pub fn may_take(&self, at: Micros) -> bool {
        self.heap.len() <= self.limit || self.heap.peek().is_some_and(|Reverse((oldest, _))| at >= oldest.timestamp)
    }

    /// How many there are so far, at most one more than a page holds.
    pub fn held(&self) -> usize {
        self.heap.len()
    }

    /// Offers an item that stands at a place.
    pub fn offer(&mut self, place: EventCursor, item: T) {
        self.heap.push(Reverse((place, self.items.len())));
        self.items.push(Some(item));
        if self.heap.len() > self.limit + 1
            && let Some(Reverse((_, oldest))) = self.heap.pop()
        {
            self.items[oldest] = None;
        }
    }

    /// The page, newest first, and where the next one starts. Where not everything was looked at, the page ends after
    /// `complete_after`: what is later than that instant has been seen whole.
    pub fn into_page(mut self, complete_after: Option<Micros>) -> (Vec<T>, Option<EventCursor>) {
        let mut places = std::mem::take(&mut self.heap).into_vec();
        places.sort_unstable();
        let more = places.len() > self.limit;
        places.truncate(self.limit);
        let mut next = places.last().filter(|_| more).map(|Reverse((place, _))| *place);
        if let Some(after) = complete_after.filter(|after| next.is_none_or(|next| next.timestamp <= *after)) {
            places.retain(|Reverse((place, _))| place.timestamp > after);
            next = Some(EventCursor { timestamp: after, identity: Identity(u128::MAX) });
        }
        (places.into_iter().filter_map(|Reverse((_, at))| self.items[at].take()).collect(), next)
    }
}

/// Offers candidates, each an instant and a place, newest first and as long as they may get onto the page. `offer` is
/// given the places of some of them, sorted.
pub fn offer_newest<T, P: Ord, E>(
    mut candidates: Vec<(Micros, P)>,
    newest: &mut Newest<T>,
    mut offer: impl FnMut(&[P], &mut Newest<T>) -> Result<(), E>,
) -> Result<(), E> {
    let mut take = newest.limit + 1;
    loop {
        candidates.retain(|(at, _)| newest.may_take(*at));
        if candidates.is_empty() {
            return Ok(());
        }
        take = take.min(candidates.len());
        if take < candidates.len() {
            candidates.select_nth_unstable_by_key(take - 1, |(at, _)| Reverse(*at));
        }
        let mut places: Vec<P> = candidates.drain(..take).map(|(_, place)| place).collect();
        places.sort_unstable();
        offer(&places, newest)?;
        // When few of them belong, larger and larger parts are tried.
        take *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(at: i64, identity: u128) -> EventCursor {
        EventCursor { timestamp: Micros(at), identity: Identity(identity) }
    }

    /// A page of `limit` of what is offered: instants and identities.
    fn page(
        limit: usize,
        offered: &[(i64, u128)],
        complete_after: Option<i64>,
    ) -> (Vec<(i64, u128)>, Option<EventCursor>) {
        let mut newest = Newest::new(limit);
        offered.iter().for_each(|(at, identity)| newest.offer(place(*at, *identity), (*at, *identity)));
        newest.into_page(complete_after.map(Micros))
    }

    #[test]
    fn keeps_the_newest_in_order() {
        let offered = [(1, 1), (5, 1), (3, 1), (5, 2), (4, 1)];
        assert_eq!(page(2, &offered, None), (vec![(5, 2), (5, 1)], Some(place(5, 1))));
        let mut newest = Newest::new(2);
        offered.iter().for_each(|(at, identity)| newest.offer(place(*at, *identity), ()));
        assert!(newest.may_take(Micros(4)) && !newest.may_take(Micros(3)));
    }

    #[test]
    fn a_page_that_holds_all_has_no_next() {
        assert_eq!(page(2, &[(1, 1), (2, 1)], None), (vec![(2, 1), (1, 1)], None));
    }

    #[test]
    fn a_page_of_what_was_seen_whole_goes_on_from_there() {
        let offered = [(9, 1), (7, 1), (3, 1)];
        let end = |at| Some(place(at, u128::MAX));
        assert_eq!(page(2, &offered, Some(5)), (vec![(9, 1), (7, 1)], Some(place(7, 1))));
        assert_eq!(page(2, &offered, Some(7)), (vec![(9, 1)], end(7)));
        assert_eq!(page(2, &offered, Some(9)), (vec![], end(9)));
        assert_eq!(page(5, &offered, Some(1)), (vec![(9, 1), (7, 1), (3, 1)], end(1)));
    }

    #[test]
    fn candidates_are_offered_newest_first_until_the_page_is_full() {
        let candidates: Vec<(Micros, u64)> = (0..100).map(|n| (Micros((n * 37 % 100) as i64), n)).collect();
        let mut newest = Newest::new(3);
        let mut offered = 0;
        offer_newest(candidates, &mut newest, |places, newest| {
            offered += places.len();
            // Every other candidate belongs.
            for at in places.iter().map(|n| (n * 37 % 100) as i64).filter(|at| at % 2 == 0) {
                newest.offer(place(at, 1), at);
            }
            Ok::<(), ()>(())
        })
        .unwrap();
        assert_eq!(newest.into_page(None).0, [98, 96, 94]);
        assert!(offered < 20, "{offered}");
    }
}
