//! What is remembered of a stored message, in memory and on disk.

use fjall::Keyspace;
use hashbrown::hash_table::{Entry, HashTable};
use muster_history::error::not_a_record;
use muster_model::{
    id::{Identity, ImportId, WorkspaceId},
    time::Micros,
};
use muster_store::{
    error::ReadError,
    import::{Owned, Owners},
    record,
};

use crate::{
    error::{damaged, state_failed},
    keys,
};

/// Whose message, and which.
pub type IdentityKey = (WorkspaceId, Identity);
/// What is known of each identity, in the order heard: entries lie one after the other, and what is looked through to find one is
/// four bytes for each.
#[derive(Debug, Default)]
pub struct IdentityMap {
    places: HashTable<u32>,
    entries: Vec<(IdentityKey, Known)>,
}

impl IdentityMap {
    /// Empty, with room for so many.
    pub fn with_capacity(entries: usize) -> IdentityMap {
        IdentityMap { places: HashTable::with_capacity(entries), entries: Vec::with_capacity(entries) }
    }

    /// All of them, in the order heard.
    pub fn entries(&self) -> &[(IdentityKey, Known)] {
        &self.entries
    }

    pub fn get(&self, key: &IdentityKey) -> Option<&Known> {
        let at = |place: u32| &self.entries[place as usize];
        let place = self.places.find(hash_of(key), |place| at(*place).0 == *key)?;
        Some(&at(*place).1)
    }

    /// Notes what is known of an identity; what was before.
    pub fn insert(&mut self, key: IdentityKey, known: Known) -> Option<Known> {
        let entries = &mut self.entries;
        let (same, hash) =
            (|place: &u32| entries[*place as usize].0 == key, |place: &u32| hash_of(&entries[*place as usize].0));
        match self.places.entry(hash_of(&key), same, hash) {
            Entry::Occupied(place) => Some(std::mem::replace(&mut entries[*place.get() as usize].1, known)),
            Entry::Vacant(place) => {
                place.insert(entries.len() as u32);
                entries.push((key, known));
                None
            }
        }
    }

    /// Forgets an identity; the last one takes its place.
    pub fn remove(&mut self, key: &IdentityKey) {
        let entries = &mut self.entries;
        let Ok(found) = self.places.find_entry(hash_of(key), |place| entries[*place as usize].0 == *key) else {
            return;
        };
        let (place, _) = found.remove();
        let last = entries.len() as u32 - 1;
        entries.swap_remove(place as usize);
        if let Some((moved, _)) = entries.get(place as usize)
            && let Some(of_moved) = self.places.find_mut(hash_of(moved), |of_moved| *of_moved == last)
        {
            *of_moved = place;
        }
    }
}

/// Identities are hashes already.
fn hash_of((workspace, identity): &IdentityKey) -> u64 {
    identity.0 as u64 ^ u64::from(workspace.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// What is remembered of a stored message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    pub content: u64,
    /// When it was received.
    pub received_at: Micros,
    pub whose: Whose,
}

/// Who owns a stored message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    Owned(Owners),
    /// It was taken back with its import, and may come again.
    Gone,
}

const MICROS_PER_DAY: i64 = 86_400 * 1_000_000;
/// Stands in place of owners where a message is gone.
const GONE: [u8; 8] = [0xff; 8];
const SHORT_BYTES: usize = 16;
const LONG_BYTES: usize = 24;

impl Known {
    /// What a record says of itself, brought by an import or otherwise.
    pub fn of(record: &[u8], import: Option<ImportId>) -> Result<(Identity, Known), ReadError> {
        let head = record::peek(record).map_err(not_a_record("a batch"))?;
        let whose = Whose::Owned(Owners::of(import));
        Ok((head.identity, Known { content: head.content, received_at: head.received_at, whose }))
    }

    /// A message that is there no more.
    pub fn gone() -> Known {
        Known { content: 0, received_at: Micros(0), whose: Whose::Gone }
    }

    /// What the journal says of a message that has other owners now.
    pub fn of_owned(owned: &Owned) -> Known {
        let whose = Whose::Owned(owned.owners);
        Known { content: owned.content, received_at: owned.received_at, whose }
    }

