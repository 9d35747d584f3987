//! Where records stand in lists: a field and a value for everything that lists are ordered by or chosen by.
//!
//! A field is known by a number: that of an order of its own, or a hash of a trait's key. A value is a number, an instant,
//! the hash of a text, or says only that there is one. Values are inverted, so that the greatest comes first and a list runs
//! downwards as rows run up. Hashes may meet: whoever finds a record by them looks at the record, too.

use std::borrow::Cow;

use muster_model::{
    find,
    json::string_value,
    kind::RecordKind,
    profile::Profile,
    rank::{Number, Rank},
    time::Micros,
};
use muster_store::{
    catalogue::is_one_of_a_kind,
    lists::{ListOrder, kept_seen},
};
use xxhash_rust::xxh3::xxh3_64;

/// A value as it is kept.
pub type Value = [u8; 9];

const NUMBER: u8 = 1;
const INSTANT: u8 = 2;
const TEXT: u8 = 3;
const OTHER: u8 = 4;

/// Bytes of a text that is kept as such; of a longer one only that there is one.
const TEXT_BYTES_MAX: usize = 256;

/// All values that have a rank.
pub const RANKED: (Value, Value) = (packed(INSTANT, u64::MAX), packed(NUMBER, 0));
/// Every value.
pub const ALL: (Value, Value) = ([0; 9], [0xff; 9]);

/// The folded e-mail address of a user, and its domain.
pub const EMAIL: i64 = 32;
pub const EMAIL_DOMAIN: i64 = 33;

const fn packed(tag: u8, bits: u64) -> Value {
    let bits = (!bits).to_be_bytes();
    [!tag, bits[0], bits[1], bits[2], bits[3], bits[4], bits[5], bits[6], bits[7]]
}

/// The field of a trait. Traits' numbers are negative, those of orders of their own are not.
pub fn trait_field(key: &str) -> i64 {
    (xxh3_64(key.as_bytes()) | 1 << 63) as i64
}

/// The field that an order goes by; none for times of receipt, which have columns.
pub fn field(order: &ListOrder) -> Option<i64> {
    if let ListOrder::Trait(key) = order {
        return Some(trait_field(key));
    }
    ListOrder::FIELDS.iter().position(|known| known == order).map(|place| place as i64 + 1)
}

/// The value of a rank.
pub fn value(rank: Rank) -> Value {
    match rank {
        Rank::Number(number) => packed(NUMBER, number.bits()),
        Rank::Time(at) => packed(INSTANT, (at.0 as u64) ^ (1 << 63)),
    }
}

