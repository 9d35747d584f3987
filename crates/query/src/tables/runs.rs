//! Many short records in order.
//!
//! A record is a few numbers of 32 bits, packed so that records compare as their numbers do, the first one first. They are
//! gathered in memory and sorted once, on two threads where there are many: each sorts a half, and the halves are merged as
//! they are read. Nothing is written anywhere; whoever gathers asks how many bytes they will take before there are more of them.

use std::thread;

/// Numbers in a record, at the most.
pub const NUMBERS_MAX: usize = 2 * WORDS_MAX;
const WORDS_MAX: usize = 4;
/// Records that are sorted on one thread.
const ALONE_MAX: usize = 50_000;
/// The part by which room grows.
const GROWTH_PART: usize = 4;

/// A record: two numbers in each word, what comes first in the higher half. What is left over is 0.
pub type Record = [u64; WORDS_MAX];

/// A number of a record.
pub fn number(record: &Record, at: usize) -> u32 {
    let shift = if at.is_multiple_of(2) { 32 } else { 0 };
    (record[at / 2] >> shift) as u32
}

/// Sets a number of a record in which it is still 0.
pub fn put(record: &mut Record, at: usize, number: u32) {
    let shift = if at.is_multiple_of(2) { 32 } else { 0 };
    record[at / 2] |= u64::from(number) << shift;
}

/// Bytes that a record with so many numbers takes.
pub fn record_bytes(numbers: usize) -> usize {
    numbers.div_ceil(2).max(1) * size_of::<u64>()
}

/// Records that are gathered, then sorted, then read.
pub trait Runs: Send {
    /// Bytes that are held once so many more records came together.
    fn bytes_with(&self, more: usize) -> usize;

    /// Takes records, which come together.
    fn extend(&mut self, records: &[Record]);

    /// Puts other records in place of all of them, then sorts them.
    fn sort(&mut self, change: &(dyn Fn(&mut Record) + Sync));

    /// The next record in order.
    fn next(&mut self) -> Option<Record>;
}

/// Room for records of so many numbers; how many there will be about, and how many there may be.
pub fn runs(numbers: usize, count: usize, most: usize) -> Box<dyn Runs> {
    match numbers.div_ceil(2) {
        0 | 1 => Box::new(Halves::<1>::new(count, most)),
        2 => Box::new(Halves::<2>::new(count, most)),
        3 => Box::new(Halves::<3>::new(count, most)),
        _ => Box::new(Halves::<WORDS_MAX>::new(count, most)),
    }
}

/// Records of some words.
struct Halves<const WORDS: usize> {
    records: Vec<[u64; WORDS]>,
    /// Where the next record of the first and of the second half stands.
    next: (usize, usize),
    middle: usize,
    /// Records that room is made for in advance, at the most.
    most: usize,
}

impl<const WORDS: usize> Halves<WORDS> {
    fn new(count: usize, most: usize) -> Self {
        Halves { records: Vec::with_capacity(count), next: (0, 0), middle: 0, most }
    }

    /// Records that there is room for once there are so many more. Room grows by a part and not to twice as much, since what is
    /// not used yet counts as well.
    fn room_with(&self, more: usize) -> usize {
        let (len, room) = (self.records.len(), self.records.capacity());
        if len + more <= room { room } else { (len + more).max((room + room / GROWTH_PART).min(self.most)) }
    }
}

fn widened<const WORDS: usize>(narrow: &[u64; WORDS]) -> Record {
    let mut record = [0; WORDS_MAX];
    record[..WORDS].copy_from_slice(narrow);
    record
}

fn narrowed<const WORDS: usize>(record: &Record) -> [u64; WORDS] {
    std::array::from_fn(|word| record[word])
}

fn arrange<const WORDS: usize>(records: &mut [[u64; WORDS]], change: &(dyn Fn(&mut Record) + Sync)) {
    for narrow in records.iter_mut() {
        let mut record = widened(narrow);
        change(&mut record);
        *narrow = narrowed(&record);
    }
    records.sort_unstable();
}

impl<const WORDS: usize> Runs for Halves<WORDS> {
    fn bytes_with(&self, more: usize) -> usize {
        self.room_with(more) * size_of::<[u64; WORDS]>()
    }

    fn extend(&mut self, records: &[Record]) {
        let room = self.room_with(records.len());
        self.records.reserve_exact(room - self.records.len());
        self.records.extend(records.iter().map(narrowed));
    }

    fn sort(&mut self, change: &(dyn Fn(&mut Record) + Sync)) {
        self.middle = if self.records.len() > ALONE_MAX { self.records.len() / 2 } else { self.records.len() };
        let (first, second) = self.records.split_at_mut(self.middle);
        if second.is_empty() {
            arrange(first, change);
        } else {
            thread::scope(|scope| {
                scope.spawn(|| arrange(second, change));
                arrange(first, change);
            });
        }
        self.next = (0, self.middle);
    }

    fn next(&mut self) -> Option<Record> {
        let (first, second) = self.next;
        let first_left = (first < self.middle).then(|| &self.records[first]);
        let record = match (first_left, self.records.get(second)) {
            (Some(one), Some(other)) if other < one => other,
            (Some(one), _) => {
                self.next.0 += 1;
                return Some(widened(one));
            }
            (None, Some(other)) => other,
            (None, None) => return None,
        };
        self.next.1 += 1;
        Some(widened(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(numbers: usize, count: usize) {
        let mut runs = runs(numbers, 0, usize::MAX);
        let mut expected = Vec::new();
        let mut seed: u64 = 7;
        for _ in 0..count {
            let mut record = [0; WORDS_MAX];
            let mut values = Vec::new();
            for at in 0..numbers {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Few values, so that later numbers decide, and large ones.
                let value = ((seed >> 33) % 7) as u32 * 600_000_000;
                put(&mut record, at, value);
                values.push(u32::MAX - value);
            }
            runs.extend(&[record]);
            expected.push(values);
        }
        let bytes = count * record_bytes(numbers);
        assert!((bytes..=bytes + bytes / GROWTH_PART + record_bytes(numbers)).contains(&runs.bytes_with(0)));
        runs.sort(&|record| {
            let mut turned = [0; WORDS_MAX];
            (0..numbers).for_each(|at| put(&mut turned, at, u32::MAX - number(record, at)));
            *record = turned;
        });
        expected.sort_unstable();
        let read = std::iter::from_fn(|| runs.next());
        let read = read.map(|record| (0..numbers).map(|at| number(&record, at)).collect::<Vec<u32>>());
        assert!(read.eq(expected), "{numbers} numbers, {count} records");
    }

    #[test]
    fn what_is_held_is_what_was_said_before() {
        let mut halves = Halves::<1>::new(10, 1_500);
        let size = size_of::<[u64; 1]>();
        assert_eq!((halves.bytes_with(10), halves.bytes_with(11)), (10 * size, 12 * size));
        for more in [10, 1, 900, 89, 400, 90, 20] {
            let said = halves.bytes_with(more);
            halves.extend(&vec![[1, 0, 0, 0]; more]);
            assert_eq!(said, halves.records.capacity() * size);
            assert!(
                halves.records.capacity() <= 1_500.max(halves.records.len()),
                "room is made up to what may be used"
            );
        }
        assert_eq!(halves.records.capacity(), 1_510);
    }

    #[test]
    fn records_come_in_the_order_of_their_numbers() {
        for numbers in 1..=NUMBERS_MAX {
            for count in [0, 1, 1_000] {
                check(numbers, count);
            }
        }
        check(3, ALONE_MAX + 1);
        check(2, ALONE_MAX * 2 + 7);
    }
}
