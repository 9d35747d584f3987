//! Fields that traits feed, in a body.
//!
//! A record shows such a field in the form that the field promises, which need not be the form of the trait: a text that
//! is a number is shown as a number, a day as its first instant, and what is no date as `null`. So a field states its
//! trait only when it differs from what is shown. A record that is sent back as it was read changes nothing.
//! Never refuses anything: what a field may hold was checked before.

use std::borrow::Cow;

use muster_model::{json::string_value, time::Micros, traits::Traits as Known};

use super::statement::Traits;
use crate::wire::value;

/// The form of a field, in which a trait is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Text,
    Number,
    Instant,
    Boolean,
}

/// The traits of a record as they are when it is written; none while there is no record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fed<'k>(pub Option<&'k Known>);

impl Fed<'_> {
    /// States the trait `key` if a field of this form, with this value, says anything that is not shown already: by the
    /// record, or by the same trait in the body.
    pub(crate) fn put<'a>(
        &self,
        traits: &mut Traits<'a>,
        key: &'a str,
        shape: Shape,
        said: Option<impl Into<Cow<'a, str>>>,
    ) {
        let Some(said) = said.map(Into::into) else { return };
        let known = self.0.and_then(|known| known.get(key));
        if !shape.shows(known, &said) && traits.get(key).is_none_or(|stated| !shape.shows(Some(stated), &said)) {
            traits.put(key, Some(said));
        }
    }
}

impl Shape {
    /// Whether `said`, the JSON of a field, is what a trait of this value, or none, is shown as.
    pub(crate) fn shows(self, known: Option<&str>, said: &str) -> bool {
        match self {
            Shape::Text => known.and_then(value::text_of) == said_text(said),
            Shape::Number => match known.and_then(value::number_of) {
                Some(shown) => same_number(&shown, said),
                None => said == "null",
            },
            Shape::Instant => {
                let shown = |json| value::instant_of(json).map(Micros::to_millis_text);
                known.and_then(shown) == shown(said)
            }
            Shape::Boolean => known.and_then(value::boolean_of) == value::boolean_of(said),
        }
    }
}

fn said_text(said: &str) -> Option<Cow<'_, str>> {
    string_value(said).map(|text| text.unwrap_or_else(Cow::Owned))
}

/// Whether two numbers are one, however they are spelt. Whole numbers are told apart beyond what a double holds.
fn same_number(one: &str, other: &str) -> bool {
    if let (Ok(one), Ok(other)) = (one.parse::<i128>(), other.parse::<i128>()) {
        return one == other;
    }
    matches!((one.parse::<f64>(), other.parse::<f64>()), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(shape: Shape, known: Option<&str>, said: &str, expected: bool) {
        assert_eq!(shape.shows(known, said), expected, "{shape:?}: {known:?} and {said}");
    }

    #[test]
    fn a_field_that_says_what_is_shown_says_nothing() {
        check(Shape::Text, None, "null", true);
        check(Shape::Text, None, r#""""#, false);
        check(Shape::Text, Some("12"), r#""12""#, true);
        check(Shape::Text, Some("true"), "null", true);
        check(Shape::Text, Some(r#""\u0061""#), r#""a""#, true);
        check(Shape::Text, Some(r#""a""#), "null", false);
        check(Shape::Number, Some(r#""12.5""#), "12.50", true);
        check(Shape::Number, Some("1e1"), "10", true);
        check(Shape::Number, Some("9007199254740993"), "9007199254740992", false);
        check(Shape::Number, Some("12"), "null", false);
        check(Shape::Number, Some(r#""many""#), "null", true);
        check(Shape::Number, None, "0", false);
        check(Shape::Instant, Some(r#""2024-02-03""#), r#""2024-02-03T00:00:00.000Z""#, true);
        check(Shape::Instant, Some(r#""2024-02-03T00:00:00.000400Z""#), r#""2024-02-03T00:00:00Z""#, true);
        check(Shape::Instant, Some(r#""2024-02-03""#), r#""2024-02-04T00:00:00.000Z""#, false);
        check(Shape::Instant, Some("1767225600000"), "null", true);
        check(Shape::Instant, Some(r#""2024-02-03""#), "null", false);
        check(Shape::Instant, None, r#""2024-02-03""#, false);
        check(Shape::Boolean, Some(r#""yes""#), "null", true);
        check(Shape::Boolean, Some("true"), "true", true);
        check(Shape::Boolean, Some("true"), "null", false);
        check(Shape::Boolean, None, "false", false);
    }
}
