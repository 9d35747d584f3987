//! The newest few of many.

use std::{cmp::Reverse, collections::BinaryHeap};

use muster_model::time::Micros;
use muster_store::history::{Event, EventCursor, EventPage};

/// The newest events offered so far, at most one more than a page holds.
pub struct Newest {
    limit: usize,
    /// The oldest of them on top, with its place in `events`.
    heap: BinaryHeap<Reverse<(EventCursor, usize)>>,
    events: Vec<Option<Event>>,
}

impl Newest {
    /// For a page of `limit` events.
    pub fn new(limit: usize) -> Self {
        Newest { limit, heap: BinaryHeap::new(), events: Vec::new() }
    }

    /// Whether an event at this instant could still get onto the page.
    pub fn may_take(&self, at: Micros) -> bool {
        self.heap.len() <= self.limit || self.heap.peek().is_some_and(|Reverse((oldest, _))| at >= oldest.timestamp)
    }

    /// Offers an event.
    pub fn offer(&mut self, event: Event) {
        let cursor = EventCursor { timestamp: event.timestamp, identity: event.identity };
        self.heap.push(Reverse((cursor, self.events.len())));
        self.events.push(Some(event));
        if self.heap.len() > self.limit + 1
            && let Some(Reverse((_, oldest))) = self.heap.pop()
        {
            self.events[oldest] = None;
        }
    }

    /// The page, newest first.
    pub fn into_page(mut self) -> EventPage {
        let mut places = std::mem::take(&mut self.heap).into_vec();
        places.sort_unstable();
        let more = places.len() > self.limit;
        let mut events: Vec<Event> = places.into_iter().filter_map(|Reverse((_, at))| self.events[at].take()).collect();
        events.truncate(self.limit);
        let next = events.last().filter(|_| more);
        let next = next.map(|event| EventCursor { timestamp: event.timestamp, identity: event.identity });
        EventPage { events, next }
    }
}

/// The instants of a file's candidates, to tell which rows are worth reading whole.
pub struct Instants {
    limit: usize,
    heap: BinaryHeap<Reverse<Micros>>,
}

impl Instants {
    pub fn new(limit: usize) -> Self {
        Instants { limit, heap: BinaryHeap::new() }
    }

    pub fn note(&mut self, at: Micros) {
        self.heap.push(Reverse(at));
        if self.heap.len() > self.limit {
            self.heap.pop();
        }
    }

    /// The earliest instant among the newest; everything earlier is not worth reading.
    pub fn threshold(&self) -> Micros {
        if self.heap.len() < self.limit { Micros::MIN } else { self.heap.peek().map_or(Micros::MIN, |Reverse(at)| *at) }
    }
}

#[cfg(test)]
mod tests {
    use muster_model::id::Identity;

    use super::*;

    fn event(at: i64, identity: u128) -> Event {
        Event {
            identity: Identity(identity),
            timestamp: Micros(at),
            received_at: Micros(0),
            name: String::new(),
            message_id: None,
            user: None,
            account: None,
            organization: None,
            properties: String::new(),
        }
    }

    #[test]
    fn keeps_the_newest_in_order() {
        let mut newest = Newest::new(2);
        for (at, identity) in [(1, 1), (5, 1), (3, 1), (5, 2), (4, 1)] {
            newest.offer(event(at, identity));
        }
        assert!(newest.may_take(Micros(4)) && !newest.may_take(Micros(3)));
        let page = newest.into_page();
        let shown: Vec<(i64, u128)> = page.events.iter().map(|event| (event.timestamp.0, event.identity.0)).collect();
        assert_eq!(shown, [(5, 2), (5, 1)]);
        assert_eq!(page.next.map(|next| (next.timestamp.0, next.identity.0)), Some((5, 1)));
    }

    #[test]
    fn a_page_that_holds_all_has_no_next() {
        let mut newest = Newest::new(2);
        newest.offer(event(1, 1));
        newest.offer(event(2, 1));
        assert_eq!(newest.into_page().next, None);
    }
}
