//! The entries of a record in the index of fields.
//!
//! An entry is a field, a value and the record. A field is known by a hash of its name; a value is a number, an instant,
//! the hash of a text, or says only that there is one. Values are inverted, so that the greatest comes first and a list
//! runs downwards as the keys run up. Hashes may meet: whoever finds a record here looks at the record itself, too.

use std::sync::Arc;

use fjall::OwnedWriteBatch;
use muster_model::{
    find,
    json::string_value,
    kind::RecordKind,
    profile::Profile,
    rank::{Number, Rank},
    time::Micros,
};
use muster_store::lists::{ListOrder, kept_seen};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    keys::{self, ProfileKey},
    state::State,
};

/// A value as it stands in a key.
pub type Value = [u8; 9];

/// A field and a value.
pub type Entry = (u64, Value);

const NUMBER: u8 = 1;
const INSTANT: u8 = 2;
const TEXT: u8 = 3;
const OTHER: u8 = 4;

/// Bytes of a text that is indexed as such.
pub const TEXT_BYTES_MAX: usize = 256;

/// All values that have a rank.
pub const RANKED: (Value, Value) = (packed(INSTANT, u64::MAX), packed(NUMBER, 0));
/// Every value.
pub const ALL: (Value, Value) = ([0; 9], [0xff; 9]);

const fn packed(tag: u8, bits: u64) -> Value {
    let bits = (!bits).to_be_bytes();
    [!tag, bits[0], bits[1], bits[2], bits[3], bits[4], bits[5], bits[6], bits[7]]
}

/// The value of a rank.
pub fn ranked(rank: Rank) -> Value {
    match rank {
        Rank::Number(number) => packed(NUMBER, number.bits()),
        Rank::Time(at) => packed(INSTANT, keys::ascending(at)),
    }
}

/// The rank that a value is, if it is one.
pub fn rank(value: Value) -> Option<Rank> {
    let [tag, bits @ ..] = value;
    let bits = !u64::from_be_bytes(bits);
    match !tag {
        NUMBER => Some(Rank::Number(Number::from_bits(bits))),
        INSTANT => Some(Rank::Time(keys::from_ascending(bits))),
        _ => None,
    }
}

/// The values between two ranks of one kind, themselves included.
pub fn between(from: Option<Rank>, to: Option<Rank>) -> (Value, Value) {
    let (least, most) = match from.or(to) {
        Some(Rank::Number(_)) => (packed(NUMBER, 0), packed(NUMBER, u64::MAX)),
        Some(Rank::Time(_)) => (packed(INSTANT, 0), packed(INSTANT, u64::MAX)),
        None => (RANKED.1, RANKED.0),
    };
    (to.map_or(most, ranked), from.map_or(least, ranked))
}

/// The values between two instants, the second one excluded.
pub fn instants(from: Option<Micros>, before: Option<Micros>) -> (Value, Value) {
    let to = before.map_or(Micros::MAX, |before| Micros(before.0.saturating_sub(1)));
    (ranked(Rank::Time(to)), ranked(Rank::Time(from.unwrap_or(Micros::MIN))))
}

/// The value of a text.
pub fn text(text: &str) -> Value {
    packed(TEXT, xxh3_64(text.as_bytes()))
}

/// The values that a trait may have whose text is this one.
pub fn of_text(value: &str) -> Vec<(Value, Value)> {
    let exactly = |value: Value| (value, value);
    let mut values = vec![exactly(text(value))];
    values.extend(Rank::of_text(value).map(|rank| exactly(ranked(rank))));
    if value.len() > TEXT_BYTES_MAX || value.starts_with(['[', '{']) {
        values.push(exactly(packed(OTHER, 0)));
    }
    values
}

/// The field of a trait.
pub fn trait_field(key: &str) -> u64 {
    let mut name = Vec::with_capacity(key.len() + 1);
    name.push(b't');
    name.extend_from_slice(key.as_bytes());
    xxh3_64(&name)
}

/// The folded e-mail address of a user, and its domain.
pub const EMAIL: u64 = 32;
pub const EMAIL_DOMAIN: u64 = 33;

