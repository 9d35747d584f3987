//! What lists are ordered by: numbers and instants, in one order.
//!
//! A trait takes part with the number or the instant that it is, or that its text is; anything else has no rank. Numbers
//! are compared as 64-bit floating point numbers, and come before instants. Total and free of surprises: there is no
//! value that is not equal to itself.

use crate::{json::string_value, time::Micros};

/// A value that lists can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    Number(Number),
    Time(Micros),
}

/// A number, as bits that sort as numbers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(u64);

impl Number {
    /// A number that is not NaN; zero has no sign here.
    #[must_use]
    pub fn new(value: f64) -> Option<Number> {
        const SIGN: u64 = 1 << 63;
        let bits = (value + 0.0).to_bits();
        (!value.is_nan()).then_some(Number(if bits & SIGN == 0 { bits | SIGN } else { !bits }))
    }

    /// The number that JSON text is, if it is one.
    #[must_use]
    pub fn of_json(json: &str) -> Option<Number> {
        let first = json.bytes().next()?;
        let number = first == b'-' || first.is_ascii_digit();
        // The check keeps out what Rust reads as a number and JSON does not.
        let json = Some(json).filter(|json| number && serde_json::from_str::<serde_json::Number>(json).is_ok());
        Number::new(json?.parse().ok()?)
    }

    /// A count.
    #[must_use]
    pub fn of_count(count: u32) -> Number {
        Number((f64::from(count) + 0.0).to_bits() | 1 << 63)
    }

    /// The bits, which sort as numbers do; for stores.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// A number that a store kept.
    #[must_use]
    pub fn from_bits(bits: u64) -> Number {
        Number(bits)
    }
}

impl Rank {
    /// The rank of a trait's value, given as JSON text.
    #[must_use]
    pub fn of_json(json: &str) -> Option<Rank> {
        if json.starts_with('"') {
            Rank::of_text(&string_value(json)?.ok()?)
        } else {
            Number::of_json(json).map(Rank::Number)
        }
    }

    /// The rank of plain text: a number, else an ISO 8601 instant.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Rank> {
        let text = text.trim();
        // Most texts are words; they are told from numbers and dates by their first letter.
        if !text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            return None;
        }
        Number::of_json(text).map(Rank::Number).or_else(|| Micros::parse_value(text).map(Rank::Time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_sort_as_their_values_do() {
        let order = [
            "-1e300",
            "-2",
            "\"-1.5\"",
            "0",
            "1",
            "\"2\"",
            "2.50",
            "1e20",
            "\"1969-12-31\"",
            "\"2024-01-01T00:00:00Z\"",
        ];
        let ranks: Vec<Rank> = order.map(|json| Rank::of_json(json).unwrap()).to_vec();
        assert!(ranks.is_sorted_by(|one, other| one < other), "{ranks:?}");
        assert_eq!(Rank::of_json("-0"), Rank::of_json("0.0"));
        assert_eq!(Rank::of_json("\" 7 \""), Some(Rank::Number(Number::of_count(7))));
        assert_eq!(Number::from_bits(Number::of_count(3).bits()), Number::of_count(3));
    }

    #[test]
    fn what_is_neither_has_none() {
        for json in
            ["null", "true", "\"\"", "\"pro\"", "\"1x\"", "[]", "{}", "\"nan\"", "\"+1\"", "\"2024-13-01\"", "\"inf\""]
        {
            assert_eq!(Rank::of_json(json), None, "{json}");
        }
    }
}
