//! JSON values as SQL values, as SQLite's `->>` has them: texts without quotes, numbers as numbers, `true` and `false` as
//! 1 and 0, lists and objects as their text.
//!
//! What traits feed into columns of their own follows the same rules as the records of the API.

use std::borrow::Cow;

use muster_model::{json::string_value, time::Micros, traits::Traits};

use super::source::Cell;

/// A value of JSON.
pub fn value(json: &str) -> Cell<'_> {
    match json {
        "null" => Cell::Null,
        "true" => Cell::Integer(1),
        "false" => Cell::Integer(0),
        _ => match string_value(json) {
            Some(text) => Cell::Text(text.unwrap_or_else(Cow::Owned)),
            None if !is_number(json) => Cell::Text(Cow::Borrowed(json)),
            None => match json.parse::<i64>() {
                Ok(integer) => Cell::Integer(integer),
                Err(_) => json.parse().map_or(Cell::Null, Cell::Real),
            },
        },
    }
}

/// The text that a trait is; a number counts as its digits.
pub fn text_of<'t>(traits: &'t Traits, key: &str) -> Option<Cow<'t, str>> {
    let json = traits.get(key)?;
    match string_value(json) {
        Some(text) => Some(text.unwrap_or_else(Cow::Owned)),
        None => is_number(json).then_some(Cow::Borrowed(json)),
    }
}

/// The number that a trait is; text that is a number counts as one, and one that no double holds as none.
pub fn number_of(traits: &Traits, key: &str) -> Option<f64> {
    let json = traits.get(key)?;
    let text = match string_value(json) {
        Some(text) => Cow::Owned(text.ok()?.trim().to_owned()),
        None => Cow::Borrowed(json),
    };
    text.parse().ok().filter(|number: &f64| number.is_finite() && is_number(&text))
}

/// The instant that a trait is, when it is ISO 8601 text.
pub fn instant_of(traits: &Traits, key: &str) -> Option<Micros> {
    Micros::parse_value(&string_value(traits.get(key)?)?.ok()?)
}

/// All traits as one object.
pub fn object_of(traits: &Traits) -> String {
    let mut out = String::with_capacity(2 + traits.text_bytes() * 5 / 4);
    out.push('{');
    for (number, (key, value)) in traits.iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        out.push_str(&serde_json::Value::from(key).to_string());
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
    out
}

fn is_number(json: &str) -> bool {
    json.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        && serde_json::from_str::<serde_json::Number>(json).is_ok()
}
