//! What is kept of each record in memory: values of a column, and folded texts, one record after the other.
//!
//! Records are known by their places, in the order in which their overlay numbers them. What is kept goes up to a place, and
//! is no older than a group of changes; whoever looks at records again since then brings it up. Never looks at a record itself.

use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
};

use memchr::memmem::Finder;
use muster_store::lists::values::{self, Value};

use super::columns::{Column, NOTHING};

/// Bytes of texts that nothing refers to any more which are not worth packing.
const WASTE_BYTES_MIN: usize = 1 << 20;

/// How far something is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Groups of changes that it is no older than.
    pub clock: u32,
    /// So many records, the first ones.
    pub places: usize,
}

impl Reach {
    /// How far both are kept.
    pub fn least(self, other: Reach) -> Reach {
        Reach { clock: self.clock.min(other.clock), places: self.places.min(other.places) }
    }
}

/// A value for each place. Most columns say nothing of any record: what comes before the first value takes no room.
#[derive(Debug, Default)]
pub struct Values {
    /// The first places, of which nothing is said.
    nothing: usize,
    rest: Vec<Value>,
}

impl Values {
    /// Nothing of so many places.
    pub fn nothing(places: usize) -> Values {
        Values { nothing: places, rest: Vec::new() }
    }

    pub fn places(&self) -> usize {
        self.nothing + self.rest.len()
    }

    pub fn get(&self, place: usize) -> Value {
        match place.checked_sub(self.nothing) {
            Some(place) => self.rest[place],
            None => NOTHING,
        }
    }

    /// Sets the value of a place; of those before it that there were not yet nothing is said.
    pub fn set(&mut self, place: usize, value: Value) {
        if place >= self.places() {
            self.pad(place);
            if value == NOTHING {
                self.pad(place + 1);
            } else {
                self.rest.push(value);
            }
        } else if place >= self.nothing {
            self.rest[place - self.nothing] = value;
        } else if value != NOTHING {
            let mut rest = Vec::with_capacity(self.places());
            rest.resize(self.nothing, NOTHING);
            rest.append(&mut self.rest);
            rest[place] = value;
            (self.nothing, self.rest) = (0, rest);
        }
    }

    /// Has so many places at least.
    pub fn pad(&mut self, places: usize) {
        let more = places.saturating_sub(self.places());
        if self.rest.is_empty() {
            self.nothing += more;
        } else {
            self.rest.resize(self.rest.len() + more, NOTHING);
        }
    }

    /// The places of which something is said.
    pub fn said(&self) -> impl Iterator<Item = usize> {
        let said = self.rest.iter().enumerate().filter(|(_, value)| **value != NOTHING);
        said.map(|(place, _)| self.nothing + place)
    }

    pub fn bytes(&self) -> usize {
        self.rest.capacity() * size_of::<Value>()
    }

    /// Whether any of them has a rank. They are of one kind mostly, so some are looked at.
    pub fn are_ranked(&self) -> bool {
        let ranked = values::RANKED;
        self.rest.iter().step_by(1 + self.rest.len() / 64).any(|value| ranked.0 <= *value && *value <= ranked.1)
    }
}

/// A column, and its values.
#[derive(Debug)]
pub struct Kept {
    pub column: Column,
    pub values: Values,
    /// Groups of changes that it is no older than.
    pub clock: u32,
    /// Somebody asked for it, and it was not made ahead alone.
    asked: AtomicBool,
    /// Nobody but the [pass](crate::lists::pass) under way has brought it up since that began.
    pub followed: bool,
}

impl Kept {
    pub fn new(column: Column, reach: Reach, asked: bool) -> Kept {
        let values = Values::nothing(reach.places);
        Kept { column, values, clock: reach.clock, asked: AtomicBool::new(asked), followed: false }
    }

    pub fn reach(&self) -> Reach {
        Reach { clock: self.clock, places: self.values.places() }
    }

    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Notes whether somebody asks for it.
    pub fn ask(&self, asked: bool) {
        self.asked.store(asked, Ordering::Relaxed);
    }
}

