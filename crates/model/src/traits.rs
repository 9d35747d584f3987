//! Customers' traits: one register per key.
//!
//! Keys are kept verbatim, dots included. A removed key stays as a register without a value, so that an older value
//! arriving later does not bring it back. Nested objects and arrays are values, replaced whole. Keys and values of one
//! record lie in one text, because a record is read, copied and let go of far more often than a trait of it is looked at.

use std::{num::NonZeroU32, ops::Range};

use crate::register::Stamp;

/// Bytes that an allocator takes for so many, about: it rounds up and keeps something about each piece.
pub(crate) fn allocated_bytes(bytes: usize) -> usize {
    (bytes + 8).next_multiple_of(16).max(32)
}

/// Bytes of text that nothing refers to any more which are not worth packing.
const WASTE_BYTES_MIN: usize = 64;

/// One register.
#[derive(Clone, Copy, Debug)]
struct Entry {
    stamp: Stamp,
    key: Piece,
    /// The JSON text of the value; `None` once it was removed.
    value: Option<Piece>,
}

/// A piece of the text: one more than where it starts, so that an entry without a value is no larger, and its bytes.
#[derive(Clone, Copy, Debug)]
struct Piece {
    place: NonZeroU32,
    bytes: u32,
}

impl Piece {
    fn new(start: usize, bytes: usize) -> Piece {
        Piece { place: NonZeroU32::MIN.saturating_add(start as u32), bytes: bytes as u32 }
    }

    fn range(self) -> Range<usize> {
        let start = self.place.get() as usize - 1;
        start..start + self.bytes as usize
    }
}

/// The traits of one record, sorted by key.
#[derive(Clone, Default)]
pub struct Traits {
    entries: Vec<Entry>,
    /// Keys and values in any order, and values that were replaced until it is packed.
    text: String,
    /// Bytes of `text` that nothing refers to.
    wasted: usize,
}

impl Traits {
    /// Room for so many keys and so many bytes of keys and values, and no more.
    #[must_use]
    pub fn with_capacity(keys: usize, text_bytes: usize) -> Traits {
        Traits { entries: Vec::with_capacity(keys), text: String::with_capacity(text_bytes), wasted: 0 }
    }

    /// Merges a statement about one key; `value` is JSON text, `null` removes.
    pub fn state(&mut self, stamp: Stamp, key: &str, value: &str) -> bool {
        let value = (value != "null").then_some(value);
        let at = match self.find(key) {
            Ok(at) if stamp <= self.entries[at].stamp => return false,
            Ok(at) => at,
            Err(at) => {
                let key = self.keep(key);
                self.entries.insert(at, Entry { stamp, key, value: None });
                at
            }
        };
        self.entries[at].stamp = stamp;
        self.replace(at, value);
        true
    }

    /// Puts another value in the place of the one that an entry has.
    fn replace(&mut self, at: usize, value: Option<&str>) {
        let before = self.entries[at].value;
        if let (Some(before), Some(value)) = (before, value)
            && before.bytes as usize == value.len()
        {
            self.text.replace_range(before.range(), value);
            return;
        }
        self.wasted += before.map_or(0, |before| before.bytes as usize);
        self.entries[at].value = None;
        if self.wasted > WASTE_BYTES_MIN.max(self.text.len() / 2) {
            self.pack(value.map_or(0, str::len));
        }
        self.entries[at].value = value.map(|value| self.keep(value));
    }

    /// Adds a piece of text. A record's traits are far below 4 GiB: it could not be stored otherwise.
    fn keep(&mut self, piece: &str) -> Piece {
        let start = self.text.len();
        self.text.push_str(piece);
        Piece::new(start, piece.len())
    }

    /// Lets go of text that nothing refers to, and makes room for some more.
    fn pack(&mut self, more_bytes: usize) {
        let before = std::mem::take(&mut self.text);
        self.text.reserve_exact(before.len() - self.wasted + more_bytes);
        for at in 0..self.entries.len() {
            let Entry { key, value, .. } = self.entries[at];
            self.entries[at].key = self.keep(&before[key.range()]);
            self.entries[at].value = value.map(|value| self.keep(&before[value.range()]));
        }
        self.wasted = 0;
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        // Whoever states several goes through them in order, and most often finds the last one smaller.
        match self.entries.last() {
            Some(last) if self.piece(last.key) < key => Err(self.entries.len()),
            _ => self.entries.binary_search_by(|known| self.piece(known.key).cmp(key)),
        }
    }

