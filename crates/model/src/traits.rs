//! Customers' traits: one register per key.
//!
//! Keys are kept verbatim, dots included. A removed key stays as a register without a value, so that an older value
//! arriving later does not bring it back. Nested objects and arrays are values, replaced whole.

use crate::register::{Register, Stamp};

/// Bytes that an allocator takes for so many, about: it rounds up and keeps something about each piece.
pub(crate) fn allocated_bytes(bytes: usize) -> usize {
    (bytes + 8).next_multiple_of(16).max(32)
}

/// A key and its value as JSON text; `None` once it was removed.
type Entry = (Box<str>, Register<Option<Box<str>>>);

/// The traits of one record, sorted by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    entries: Vec<Entry>,
}

impl Traits {
    /// Merges a statement about one key; `value` is JSON text, `null` removes.
    pub fn state(&mut self, stamp: Stamp, key: &str, value: &str) -> bool {
        let kept = || (value != "null").then(|| Box::from(value));
        match self.entries.binary_search_by(|(known, _)| known.as_ref().cmp(key)) {
            Ok(at) => self.entries[at].1.merge(stamp, kept),
            Err(at) => {
                self.entries.insert(at, (Box::from(key), Register::new(stamp, kept())));
                true
            }
        }
    }

    /// The JSON text of a key's value, if it has one.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let at = self.entries.binary_search_by(|(known, _)| known.as_ref().cmp(key)).ok()?;
        self.entries[at].1.value().as_deref()
    }

    /// Keys that have a value, sorted, with its JSON text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().filter_map(|(key, register)| Some((key.as_ref(), register.value().as_deref()?)))
    }

    /// Every register, removed keys included; for stores.
    pub fn registers(&self) -> impl ExactSizeIterator<Item = (&str, Stamp, Option<&str>)> {
        self.entries.iter().map(|(key, register)| (key.as_ref(), register.stamp(), register.value().as_deref()))
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
        let text = |(key, register): &Entry| {
            allocated_bytes(key.len()) + register.value().as_ref().map_or(0, |value| allocated_bytes(value.len()))
        };
        self.entries.capacity() * size_of::<Entry>() + self.entries.iter().map(text).sum::<usize>()
    }

    /// Bytes of keys and values, for bounds on what is made of them.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.entries.iter().map(|(key, register)| key.len() + register.value().as_ref().map_or(0, |v| v.len())).sum()
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
}
