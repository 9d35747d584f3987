//! The entries of a record in the index of fields, as they are kept on disk.
//!
//! An entry is [a field](muster_store::lists::index::Field) by a number of ours, [a value](muster_store::lists::values) and the record.

use std::sync::Arc;

use fjall::OwnedWriteBatch;
use muster_model::{profile::Profile, time::Micros};
use muster_store::lists::{
    ListOrder,
    index::{self, Field},
    kept_seen,
    values::Value,
};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    keys::{self, ProfileKey},
    state::State,
};

/// A field and a value.
pub type Entry = (u64, Value);

/// The number that a field goes by on disk, which never changes. Two traits may have the same one.
pub fn number(field: Field<'_>) -> u64 {
    match field {
        Field::Own(number) => number.into(),
        Field::Trait(key) => {
            let mut name = Vec::with_capacity(key.len() + 1);
            name.push(b't');
            name.extend_from_slice(key.as_bytes());
            xxh3_64(&name)
        }
    }
}

/// The field that an order goes by; none for times of receipt, which have places of their own.
pub fn field(order: &ListOrder) -> Option<u64> {
    Field::of(order).map(number)
}

/// Every entry of a record, sorted, each once. Anonymous ids are in no list.
pub fn entries(profile: &Profile) -> Vec<Entry> {
    index::entries(profile, number)
}

/// Where a record stands in lists, as it was when it was looked at.
#[derive(Clone, Debug)]
pub struct Listed {
    pub created_at: Micros,
    pub updated_at: Micros,
    /// Its entries. `None` where they may be others on disk: what was uncertain in memory may have been made certain on
    /// its way there.
    pub entries: Option<Arc<[Entry]>>,
}

impl Listed {
    /// Where a record from below an overlay stands.
    pub fn of(profile: &Profile) -> Listed {
        let (_, certain) = kept_seen(profile);
        let entries = certain.then(|| entries(profile).into());
        Listed { created_at: profile.created_at, updated_at: profile.updated_at, entries }
    }

    /// Bytes that it takes on the heap, about.
    pub fn heap_bytes(&self) -> usize {
        self.entries.as_ref().map_or(0, |entries| 32 + size_of_val(&**entries))
    }
}

/// Removes the entries of a record that is no more.
pub fn remove(batch: &mut OwnedWriteBatch, state: &State, key: &ProfileKey, before: &Profile) {
    for (field, value) in entries(before) {
        batch.remove(&state.by_field, keys::field_key(key.workspace, key.kind, field, value, key.id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_never_change() {
        assert_eq!(field(&ListOrder::NpsLastRespondedAt), Some(11));
        assert_eq!((number(Field::EMAIL), number(Field::EMAIL_DOMAIN)), (32, 33));
        assert_eq!(number(Field::Trait("plan")), 11_838_122_954_084_456_710);
    }
}