/// The rank that a value is, if it is one.
pub fn rank(value: &[u8]) -> Option<Rank> {
    let (tag, bits) = value.split_first()?;
    let bits = !u64::from_be_bytes(bits.try_into().ok()?);
    match !*tag {
        NUMBER => Some(Rank::Number(Number::from_bits(bits))),
        INSTANT => Some(Rank::Time(Micros((bits ^ (1 << 63)) as i64))),
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
    (to.map_or(most, value), from.map_or(least, value))
}

/// The values between two instants, the second one excluded.
pub fn instants(after: Option<Micros>, before: Option<Micros>) -> (Value, Value) {
    let to = before.map_or(Micros::MAX, |before| Micros(before.0.saturating_sub(1)));
    (value(Rank::Time(to)), value(Rank::Time(after.unwrap_or(Micros::MIN))))
}

/// The value of a text.
pub fn text(text: &str) -> Value {
    packed(TEXT, xxh3_64(text.as_bytes()))
}

/// The values that a trait may have whose text is this one.
pub fn of_text(wanted: &str) -> Vec<Value> {
    let mut values = vec![text(wanted)];
    values.extend(Rank::of_text(wanted).map(value));
    if wanted.len() > TEXT_BYTES_MAX || wanted.starts_with(['[', '{']) {
        values.push(packed(OTHER, 0));
    }
    values
}

/// The value of a trait.
pub fn of_json(json: &str) -> Value {
    if let Some(rank) = Rank::of_json(json) {
        return value(rank);
    }
    match string_value(json) {
        Some(found) => {
            let found = found.unwrap_or_else(Cow::Owned);
            if found.len() <= TEXT_BYTES_MAX { text(&found) } else { packed(OTHER, 0) }
        }
        None if json.starts_with(['t', 'f']) => text(json),
        None => packed(OTHER, 0),
    }
}

/// Whether a trait's texts have no places as they stand: nearly every record has another one, and searches find them. The
/// addresses of users have a field of their own.
pub fn is_found_otherwise(kind: RecordKind, key: &str) -> bool {
    is_one_of_a_kind(kind, key)
}

/// Every place of a record, sorted, each once. Anonymous ids are in no list.
pub fn places(profile: &Profile) -> Vec<(i64, Value)> {
    if profile.as_anonymous().is_some() {
        return Vec::new();
    }
    let (seen, _) = kept_seen(profile);
    let own = ListOrder::FIELDS.iter().zip(1..);
    let mut places: Vec<(i64, Value)> =
        own.filter_map(|(order, field)| Some((field, value(order.rank(profile, seen)?)))).collect();
    for (key, json) in profile.traits.iter() {
        let value = of_json(json);
        if value[0] != !TEXT || !is_found_otherwise(profile.kind(), key) {
            places.push((trait_field(key), value));
        }
    }
    if profile.as_user().is_some()
        && let Some(email) = find::email(profile)
    {
        places.push((EMAIL, text(&email)));
        places.extend(find::domain(&email).map(|domain| (EMAIL_DOMAIN, text(domain))));
    }
    places.sort_unstable();
    // Where two keys' hashes meet, one place is both of theirs.
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use muster_model::{
        id::{Identity, RecordId},
        register::Stamp,
    };

    use super::*;

    #[test]
    fn values_run_down_and_read_back() {
        let number = |value| Rank::Number(Number::new(value).unwrap());
        let down = [Rank::Time(Micros(5)), Rank::Time(Micros(-5)), number(9.5), number(-0.5), number(-7.0)];
        assert!(down.map(value).is_sorted());
        assert_eq!(down.map(|rank| super::rank(&value(rank)).unwrap()), down);
        assert_eq!(super::rank(&[0; 9]), None);
        assert!(down.map(value).iter().all(|value| RANKED.0 <= *value && *value <= RANKED.1));
        assert!(text("x") < RANKED.0 && of_json("[]") < text("x"));
        let (low, high) = between(Some(number(-0.5)), None);
        assert!(low <= value(number(9.5)) && value(number(-0.5)) <= high && value(number(-7.0)) > high);
        assert!(value(Rank::Time(Micros(-5))) < low);
    }

    #[test]
    fn a_value_is_found_by_its_text() {
        for (json, wanted) in [
            ("\"pro\"", "pro"),
            ("5", "5.0"),
            ("\"5\"", "5"),
            ("\" 5 \"", " 5 "),
            ("true", "true"),
            ("\"true\"", "true"),
            ("\"2024-01-01\"", "2024-01-01"),
            ("[1]", "[1]"),
        ] {
            assert!(of_text(wanted).contains(&of_json(json)), "{json} {wanted}");
        }
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        assert!(of_text(&long).contains(&of_json(&format!("\"{long}\""))));
    }

    #[test]
    fn every_value_has_one_place() {
        let mut profile = Profile::new(RecordKind::User, RecordId(1), "u", Micros(5));
        let stamp = Stamp { at: Micros(1), by: Identity(1) };
        for (key, json) in [("plan", "\"pro\""), ("gone", "null"), ("n", "5"), ("email", "\"A@B.c\""), ("list", "[]")] {
            profile.traits.state(stamp, key, json);
        }
        let places = places(&profile);
        assert_eq!(places.len(), 3 + 2, "values, and the address and its domain");
        assert!(places.contains(&(EMAIL, text("a@b.c"))) && places.contains(&(EMAIL_DOMAIN, text("b.c"))));
        assert!(places.contains(&(trait_field("n"), value(Rank::Number(Number::of_count(5))))));
    }
}