    fn piece(&self, piece: Piece) -> &str {
        &self.text[piece.range()]
    }

    /// The JSON text of a key's value, if it has one.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let at = self.find(key).ok()?;
        self.entries[at].value.map(|value| self.piece(value))
    }

    /// Keys that have a value, sorted, with its JSON text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.registers().filter_map(|(key, _, value)| Some((key, value?)))
    }

    /// Every register, removed keys included; for stores.
    pub fn registers(&self) -> impl ExactSizeIterator<Item = (&str, Stamp, Option<&str>)> {
        let text = |piece| self.piece(piece);
        self.entries.iter().map(move |entry| (text(entry.key), entry.stamp, entry.value.map(text)))
    }

    /// Looks at all of what they lie in, once for each of the processor's cache lines. Whoever is about to read many records calls it
    /// for some of them first, so that the processor fetches all of these at once instead of waiting for one after the other; what it
    /// gives back means nothing.
    #[must_use]
    pub fn touch(&self) -> usize {
        const LINE_BYTES: usize = 64;
        let entries = self.entries.iter().fold(0, |all, entry| all ^ entry.key.bytes as usize);
        let text = self.text.as_bytes().iter().step_by(LINE_BYTES).fold(0, |all, byte| all ^ usize::from(*byte));
        entries ^ text
    }

    /// Makes room for so many keys, and not for more as growing would, if there is none yet.
    pub fn expect_keys(&mut self, keys: usize) {
        if self.entries.capacity() == 0 {
            self.entries.reserve_exact(keys);
        }
    }

    /// Bytes that they take on the heap, about.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        allocated_bytes(self.entries.capacity() * size_of::<Entry>()) + allocated_bytes(self.text.capacity())
    }

    /// Bytes of keys and values, for bounds on what is made of them.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.text.len() - self.wasted
    }
}

impl PartialEq for Traits {
    fn eq(&self, other: &Traits) -> bool {
        self.registers().eq(other.registers())
    }
}

impl Eq for Traits {}

impl std::fmt::Debug for Traits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.registers().map(|(key, stamp, value)| (key, (stamp, value)))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::Identity, time::Micros};

    fn at(time: i64) -> Stamp {
        Stamp { at: Micros(time), by: Identity(7) }
    }

    #[test]
    fn a_removal_is_remembered() {
        let mut traits = Traits::default();
        traits.state(at(2), "plan", "null");
        traits.state(at(1), "plan", "\"pro\"");
        assert_eq!(traits.get("plan"), None);
        assert_eq!(traits.iter().count(), 0);
        traits.state(at(3), "plan", "\"free\"");
        assert_eq!(traits.get("plan"), Some("\"free\""));
    }

    #[test]
    fn keys_are_sorted_and_verbatim() {
        let mut traits = Traits::default();
        for key in ["b", "vitally.custom.tier", "a", ""] {
            traits.state(at(1), key, "1");
        }
        assert_eq!(traits.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["", "a", "b", "vitally.custom.tier"]);
    }

    /// However often values are replaced, by longer and shorter ones, what is kept is the last ones and not much more.
    #[test]
    fn what_was_replaced_is_let_go_of() {
        let mut traits = Traits::default();
        let value = |round: i64, key: usize| match (round as usize + key) % 7 {
            0 => "null".to_owned(),
            long => format!("\"{}ö\"", "x".repeat(long * 13)),
        };
        for round in 0..200 {
            for key in 0..5 {
                traits.state(at(round), &format!("key {key}"), &value(round, key));
                assert!(!traits.state(at(round - 1), &format!("key {key}"), "\"older\""));
            }
            let mut fresh = Traits::with_capacity(5, 64);
            for key in 0..5 {
                fresh.state(at(round), &format!("key {key}"), &value(round, key));
            }
            assert_eq!(traits, fresh);
            let bytes: usize = traits.registers().map(|(key, _, value)| key.len() + value.map_or(0, str::len)).sum();
            assert_eq!(traits.text_bytes(), bytes);
            assert!(traits.text.len() <= bytes + WASTE_BYTES_MIN.max(traits.text.len() / 2), "no more is wasted");
        }
    }
}
