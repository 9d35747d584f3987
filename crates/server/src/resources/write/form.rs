//! Judging members, each by what it may be.
//!
//! A form asks for the members it knows, one by one, and notes every rule that is broken; what nobody asked for is a
//! broken rule as well, so that a misspelt name is not taken for an agreement. Fields of the record that nobody can set
//! may be sent back as they were read; they change nothing.

use std::borrow::Cow;

use muster_model::{
    json::{Walk, string_value},
    limits::ID_BYTES_MAX,
    time::Micros,
};

use super::{
    body::Members,
    fed::{self, Fed},
    statement::Traits,
};
use crate::{error::ApiError, settings::TraitNames, violation::Violation, wire::value};

/// Ids in one list of a body.
pub(crate) const IDS_MAX: usize = 1_000;

/// What a body says of a value: nothing, that there is none, or a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said<T> {
    Nothing,
    None,
    Some(T),
}

/// A body being judged.
pub(crate) struct Form<'m, 'a> {
    members: &'m Members<'a>,
    known: Vec<&'static str>,
    violations: Vec<Violation>,
}

impl<'m, 'a> Form<'m, 'a> {
    /// A form over a body.
    pub(crate) fn new(members: &'m Members<'a>) -> Self {
        Form { members, known: Vec::new(), violations: Vec::new() }
    }