    /// The stored value.
    pub fn to_bytes(self) -> Stored {
        let mut bytes = [0; LONG_BYTES];
        bytes[..8].copy_from_slice(&self.content.to_le_bytes());
        bytes[8..SHORT_BYTES].copy_from_slice(&self.received_at.0.to_le_bytes());
        let whose = match self.whose {
            Whose::Owned(owners) if owners.is_for_good() => return Stored { bytes, length: SHORT_BYTES },
            Whose::Owned(owners) => owners.to_bytes(),
            Whose::Gone => GONE,
        };
        bytes[SHORT_BYTES..].copy_from_slice(&whose);
        Stored { bytes, length: LONG_BYTES }
    }

    /// Reads the stored value.
    pub fn from_bytes(value: &[u8]) -> Option<Known> {
        let content = u64::from_le_bytes(value.get(..8)?.try_into().ok()?);
        let received_at = Micros(i64::from_le_bytes(value.get(8..SHORT_BYTES)?.try_into().ok()?));
        let whose = match value.get(SHORT_BYTES..LONG_BYTES) {
            None => Whose::Owned(Owners::default()),
            Some(bytes) => match bytes.try_into().ok()? {
                GONE => Whose::Gone,
                owners => Whose::Owned(Owners::from_bytes(owners)),
            },
        };
        Some(Known { content, received_at, whose })
    }

    /// What the disk remembers of a message.
    pub fn read(disk: &Keyspace, (workspace, identity): IdentityKey) -> Result<Option<Known>, ReadError> {
        let value = disk.get(keys::identity_key(workspace, identity)).map_err(|error| state_failed(&error))?;
        let Some(value) = value else { return Ok(None) };
        Known::from_bytes(&value).map(Some).ok_or_else(|| damaged("an identity"))
    }

    /// Whether an import owns it.
    pub fn is_of(&self, id: ImportId) -> bool {
        matches!(self.whose, Whose::Owned(owners) if owners.has(id))
    }

    /// Days since 1970 of its receipt; a retention is counted in days.
    pub fn day(self) -> i64 {
        self.received_at.0.div_euclid(MICROS_PER_DAY)
    }
}

/// A stored value: short where a message stays for good, which nearly all do.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    bytes: [u8; LONG_BYTES],
    length: usize,
}

impl AsRef<[u8]> for Stored {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    #[test]
    fn values_read_back_and_those_from_before_imports_stay_for_good() {
        let check = |known: Known, expected: usize| {
            let stored = known.to_bytes();
            let value = stored.as_ref();
            assert_eq!((Known::from_bytes(value), value.len()), (Some(known), expected));
            assert_eq!(Known::from_bytes(&value[..15]), None);
        };
        let one = Owners::of(Some(ImportId(1)));
        let known = Known { content: 7, received_at: Micros(-9), whose: Whose::Owned(Owners::default()) };
        check(known, SHORT_BYTES);
        check(Known { whose: Whose::Owned(one), ..known }, LONG_BYTES);
        check(Known { whose: Whose::Owned(one.claimed(Some(ImportId(2)))), ..known }, LONG_BYTES);
        check(Known::gone(), LONG_BYTES);
    }

    #[test]
    fn the_map_holds_what_was_put_in_last() {
        let (mut map, mut model) = (IdentityMap::default(), HashMap::new());
        for round in 0..20_000_u64 {
            // Few of them, and some that differ in one half alone.
            let chance = u128::from(xxh3_64(&round.to_le_bytes()));
            let key = (WorkspaceId(chance as u32 & 1), Identity((chance >> 8 & 31) << 64 | chance >> 16 & 31));
            if chance >> 24 & 3 == 0 {
                map.remove(&key);
                model.remove(&key);
            } else {
                let known = Known { content: round, ..Known::gone() };
                assert_eq!(map.insert(key, known), model.insert(key, known));
            }
            assert_eq!(map.get(&key), model.get(&key));
            assert_eq!(map.entries().len(), model.len());
        }
        assert!(model.iter().all(|(key, known)| map.get(key) == Some(known)));
        assert_eq!(map.entries().iter().copied().collect::<HashMap<_, _>>(), model);
    }
}
