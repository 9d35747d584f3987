//! Whether the places of records in lists are those that the records ask for.
//!
//! Reads everything once and compares sums; only where they differ is each place looked for. Changes nothing. A place too
//! many does no harm, since whoever reads a list looks at the record as well; a place too few hides a record.

use fjall::Keyspace;
use muster_model::{kind::RecordKind, profile::Profile, time::Micros};
use xxhash_rust::xxh3::xxh3_128;

use super::entries;
use muster_store::codec;

use crate::{
    keys::{self, ProfileKey, TimePlace},
    state::State,
    tally::Tally,
};

/// How records and their places agree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    pub records: u64,
    /// The same by workspace and kind.
    pub tally: Tally,
    pub places: u64,
    /// Places that records ask for and lists do not have.
    pub missing: u64,
    /// Places that no record asks for.
    pub left_over: u64,
}

/// Keys of any order, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    keys: u64,
    hashes: u128,
}

impl Sum {
    fn add(&mut self, key: &[u8]) {
        self.keys += 1;
        self.hashes = self.hashes.wrapping_add(xxh3_128(key));
    }
}

/// Compares all records with all places; or says what could not be read.
pub fn compare(state: &State) -> Result<Agreement, String> {
    let lists = [&state.by_created, &state.by_updated, &state.by_field];
    let (mut asked, mut found) = ([Sum::default(); 3], [Sum::default(); 3]);
    let (mut records, mut tally) = (0, Tally::default());
    let mut count = |key: &ProfileKey| {
        records += 1;
        tally.change(key, 1);
    };
    each_place(state, &mut count, &mut |list, key| {
        asked[list].add(key);
        Ok(())
    })?;
    for (list, sum) in lists.iter().zip(&mut found) {
        for entry in list.iter() {
            sum.add(&entry.key().map_err(|error| error.to_string())?);
        }
    }
    let places = found.iter().map(|sum| sum.keys).sum();
    let mut agreement = Agreement { records, tally, places, ..Agreement::default() };
    if asked != found {
        let mut there = 0;
        each_place(state, &mut |_| (), &mut |list, key| {
            match has(lists[list], key)? {
                true => there += 1,
                false => agreement.missing += 1,
            }
            Ok(())
        })?;
        agreement.left_over = places - there;
    }
    Ok(agreement)
}

fn has(list: &Keyspace, key: &[u8]) -> Result<bool, String> {
    list.contains_key(key).map_err(|error| error.to_string())
}

/// Tells every record, and every place that one asks for: the list's number and the key.
fn each_place(
    state: &State,
    record: &mut impl FnMut(&ProfileKey),
    tell: &mut impl FnMut(usize, &[u8]) -> Result<(), String>,
) -> Result<(), String> {
    for entry in state.profiles.iter() {
        let (key, value) = entry.into_inner().map_err(|error| error.to_string())?;
        let malformed = || "a record does not follow its layout".to_owned();
        let profile = codec::profile::decode(&value).map_err(|_| malformed())?;
        let key = ProfileKey::parse(&key).ok_or_else(malformed)?;
        record(&key);
        if key.kind != RecordKind::Anonymous {
            places_of(&key, &profile, tell)?;
        }
    }
    Ok(())
}

fn places_of(
    key: &ProfileKey,
    profile: &Profile,
    tell: &mut impl FnMut(usize, &[u8]) -> Result<(), String>,
) -> Result<(), String> {
    let by_time = |at: Micros| keys::list_key(key.workspace, key.kind, TimePlace { at, id: key.id });
    tell(0, &by_time(profile.created_at))?;
    tell(1, &by_time(profile.updated_at))?;
    for (field, value) in entries::entries(profile) {
        tell(2, &keys::field_key(key.workspace, key.kind, field, value, key.id))?;
    }
    Ok(())
}
