//! The built-in file: which settings there are, and which known name is nearest to a wrong one.
//!
//! The file is the only list of settings: a setting exists when it stands there, and its form (text or number) is the
//! form it has there.

use std::{collections::BTreeMap, fmt};

use toml::Table;

/// The built-in settings file, word for word.
pub const DEFAULT_FILE: &str = include_str!("../../../../config.default.toml");

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Number(u64),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(text),
            Value::Number(number) => write!(f, "{number}"),
        }
    }
}

impl Value {
    /// Reads what an environment variable or a flag says, in the form that `like` has.
    pub fn parse_like(like: &Value, text: &str) -> Result<Value, String> {
        match like {
            Value::Text(_) => Ok(Value::Text(text.to_owned())),
            Value::Number(_) => {
                let digits = text.trim().replace('_', "");
                digits.parse().map(Value::Number).map_err(|_| format!("\"{text}\" is no whole number of 0 or more"))
            }
        }
    }

    /// Takes a value of a settings file, in the form that `like` has.
    pub fn from_toml_like(like: &Value, value: &toml::Value) -> Result<Value, String> {
        match (like, value) {
            (Value::Text(_), toml::Value::String(text)) => Ok(Value::Text(text.clone())),
            (Value::Number(_), toml::Value::Integer(number)) => {
                u64::try_from(*number).map(Value::Number).map_err(|_| "must not be negative".to_owned())
            }
            (Value::Text(_), _) => Err("must be a text in quotes".to_owned()),
            (Value::Number(_), _) => Err("must be a whole number without quotes".to_owned()),
        }
    }
}

/// Every setting with its default, under its full name (`section.key`).
pub fn defaults() -> BTreeMap<String, Value> {
    let table: Table = DEFAULT_FILE.parse().expect("the built-in settings are TOML; a test reads them");
    let mut values = BTreeMap::new();
    for (name, value) in flatten(&table) {
        let value = match value {
            toml::Value::String(text) => Value::Text(text),
            toml::Value::Integer(number) => Value::Number(u64::try_from(number).unwrap_or_default()),
            other => unreachable!("the built-in settings are texts and numbers, {name} is {other:?}"),
        };
        values.insert(name, value);
    }
    values
}

/// The leaves of a settings file under their full names, in the order of their names. A section without anything in it
/// is a leaf too, because its name may be a mistake.
pub fn flatten(table: &Table) -> Vec<(String, toml::Value)> {
    let mut leaves = Vec::new();
    for (key, value) in table {
        match value {
            toml::Value::Table(section) if !section.is_empty() => {
                let below = flatten(section).into_iter();
                leaves.extend(below.map(|(name, value)| (format!("{key}.{name}"), value)));
            }
            leaf => leaves.push((key.clone(), leaf.clone())),
        }
    }
    leaves
}

/// The name among `names` that is most like `wrong`. A right key in a wrong section is nearer than a similar word.
pub fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let last = |name: &str| name.rsplit(['.', '_']).next().unwrap_or_default().to_lowercase();
    let key = |name: &str| name.rsplit_once('.').map_or(name, |(_, key)| key).to_owned();
    names.min_by_key(|name| {
        let whole = distance(wrong, name);
        let keys = distance(&key(wrong), &key(name)) + 1;
        (whole.min(keys), usize::from(last(wrong) != last(name)), whole)
    })
}

/// How many letters have to be put in, left out or changed to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (index, known) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *known);
            diagonal = row[index + 1];
            row[index + 1] = changed.min(row[index] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_file_is_read() {
        let defaults = defaults();
        assert_eq!(defaults["listen"], Value::Text("127.0.0.1:8080".to_owned()));
        assert_eq!(defaults["checkpoint.rows_max"], Value::Number(4_000_000));
    }

    #[test]
    fn the_nearest_name_is_what_a_person_meant() {
        let defaults = defaults();
        let check = |wrong: &str, meant: &str| {
            assert_eq!(nearest(wrong, defaults.keys().map(String::as_str)), Some(meant), "{wrong}");
        };
        check("listne", "listen");
        check("datadir", "data_dir");
        check("checkpoint.row_max", "checkpoint.rows_max");
        check("rows_max", "checkpoint.rows_max");
        check("engine.interval_seconds", "checkpoint.interval_seconds");
        check("limit.requests_per_minute", "limits.requests_per_minute");
    }

    #[test]
    fn distances_count_letters() {
        for (one, other, letters) in
            [("", "", 0), ("abc", "abc", 0), ("abc", "abd", 1), ("", "ab", 2), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(one, other), letters, "{one} {other}");
            assert_eq!(distance(other, one), letters, "{other} {one}");
        }
    }
}
