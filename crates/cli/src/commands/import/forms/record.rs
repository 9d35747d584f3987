//! A JSON object of somebody else's, as it stands: nothing in it is written anew that is only passed on.

use std::collections::BTreeMap;

use muster_model::time::Micros;
use serde_json::{Value, value::RawValue};

/// A number from here on is in nanoseconds, then in microseconds, then in milliseconds, below in seconds.
const NANOSECONDS_FROM: f64 = 1e17;
const MICROSECONDS_FROM: f64 = 1e14;
const MILLISECONDS_FROM: f64 = 1e11;

/// The members of an object, each as JSON text.
pub struct Record<'t> {
    members: BTreeMap<String, &'t RawValue>,
}

impl<'t> Record<'t> {
    /// Reads an object's members.
    pub fn read(text: &'t str) -> Option<Record<'t>> {
        serde_json::from_str(text).ok().map(|members| Record { members })
    }

    /// A member's JSON text; `null` is no value.
    pub fn raw(&self, name: &str) -> Option<&'t str> {
        self.members.get(name).map(|raw| raw.get()).filter(|raw| *raw != "null")
    }

    /// An identifier: text that is not empty, or a number.
    pub fn id(&self, name: &str) -> Option<String> {
        self.raw(name).and_then(id)
    }

    /// A member that is an object, or text that holds one, as some databases write it.
    pub fn object(&self, name: &str) -> Option<String> {
        let raw = self.raw(name)?;
        match raw.as_bytes().first() {
            Some(b'{') => Some(raw.to_owned()),
            Some(b'"') => {
                let text: String = serde_json::from_str(raw).ok()?;
                Record::read(&text).is_some().then_some(text)
            }
            _ => None,
        }
    }

    /// An instant: ISO 8601 text, also with a space in the middle, or a number since 1970.
    pub fn instant(&self, name: &str) -> Option<Micros> {
        self.raw(name).and_then(instant)
    }

    /// Whether there is such a member, with a value or not.
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// The names of all members, for people.
    pub fn names(&self) -> String {
        self.members.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// All members whose names are not among these.
    pub fn others<'r>(&'r self, without: &'r [&str]) -> impl Iterator<Item = (&'r str, &'t str)> {
        let others = self.members.iter().filter(move |(name, _)| !without.contains(&name.as_str()));
        others.map(|(name, raw)| (name.as_str(), raw.get())).filter(|(_, raw)| *raw != "null")
    }
}

/// An identifier in JSON text; of a list its first one.
pub fn id(raw: &str) -> Option<String> {
    match serde_json::from_str(raw).ok()? {
        Value::String(text) => Some(text).filter(|text| !text.trim().is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(list) => list.first().and_then(|first| id(&first.to_string())),
        Value::Null | Value::Bool(_) | Value::Object(_) => None,
    }
}

/// An instant in JSON text.
pub fn instant(raw: &str) -> Option<Micros> {
    if raw.starts_with('"') {
        let text: String = serde_json::from_str(raw).ok()?;
        return of_text(&text);
    }
    of_number(raw.parse().ok()?)
}

/// An instant in plain text: ISO 8601, or a number since 1970.
pub fn of_text(text: &str) -> Option<Micros> {
    let text = text.trim();
    let bare = text.strip_suffix(" UTC").unwrap_or(text);
    Micros::parse(bare).or_else(|| of_number(text.parse().ok()?))
}

fn of_number(number: f64) -> Option<Micros> {
    let per_unit = match number.abs() {
        size if size >= NANOSECONDS_FROM => 1e-3,
        size if size >= MICROSECONDS_FROM => 1.0,
        size if size >= MILLISECONDS_FROM => 1e3,
        _ => 1e6,
    };
    let at = Micros((number * per_unit).round() as i64);
    // What cannot be written cannot have been meant.
    (number.is_finite() && !at.to_millis_text().is_empty()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_in_all_their_forms() {
        let check = |raw: &str, expected: Option<&str>| {
            assert_eq!(instant(raw).map(Micros::to_micros_text).as_deref(), expected, "{raw}");
        };
        check("1602611311", Some("2020-10-13T17:48:31.000000Z"));
        check("1602611311123", Some("2020-10-13T17:48:31.123000Z"));
        check("1602611311123456", Some("2020-10-13T17:48:31.123456Z"));
        check("1602611311000000000", Some("2020-10-13T17:48:31.000000Z"));
        check("\"2020-10-13 17:48:31.123456\"", Some("2020-10-13T17:48:31.123456Z"));
        check("\"2020-10-13 17:48:31.5 UTC\"", Some("2020-10-13T17:48:31.500000Z"));
        check("\"1602611311\"", Some("2020-10-13T17:48:31.000000Z"));
        check("\"soon\"", None);
        check("1e300", None);
        check("true", None);
    }

    #[test]
    fn members_are_passed_on_as_they_stand() {
        let text = r#"{"id":12345678901234567890123,"none":null,"list":["a","b"],"blank":" ","in":"{\"a\":1.0}"}"#;
        let record = Record::read(text).unwrap();
        assert_eq!(record.raw("id"), Some("12345678901234567890123"));
        assert_eq!((record.raw("none"), record.id("blank")), (None, None));
        assert_eq!(record.id("list").as_deref(), Some("a"));
        assert_eq!(record.object("in").as_deref(), Some(r#"{"a":1.0}"#));
        assert_eq!(record.others(&["id", "in"]).map(|(name, _)| name).collect::<Vec<_>>(), ["blank", "list"]);
        assert!(Record::read("[1]").is_none());
    }
}