/// The field that an order goes by; none for times of receipt, which have places of their own.
pub fn field(order: &ListOrder) -> Option<u64> {
    match order {
        ListOrder::UpdatedAt | ListOrder::CreatedAt => None,
        ListOrder::FirstKnown => Some(1),
        ListOrder::FirstSeen => Some(2),
        ListOrder::LastSeen => Some(3),
        ListOrder::UsersCount => Some(4),
        ListOrder::AccountsCount => Some(5),
        ListOrder::NpsScore => Some(6),
        ListOrder::NpsDetractors => Some(7),
        ListOrder::NpsPassives => Some(8),
        ListOrder::NpsPromoters => Some(9),
        ListOrder::NpsLastScore => Some(10),
        ListOrder::NpsLastRespondedAt => Some(11),
        ListOrder::Trait(key) => Some(trait_field(key)),
    }
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

/// Texts that have no entries as they stand; the addresses of users have a field of their own.
pub fn is_found_otherwise(kind: RecordKind, key: &str) -> bool {
    muster_store::catalogue::is_one_of_a_kind(kind, key)
}

/// Every entry of a record, sorted, each once. Anonymous ids are in no list.
pub fn entries(profile: &Profile) -> Vec<Entry> {
    if profile.as_anonymous().is_some() {
        return Vec::new();
    }
    let (seen, _) = kept_seen(profile);
    let mut entries: Vec<Entry> = Vec::with_capacity(8 + profile.traits.registers().len());
    for order in &ListOrder::FIELDS {
        entries.extend(field(order).zip(order.rank(profile, seen).map(ranked)));
    }
    for (key, json) in profile.traits.iter() {
        let value = of_json(json);
        if value[0] != !TEXT || !is_found_otherwise(profile.kind(), key) {
            entries.push((trait_field(key), value));
        }
    }
    if profile.as_user().is_some()
        && let Some(email) = find::email(profile)
    {
        entries.push((EMAIL, text(&email)));
        entries.extend(find::domain(&email).map(|domain| (EMAIL_DOMAIN, text(domain))));
    }
    entries.sort_unstable();
    entries.dedup();
    entries
}

/// The value of a trait.
pub fn of_json(json: &str) -> Value {
    if let Some(rank) = Rank::of_json(json) {
        return ranked(rank);
    }
    match string_value(json) {
        Some(found) => {
            let found = found.unwrap_or_else(std::borrow::Cow::Owned);
            if found.len() <= TEXT_BYTES_MAX { text(&found) } else { packed(OTHER, 0) }
        }
        None if json.starts_with(['t', 'f']) => text(json),
        None => packed(OTHER, 0),
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
    use muster_model::{
        id::{Identity, RecordId},
        register::Stamp,
    };

    use super::*;

    #[test]
    fn values_run_down_as_ranks_run_up() {
        let ranks =
            ["-5", "0", "7.5", "1e9", "\"1960-01-01\"", "\"2024-01-01\""].map(|json| Rank::of_json(json).unwrap());
        let values = ranks.map(ranked);
        assert!(values.is_sorted_by(|one, other| one > other));
        assert_eq!(values.map(rank), ranks.map(Some));
        assert!(values.iter().all(|value| RANKED.0 <= *value && *value <= RANKED.1));
        assert!(text("x") < RANKED.0 && packed(OTHER, 0) < text("x"));
        let (low, high) = between(Some(ranks[1]), None);
        assert!(low <= values[3] && values[1] <= high && values[0] > high && values[4] < low);
    }

    #[test]
    fn a_value_is_found_by_its_text() {
        for (json, value) in [
            ("\"pro\"", "pro"),
            ("5", "5.0"),
            ("\"5\"", "5"),
            ("\" 5 \"", " 5 "),
            ("true", "true"),
            ("\"true\"", "true"),
            ("\"2024-01-01\"", "2024-01-01"),
            ("[1]", "[1]"),
        ] {
            let values = of_text(value);
            assert!(values.iter().any(|(from, to)| (*from..=*to).contains(&of_json(json))), "{json} {value}");
        }
        let long = "x".repeat(300);
        assert!(of_text(&long).contains(&(of_json(&format!("\"{long}\"")), of_json("[]"))));
    }

    #[test]
    fn every_value_has_one_entry() {
        let mut profile = Profile::new(RecordKind::User, RecordId(1), "u", Micros(5));
        let stamp = Stamp { at: Micros(1), by: Identity(1) };
        for (key, json) in [("plan", "\"pro\""), ("gone", "null"), ("n", "5"), ("email", "\"A@B.c\""), ("list", "[]")] {
            profile.traits.state(stamp, key, json);
        }
        let entries = entries(&profile);
        assert_eq!(entries.len(), 3 + 2, "values, and the address and its domain");
        assert!(entries.contains(&(EMAIL, text("a@b.c"))) && entries.contains(&(EMAIL_DOMAIN, text("b.c"))));
        assert!(entries.contains(&(trait_field("n"), ranked(Rank::Number(Number::of_count(5))))));
    }
}
