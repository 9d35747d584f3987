//! Reading the places of an order, one after the other, upwards or downwards.
//!
//! Shows every place that there was when the reader's snapshot was taken, within a range, each once. Steps over
//! [what is known to be gone](crate::lists::gaps) at once, and remembers where a step took long.

use std::{ops::Bound, sync::Arc, time::Instant};

use fjall::{Iter, Keyspace, Readable, Slice, Snapshot};
use muster_store::error::ReadError;

use super::gaps::{GapBook, Gaps, List, Order, skip_down, skip_up};
use crate::{error::state_failed, state::State};

/// What is read.
#[derive(Clone, Debug)]
pub struct Stretch {
    pub order: Order,
    /// The first and the last key, both included.
    pub range: (Vec<u8>, Vec<u8>),
    /// Behind which key, in the order of reading.
    pub after: Option<Vec<u8>>,
    /// Whether it is read from the last key on.
    pub downwards: bool,
}

/// Keys of places.
pub struct Along {
    keyspace: Keyspace,
    snapshot: Snapshot,
    book: Arc<GapBook>,
    gaps: Gaps,
    order: Order,
    downwards: bool,
    /// The key read last, or one before the first: what follows is behind it.
    at: Vec<u8>,
    /// Where reading ends, before this key.
    end: Vec<u8>,
    entries: Option<Iter>,
    done: bool,
}

impl Along {
    pub fn new(state: &State, book: &Arc<GapBook>, snapshot: &Snapshot, stretch: Stretch) -> Along {
        let Stretch { order, range: (mut first, mut last), after, downwards } = stretch;
        // With their bounds left out, ranges and gaps are of one kind. Keys of an order are of one length, and the first one of a
        // range is of the least id.
        debug_assert_eq!(first.last(), Some(&0), "no key lies between this one and the one without its last byte");
        first.pop();
        last.push(0);
        let (at, end) = match (after, downwards) {
            (None, false) => (first, last),
            (None, true) => (last, first),
            (Some(after), false) => (after.max(first), last),
            (Some(after), true) => (after.min(last), first),
        };
        let keyspace = match order.list {
            List::Created => &state.by_created,
            List::Updated => &state.by_updated,
            List::Field => &state.by_field,
        };
        Along {
            keyspace: keyspace.clone(),
            snapshot: snapshot.clone(),
            book: Arc::clone(book),
            gaps: book.of(order),
            order,
            downwards,
            at,
            end,
            entries: None,
            done: false,
        }
    }

    fn step(&mut self) -> Option<Result<Slice, ReadError>> {
        let change = self.snapshot.seqno();
        let skip = if self.downwards { skip_down } else { skip_up }(&self.gaps, &self.at, change);
        if skip.is_some() || self.entries.is_none() {
            let near = skip.map_or_else(|| Bound::Excluded(&*self.at), Bound::Included);
            let far = Bound::Excluded(&*self.end);
            let (from, to) = if self.downwards { (far, near) } else { (near, far) };
            if is_empty(from, to) {
                return None;
            }
            self.entries = Some(self.snapshot.range::<&[u8], _>(&self.keyspace, (from, to)));
        }
        let entries = self.entries.as_mut()?;
        let entry = if self.downwards { entries.next_back() } else { entries.next() }?;
        Some(entry.key().map_err(|error| state_failed(&error)))
    }
}

impl Iterator for Along {
    type Item = Result<Slice, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let began = Instant::now();
        let found = self.step();
        let reached: &[u8] = match &found {
            Some(Ok(key)) => key,
            Some(Err(_)) => {
                self.done = true;
                return found;
            }
            None => &self.end,
        };
        let took = began.elapsed();
        if self.book.is_long(took) {
            let between = if self.downwards { (reached, &*self.at) } else { (&*self.at, reached) };
            self.book.remember(self.order, &self.snapshot, between, took);
        }
        match &found {
            Some(Ok(key)) => {
                self.at.clear();
                self.at.extend_from_slice(key);
            }
            _ => self.done = true,
        }
        found
    }
}

fn is_empty(from: Bound<&[u8]>, to: Bound<&[u8]>) -> bool {
    match (from, to) {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => from >= to,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}
