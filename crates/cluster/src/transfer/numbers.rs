//! Which number of arrival a message gets that is taken over. Knows nothing of where it lies then.

use muster_store::transfer::Received;
use rustc_hash::FxHashMap;

/// Numbers of arrival between two parts of the history.
const PART_NUMBERS: i64 = 1 << 40;

/// Which number of arrival each message gets.
#[derive(Default)]
pub struct Numbers {
    /// Where parts of the history begin: after these, in order.
    pub parts: Vec<Received>,
    /// How many messages there are in each part so far; of none before the first number is given.
    given: Vec<i64>,
    /// What followers have not had, by the order in which they get it, and how much that is: a message that was taken back and came
    /// again with its time of receipt is counted each time.
    pending: FxHashMap<Received, i64>,
    pended: i64,
}

impl Numbers {
    /// Nothing more is said of parts.
    pub fn begin(&mut self) {
        if self.given.is_empty() {
            self.parts.sort_unstable();
            self.parts.dedup();
            self.given = vec![0; self.parts.len() + 1];
        }
    }

    /// Followers get this one next, of what they have not had.
    pub fn pend(&mut self, received: Received) {
        self.pending.insert(received, self.pended);
        self.pended += 1;
    }

    /// Whether there is anything that they have not had.
    pub fn has_pending(&self) -> bool {
        self.pended > 0
    }

    /// The last number that is kept for what followers have not had.
    pub fn last_pending(&self) -> i64 {
        if self.has_pending() { self.before_pending() + self.pended } else { 0 }
    }

    /// The last number before a part, in which all is received after an instant.
    pub fn before(&self, after: Received) -> i64 {
        self.parts.partition_point(|begins| *begins <= after) as i64 * PART_NUMBERS
    }

    /// The last number before what followers have not had.
    pub fn before_pending(&self) -> i64 {
        (self.parts.len() as i64 + 1) * PART_NUMBERS
    }

    /// The number of a message, and whether followers have not had it.
    pub fn of(&mut self, received: Received) -> (i64, bool) {
        self.begin();
        if let Some(place) = self.pending.remove(&received) {
            return (self.before_pending() + 1 + place, true);
        }
        let part = self.parts.partition_point(|begins| *begins < received);
        self.given[part] += 1;
        (part as i64 * PART_NUMBERS + self.given[part], false)
    }

    /// The last number that was given outside of what is pending.
    pub fn last(&self) -> i64 {
        let last = self.given.iter().rposition(|given| *given > 0);
        last.map_or(0, |part| part as i64 * PART_NUMBERS + self.given[part])
    }
}

#[cfg(test)]
mod tests {
    use muster_model::{id::Identity, time::Micros};

    use super::*;

    fn received(at: i64) -> Received {
        (Micros(at), Identity(1))
    }

    #[test]
    fn numbers_are_one_after_the_other_where_nobody_lags() {
        let mut numbers = Numbers::default();
        assert_eq!([5, 3, 9].map(|at| numbers.of(received(at))), [(1, false), (2, false), (3, false)]);
        assert_eq!(numbers.last(), 3);
    }

    #[test]
    fn what_a_follower_has_not_had_is_numbered_after_what_it_has_had() {
        let mut numbers = Numbers { parts: vec![received(7), received(4), received(7)], ..Numbers::default() };
        [20, 3].into_iter().for_each(|at| numbers.pend(received(at)));
        let given = [1, 4, 5, 8, 3, 20, 7].map(|at| numbers.of(received(at)));
        let (history, pending) = given.split_at(4);
        assert!(history.iter().all(|(_, pending)| !pending));
        assert_eq!(pending[..2], [(3 * PART_NUMBERS + 2, true), (3 * PART_NUMBERS + 1, true)]);
        let before = |at| numbers.before(received(at));
        // Of what was received at 1 and 4 nobody is told again who has had everything up to 4; then come 5 and 7, and 8.
        assert!(given[0].0 <= before(4) && given[1].0 <= before(4) && given[2].0 > before(4));
        assert!(given[2].0 <= before(7) && given[6].0 <= before(7) && given[3].0 > before(7));
        assert!(before(7) < numbers.last() && numbers.last() < numbers.before_pending());
        // One that comes twice has its last place, and those after it keep theirs.
        let mut twice = Numbers::default();
        [1, 2, 1, 3].into_iter().for_each(|at| twice.pend(received(at)));
        let places = [1, 2, 3].map(|at| twice.of(received(at)).0 - twice.before_pending());
        assert_eq!((places, twice.has_pending()), ([3, 2, 4], true));
    }
}