    /// Members that may be there and change nothing.
    pub(crate) fn unchanging(&mut self, names: &[&'static str]) {
        self.known.extend(names);
    }

    /// Notes a broken rule.
    pub(crate) fn note(&mut self, violation: Violation) {
        self.violations.push(violation);
    }

    /// Whatever the member holds.
    pub(crate) fn raw(&mut self, name: &'static str) -> Option<&'a str> {
        self.known.push(name);
        self.members.get(name)
    }

    /// A text or `null`.
    pub(crate) fn text(&mut self, name: &'static str) -> Said<Cow<'a, str>> {
        match self.raw(name) {
            None => Said::Nothing,
            Some("null") => Said::None,
            Some(raw) => match string_value(raw) {
                Some(text) => Said::Some(text.unwrap_or_else(Cow::Owned)),
                None => self.fault(Violation::type_of(pointer(name), "string,null")),
            },
        }
    }

    /// An id that may be left out, but is a text when it is there.
    pub(crate) fn id(&mut self, name: &'static str) -> Option<Cow<'a, str>> {
        let raw = self.raw(name)?;
        match self.judge_id(pointer(name), raw) {
            Ok(id) => Some(id),
            Err(violation) => {
                self.note(violation);
                None
            }
        }
    }

    /// An id that must be there.
    pub(crate) fn required_id(&mut self, name: &'static str) -> Cow<'a, str> {
        if self.members.get(name).is_none() {
            self.note(Violation::required(name));
        }
        self.id(name).unwrap_or_default()
    }

    /// An id or `null`.
    pub(crate) fn id_or_null(&mut self, name: &'static str) -> Said<Cow<'a, str>> {
        match self.raw(name) {
            None => Said::Nothing,
            Some("null") => Said::None,
            Some(raw) => match self.judge_id(pointer(name), raw) {
                Ok(id) => Said::Some(id),
                Err(Violation { .. }) if string_value(raw).is_none() => {
                    self.fault(Violation::type_of(pointer(name), "string,null"))
                }
                Err(violation) => self.fault(violation),
            },
        }
    }

    /// A list of ids, each with its place.
    pub(crate) fn ids(&mut self, name: &'static str) -> Option<Vec<Cow<'a, str>>> {
        let raw = self.raw(name)?;
        let mut walk = Walk::new(raw, 1);
        if !walk.enter_array() {
            self.note(Violation::type_of(pointer(name), "array"));
            return None;
        }
        let (mut ids, mut count) = (Vec::new(), 0);
        while walk.next_element() {
            let (raw, _) = walk.value(1);
            if count < IDS_MAX {
                match self.judge_id(format!("/{name}/{count}"), raw) {
                    Ok(id) => ids.push(id),
                    Err(violation) => self.note(violation),
                }
            }
            count += 1;
        }
        if count > IDS_MAX {
            self.note(Violation::more_items(pointer(name), IDS_MAX));
        }
        Some(ids)
    }

    /// An object's text.
    pub(crate) fn object(&mut self, name: &'static str) -> Option<&'a str> {
        let raw = self.raw(name)?;
        if raw.starts_with('{') {
            return Some(raw);
        }
        // The empty array that some languages write for an empty object says the same.
        if raw != "null" && raw.split_ascii_whitespace().collect::<String>() != "[]" {
            self.note(Violation::type_of(pointer(name), "object"));
        }
        None
    }

    /// A number or `null`, as text.
    pub(crate) fn number(&mut self, name: &'static str) -> Option<&'a str> {
        let raw = self.raw(name)?;
        if raw != "null" && !raw.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            self.note(Violation::type_of(pointer(name), "number,null"));
        } else if raw != "null" && !value::is_double(raw) {
            self.note(Violation::format(pointer(name), "double"));
        }
        Some(raw)
    }

    /// `true`, `false` or `null`, as text.
    pub(crate) fn boolean(&mut self, name: &'static str) -> Option<&'a str> {
        let raw = self.raw(name)?;
        if !matches!(raw, "true" | "false" | "null") {
            self.note(Violation::type_of(pointer(name), "boolean,null"));
        }
        Some(raw)
    }

    /// A whole number within bounds, or `null`, as text.
    pub(crate) fn integer(&mut self, name: &'static str, least: i64, most: i64) -> Said<i64> {
        let Some(raw) = self.raw(name) else { return Said::Nothing };
        if raw == "null" {
            return Said::None;
        }
        let number = raw.parse::<f64>().ok().filter(|_| !raw.starts_with('"'));
        let Some(number) = number else { return self.fault(Violation::type_of(pointer(name), "integer")) };
        if number.fract() != 0.0 || !number.is_finite() {
            return self.fault(Violation::type_of(pointer(name), "integer"));
        }
        if number < least as f64 {
            return self.fault(Violation::minimum(pointer(name), least));
        }
        if number > most as f64 {
            return self.fault(Violation::maximum(pointer(name), most));
        }
        Said::Some(number as i64)
    }

    /// An instant or `null`, as text.
    pub(crate) fn instant(&mut self, name: &'static str) -> Option<&'a str> {
        let raw = self.raw(name)?;
        if raw == "null" {
            return Some(raw);
        }
        match string_value(raw) {
            None => self.note(Violation::type_of(pointer(name), "string,null")),
            Some(text) => {
                if text.ok().as_deref().and_then(Micros::parse_value).is_none() {
                    self.note(Violation::format(pointer(name), "date-time"));
                }
            }
        }
        Some(raw)
    }

    /// The external id may be sent with an update, but not changed by it.
    pub(crate) fn same_external_id(&mut self, known: &str) {
        if self.id("externalId").is_some_and(|id| id != known) {
            let says = "must be equal to the external id of the record, which cannot be changed";
            self.note(Violation::new("/externalId", "const", "externalId", says));
        }
    }

    /// A text or `null`, as JSON.
    pub(crate) fn text_json(&mut self, name: &'static str) -> Option<&'a str> {
        let raw = self.raw(name)?;
        if raw != "null" && string_value(raw).is_none() {
            self.note(Violation::type_of(pointer(name), "string,null"));
        }
        Some(raw)
    }

    /// Texts that are traits of the same names.
    pub(crate) fn text_traits(&mut self, traits: &mut Traits<'a>, fed: Fed<'_>, names: &[&'static str]) {
        for name in names {
            fed.put(traits, name, fed::Shape::Text, self.text_json(name));
        }
    }

    /// The fields that organizations and accounts share and that are traits of the names an operator chose.
    pub(crate) fn business_traits(&mut self, traits: &mut Traits<'a>, fed: Fed<'_>, names: &'a TraitNames) {
        self.text_traits(traits, fed, &["name"]);
        // It is not among the fields that are shown of these records.
        traits.put("avatar", self.text_json("avatar"));
        fed.put(traits, &names.mrr, fed::Shape::Number, self.number("mrr"));
        let dates = [
            ("nextRenewalDate", &names.next_renewal_date),
            ("churnedAt", &names.churned_at),
            ("trialEndDate", &names.trial_end_date),
        ];
        for (name, key) in dates {
            fed.put(traits, key, fed::Shape::Instant, self.instant(name));
        }
    }

    /// Judges what nobody asked for. The error is everything that is wrong.
    pub(crate) fn close(mut self) -> Result<(), ApiError> {
        for (name, _) in self.members.iter() {
            if !self.known.contains(&name) {
                self.violations.push(Violation::additional(name));
            }
        }
        if self.violations.is_empty() { Ok(()) } else { Err(ApiError::Invalid(self.violations)) }
    }

    fn judge_id(&self, path: String, raw: &'a str) -> Result<Cow<'a, str>, Violation> {
        let Some(text) = string_value(raw) else { return Err(Violation::type_of(path, "string")) };
        let Ok(text) = text else { return Err(Violation::format(path, "unicode")) };
        let trimmed = match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        };
        if trimmed.is_empty() {
            return Err(Violation::empty(path));
        }
        if trimmed.len() > ID_BYTES_MAX {
            return Err(Violation::longer(path, ID_BYTES_MAX));
        }
        if trimmed.chars().any(char::is_control) {
            let says = "must NOT have control characters";
            return Err(Violation::new(path, "pattern", "^[^\\p{Cc}]*$", says));
        }
        Ok(trimmed)
    }

    fn fault<T>(&mut self, violation: Violation) -> Said<T> {
        self.note(violation);
        Said::Nothing
    }
}

fn pointer(name: &str) -> String {
    format!("/{name}")
}