/// Folded texts in any order, and some that were replaced until they are packed.
#[derive(Debug, Default)]
pub struct Texts {
    text: String,
    ranges: Vec<Range<u32>>,
    wasted: usize,
    /// As of a [column](Kept).
    pub clock: u32,
    asked: AtomicBool,
    pub followed: bool,
}

impl Texts {
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Notes that somebody asks for them.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    pub fn reach(&self) -> Reach {
        Reach { clock: self.clock, places: self.ranges.len() }
    }

    /// Sets the text of a place.
    pub fn set(&mut self, place: usize, text: &str) {
        if place >= self.ranges.len() {
            self.ranges.resize(place + 1, 0..0);
        }
        let before = self.range(place);
        if self.text[before.clone()] == *text {
            return;
        }
        self.wasted += before.len();
        let start = self.text.len() as u32;
        self.text.push_str(text);
        self.ranges[place] = start..self.text.len() as u32;
    }

    fn range(&self, place: usize) -> Range<usize> {
        let range = &self.ranges[place];
        range.start as usize..range.end as usize
    }

    /// Whether the text of a place contains all that is looked for.
    pub fn has(&self, place: usize, finders: &[Finder<'_>]) -> bool {
        let text = &self.text.as_bytes()[self.range(place)];
        finders.iter().all(|finder| finder.find(text).is_some())
    }

    /// Lets go of what was replaced, if it is much.
    pub fn pack(&mut self) {
        if self.wasted <= WASTE_BYTES_MIN.max(self.text.len() / 2) {
            return;
        }
        let before = std::mem::take(&mut self.text);
        self.text.reserve_exact(before.len() - self.wasted);
        for range in &mut self.ranges {
            let start = self.text.len() as u32;
            self.text.push_str(&before[range.start as usize..range.end as usize]);
            *range = start..self.text.len() as u32;
        }
        self.wasted = 0;
    }

    pub fn bytes(&self) -> usize {
        self.text.capacity() + self.ranges.capacity() * size_of::<Range<u32>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against a list of all of them, with values set anywhere, in front of what was nothing as well.
    #[test]
    fn values_are_what_was_set_last() {
        for first in [0, 5, 37] {
            let (mut values, mut expected) = (Values::nothing(first), vec![NOTHING; first]);
            let mut seed = first;
            for step in 0..400_usize {
                seed = (seed * 1_103_515_245 + 12_345) % (1 << 31);
                let place =
                    if step.is_multiple_of(3) { expected.len() + seed % 3 } else { seed % (expected.len() + 1) };
                let value = if step < 90 || step.is_multiple_of(4) { NOTHING } else { [step as u8; 9] };
                expected.resize(expected.len().max(place + 1), NOTHING);
                (expected[place], _) = (value, values.set(place, value));
                assert_eq!(values.places(), expected.len());
                assert!(step >= 90 || values.bytes() == 0, "what says nothing takes no room");
            }
            assert_eq!((0..expected.len()).map(|place| values.get(place)).collect::<Vec<_>>(), expected);
            values.pad(1_000);
            assert_eq!((values.places(), values.get(999)), (1_000, NOTHING));
        }
    }

    #[test]
    fn texts_are_what_was_set_last_and_packed() {
        let mut texts = Texts::default();
        let text = |place: usize, round: usize| format!("{place} {} {}", "x".repeat(3_000), round % 2);
        for round in 0..5 {
            (0..200).for_each(|place| texts.set(place, &text(place, round)));
            texts.pack();
            assert!(texts.text.len() <= 2 * 200 * 3_100 + WASTE_BYTES_MIN);
        }
        assert_eq!(texts.reach().places, 200);
        assert!((0..200).all(|place| texts.has(place, &[Finder::new(&text(place, 0))])));
        assert!(!texts.has(7, &[Finder::new(&text(7, 1))]));
    }
}
