//! Where records stand in lists: a field and a value for everything that lists are ordered by.
//!
//! A field is known by a number: that of an order of its own, or a hash of a trait's key. Values are inverted, so that the
//! greatest comes first and a list runs downwards as rows run up. Hashes may meet: whoever finds a record by them looks at the
//! record, too.

use muster_model::{
    profile::Profile,
    rank::{Number, Rank},
    time::Micros,
};
use muster_store::lists::{ListOrder, kept_seen};
use xxhash_rust::xxh3::xxh3_64;

/// A value as it is kept.
pub type Value = [u8; 9];

const NUMBER: u8 = 1;
const INSTANT: u8 = 2;

/// The field that an order goes by; none for times of receipt, which have columns.
pub fn field(order: &ListOrder) -> Option<i64> {
    if let ListOrder::Trait(key) = order {
        // Traits' numbers are negative, those of orders of their own are not.
        return Some((xxh3_64(key.as_bytes()) | 1 << 63) as i64);
    }
    ListOrder::FIELDS.iter().position(|known| known == order).map(|place| place as i64 + 1)
}

/// The value of a rank.
pub fn value(rank: Rank) -> Value {
    let (tag, bits) = match rank {
        Rank::Number(number) => (NUMBER, number.bits()),
        Rank::Time(at) => (INSTANT, (at.0 as u64) ^ (1 << 63)),
    };
    let mut value = [!tag; 9];
    value[1..].copy_from_slice(&(!bits).to_be_bytes());
    value
}

/// The rank that a value is.
pub fn rank(value: &[u8]) -> Option<Rank> {
    let (tag, bits) = value.split_first()?;
    let bits = !u64::from_be_bytes(bits.try_into().ok()?);
    match !*tag {
        NUMBER => Some(Rank::Number(Number::from_bits(bits))),
        INSTANT => Some(Rank::Time(Micros((bits ^ (1 << 63)) as i64))),
        _ => None,
    }
}

/// Every place of a record, sorted.
pub fn places(profile: &Profile) -> Vec<(i64, Value)> {
    let (seen, _) = kept_seen(profile);
    let own = ListOrder::FIELDS.iter().zip(1..);
    let own = own.filter_map(|(order, field)| Some((field, value(order.rank(profile, seen)?))));
    let traits = profile.traits.iter().filter_map(|(key, json)| {
        let rank = Rank::of_json(json)?;
        Some((field(&ListOrder::Trait(key.into()))?, value(rank)))
    });
    let mut places: Vec<(i64, Value)> = own.chain(traits).collect();
    places.sort_unstable();
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_run_down_and_read_back() {
        let number = |value| Rank::Number(Number::new(value).unwrap());
        let down = [Rank::Time(Micros(5)), Rank::Time(Micros(-5)), number(9.5), number(-0.5), number(-7.0)];
        assert!(down.map(value).is_sorted());
        assert_eq!(down.map(|rank| super::rank(&value(rank)).unwrap()), down);
        assert_eq!(super::rank(&[0; 9]), None);
    }
}
