//! What is remembered of a stored message, in memory and on disk.

use fjall::Keyspace;
use indexmap::IndexMap;
use muster_model::{
    id::{Identity, ImportId, WorkspaceId},
    time::Micros,
};
use muster_store::{
    error::ReadError,
    import::{Owned, Owners},
    record,
};
use rustc_hash::FxBuildHasher;

use crate::{
    error::{damaged, not_a_record, state_failed},
    keys,
};

/// Whose message, and which.
pub type IdentityKey = (WorkspaceId, Identity);
/// What is known of each identity, in the order heard: entries lie one after the other, and what is looked through to find one
/// is small enough for the processor's caches.
pub type IdentityMap = IndexMap<IdentityKey, Known, FxBuildHasher>;

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
}
