//! The values of an index of records: what they are ordered by and chosen by, as nine bytes each.
//!
//! A value is a number, an instant, the hash of a text, or says only that there is one. Values are inverted, so that the
//! greatest comes first and a list runs downwards as they run up. Stores keep them as they are made here, so their form never
//! changes. Hashes may meet: whoever finds a record by its values looks at the record, too.

use std::borrow::Cow;

use muster_model::{
    json::string_value,
    rank::{Number, Rank},
    time::Micros,
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

const fn packed(tag: u8, bits: u64) -> Value {
    let bits = (!bits).to_be_bytes();
    [!tag, bits[0], bits[1], bits[2], bits[3], bits[4], bits[5], bits[6], bits[7]]
}

/// The value of a rank.
#[must_use]
pub fn ranked(rank: Rank) -> Value {
    match rank {
        Rank::Number(number) => packed(NUMBER, number.bits()),
        Rank::Time(at) => packed(INSTANT, at.0.cast_unsigned() ^ (1 << 63)),
    }
}

/// The rank that a value is, if it is one.
#[must_use]
pub fn rank(value: Value) -> Option<Rank> {
    let [tag, bits @ ..] = value;
    let bits = !u64::from_be_bytes(bits);
    match !tag {
        NUMBER => Some(Rank::Number(Number::from_bits(bits))),
        INSTANT => Some(Rank::Time(Micros((bits ^ (1 << 63)).cast_signed()))),
        _ => None,
    }
}

/// The values between two ranks of one kind, themselves included.
#[must_use]
pub fn between(from: Option<Rank>, to: Option<Rank>) -> (Value, Value) {
    let (least, most) = match from.or(to) {
        Some(Rank::Number(_)) => (packed(NUMBER, 0), packed(NUMBER, u64::MAX)),
        Some(Rank::Time(_)) => (packed(INSTANT, 0), packed(INSTANT, u64::MAX)),
        None => (RANKED.1, RANKED.0),
    };
    (to.map_or(most, ranked), from.map_or(least, ranked))
}

/// The values between two instants, the second one excluded.
#[must_use]
pub fn instants(from: Option<Micros>, before: Option<Micros>) -> (Value, Value) {
    let to = before.map_or(Micros::MAX, |before| Micros(before.0.saturating_sub(1)));
    (ranked(Rank::Time(to)), ranked(Rank::Time(from.unwrap_or(Micros::MIN))))
}

/// The value of a text.
#[must_use]
pub fn text(text: &str) -> Value {
    packed(TEXT, xxh3_64(text.as_bytes()))
}

/// Whether a value is that of a text.
#[must_use]
pub fn is_text(value: Value) -> bool {
    value[0] == !TEXT
}

/// The values that a trait may have whose text is this one, as ranges of one value each.
#[must_use]
pub fn of_text(wanted: &str) -> Vec<(Value, Value)> {
    let exactly = |value: Value| (value, value);
    let mut values = vec![exactly(text(wanted))];
    values.extend(Rank::of_text(wanted).map(|rank| exactly(ranked(rank))));
    if wanted.len() > TEXT_BYTES_MAX || wanted.starts_with(['[', '{']) {
        values.push(exactly(packed(OTHER, 0)));
    }
    values
}

/// The value of a trait.
#[must_use]
pub fn of_json(json: &str) -> Value {
    if let Some(rank) = Rank::of_json(json) {
        return ranked(rank);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_run_down_as_ranks_run_up() {
        let ranks =
            ["-5", "0", "7.5", "1e9", "\"1960-01-01\"", "\"2024-01-01\""].map(|json| Rank::of_json(json).unwrap());
        let values = ranks.map(ranked);
        assert!(values.is_sorted_by(|one, other| one > other));
        assert_eq!(values.map(rank), ranks.map(Some));
        assert_eq!(rank([0; 9]), None);
        assert!(values.iter().all(|value| RANKED.0 <= *value && *value <= RANKED.1));
        assert!(text("x") < RANKED.0 && packed(OTHER, 0) < text("x"));
        let (low, high) = between(Some(ranks[1]), None);
        assert!(low <= values[3] && values[1] <= high && values[0] > high && values[4] < low);
    }

    #[test]
    fn instants_run_down_on_both_sides_of_their_beginning() {
        let down = [5, 0, -5].map(|at| Rank::Time(Micros(at)));
        assert!(down.map(ranked).is_sorted());
        assert_eq!(down.map(|rank| super::rank(ranked(rank)).unwrap()), down);
    }

    /// Stores keep them.
    #[test]
    fn the_form_of_values_never_changes() {
        let number = ranked(Rank::of_json("5").unwrap());
        assert_eq!(number, [254, 63, 235, 255, 255, 255, 255, 255, 255]);
        assert_eq!(ranked(Rank::Time(Micros(1))), [253, 127, 255, 255, 255, 255, 255, 255, 254]);
        assert_eq!(of_json("[]"), [251, 255, 255, 255, 255, 255, 255, 255, 255]);
        assert_eq!(text("pro"), [252, 202, 208, 9, 196, 241, 87, 12, 4]);
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
            let values = of_text(wanted);
            assert!(values.iter().any(|(from, to)| (*from..=*to).contains(&of_json(json))), "{json} {wanted}");
        }
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        assert!(of_text(&long).contains(&(of_json(&format!("\"{long}\"")), of_json("[]"))));
    }
}
