//! All layers together, read one value at a time, in range or refused.
//!
//! Each reading names its setting; a value out of range is refused with its name, its origin and what would do. A test
//! checks that every setting of the built-in file is read by somebody.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use super::{
    known::Value,
    origin::{Origin, SettingsError},
};

/// A value and where it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    pub value: Value,
    pub origin: Origin,
}

/// Every setting, by its full name.
#[derive(Clone, Debug)]
pub struct Values {
    values: BTreeMap<String, Given>,
    #[cfg(test)]
    read: std::sync::Arc<parking_lot::Mutex<std::collections::BTreeSet<String>>>,
}

impl Values {
    /// Takes the layers as they were laid.
    pub fn new(values: BTreeMap<String, Given>) -> Values {
        Values {
            values,
            #[cfg(test)]
            read: std::sync::Arc::default(),
        }
    }

    /// Every setting in the order of the names.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Given)> {
        self.values.iter().map(|(name, given)| (name.as_str(), given))
    }

    /// A setting with its origin.
    pub fn given(&self, name: &str) -> &Given {
        #[cfg(test)]
        self.read.lock().insert(name.to_owned());
        self.values.get(name).unwrap_or_else(|| unreachable!("{name} is not in the built-in settings"))
    }

    /// A setting that is a text.
    pub fn text(&self, name: &str) -> &str {
        match &self.given(name).value {
            Value::Text(text) => text,
            Value::Number(_) => unreachable!("{name} is a number in the built-in settings"),
        }
    }

    /// A setting that is a number within `range`.
    pub fn number(&self, name: &str, range: RangeInclusive<u64>) -> Result<u64, SettingsError> {
        let Value::Number(number) = self.given(name).value else {
            unreachable!("{name} is a text in the built-in settings");
        };
        if range.contains(&number) {
            return Ok(number);
        }
        let (least, most) = (range.start(), range.end());
        let allowed = if *most == u64::MAX {
            format!("must be {least} or more")
        } else {
            format!("must be from {least} to {most}")
        };
        Err(self.refuse(name, &allowed))
    }

    /// The same for what is counted in memory.
    pub fn size(&self, name: &str, range: RangeInclusive<u64>) -> Result<usize, SettingsError> {
        let number = self.number(name, range)?;
        usize::try_from(number).map_err(|_| self.refuse(name, "is more than this machine can address"))
    }

    /// A setting that counts seconds.
    pub fn seconds(&self, name: &str, range: RangeInclusive<u64>) -> Result<Duration, SettingsError> {
        self.number(name, range).map(Duration::from_secs)
    }

    /// A setting that counts days.
    pub fn days(&self, name: &str, range: RangeInclusive<u64>) -> Result<Duration, SettingsError> {
        self.number(name, range).map(|days| Duration::from_secs(days * 86_400))
    }

    /// The error for a value that cannot be used.
    pub fn refuse(&self, name: &str, says: &str) -> SettingsError {
        let given = &self.values[name];
        SettingsError(format!("the setting {name} = {} ({}) {says}", given.value, given.origin))
    }

    /// The settings that were read so far.
    #[cfg(test)]
    pub fn names_read(&self) -> std::collections::BTreeSet<String> {
        self.read.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(name: &str, value: Value) -> Values {
        let given = Given { value, origin: Origin::Environment("MUSTER_X".to_owned()) };
        Values::new([(name.to_owned(), given)].into())
    }

    #[test]
    fn out_of_range_says_where_it_was_set_and_what_would_do() {
        let values = values("a.b", Value::Number(5));
        assert_eq!(values.number("a.b", 5..=5), Ok(5));
        assert_eq!(
            values.number("a.b", 6..=9).unwrap_err().to_string(),
            "the setting a.b = 5 (environment MUSTER_X) must be from 6 to 9"
        );
        assert!(values.number("a.b", 6..=u64::MAX).unwrap_err().to_string().ends_with("must be 6 or more"));
        assert_eq!(values.days("a.b", 0..=9), Ok(Duration::from_secs(432_000)));
    }
}
