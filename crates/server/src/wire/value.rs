//! Values that several kinds of record share: dates, and fields fed by traits.
//!
//! A trait feeds a field only when it has the form that the field promises; otherwise the field is `null`, and the trait
//! still stands among the record's traits as it was sent.

use std::borrow::Cow;

use muster_model::{json::string_value, nps::Tally, time::Micros, traits::Traits};

use super::object::Object;

/// The text that a trait is; a number counts as its digits.
pub(crate) fn text<'t>(traits: &'t Traits, key: &str) -> Option<Cow<'t, str>> {
    text_of(traits.get(key)?)
}

/// The text that a trait of this JSON is.
pub(crate) fn text_of(json: &str) -> Option<Cow<'_, str>> {
    match string_value(json) {
        Some(text) => Some(text.unwrap_or_else(Cow::Owned)),
        None => is_number(json).then_some(Cow::Borrowed(json)),
    }
}

/// The instant that a trait is, when it is ISO 8601 text.
pub(crate) fn instant(traits: &Traits, key: &str) -> Option<Micros> {
    instant_of(traits.get(key)?)
}

/// The instant that a trait of this JSON is.
pub(crate) fn instant_of(json: &str) -> Option<Micros> {
    Micros::parse_value(&string_value(json)?.ok()?)
}

/// Whether a trait of this JSON is `true` or `false`; nothing when it is neither.
pub(crate) fn boolean_of(json: &str) -> Option<bool> {
    match json {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// The number that a trait is, as JSON; text that is a number counts as one.
pub(crate) fn number<'t>(traits: &'t Traits, key: &str) -> Option<Cow<'t, str>> {
    number_of(traits.get(key)?)
}

/// The number that a trait of this JSON is, as JSON. One beyond what a double holds, such as `1e999`, is none: many readers
/// refuse a page that has one.
pub(crate) fn number_of(json: &str) -> Option<Cow<'_, str>> {
    match string_value(json) {
        Some(text) => text.ok().map(|text| Cow::Owned(text.trim().to_owned())).filter(|text| is_double(text)),
        None => is_double(json).then_some(Cow::Borrowed(json)),
    }
}

/// The instant that a store gives for something that may never have been heard of.
pub(crate) fn known(at: Micros) -> Option<Micros> {
    (at != Micros::MAX && at != Micros::MIN).then_some(at)
}

/// A field fed by a trait that is a text.
pub(crate) fn put_text(object: &mut Object<'_>, name: &str, traits: &Traits, key: &str) {
    object.text_or_null(name, text(traits, key).as_deref());
}

/// A field fed by a trait that is a date.
pub(crate) fn put_instant(object: &mut Object<'_>, name: &str, traits: &Traits, key: &str) {
    object.instant_or_null(name, instant(traits, key));
}

/// A field fed by a trait that is a number.
pub(crate) fn put_number(object: &mut Object<'_>, name: &str, traits: &Traits, key: &str) {
    match number(traits, key) {
        Some(number) => object.raw(name, &number),
        None => object.null(name),
    }
}

/// The counts of users by their last answer, and the score that follows.
pub(crate) fn put_nps(object: &mut Object<'_>, tally: Tally) {
    object.number("npsDetractorCount", u64::from(tally.detractors));
    object.number("npsPassiveCount", u64::from(tally.passives));
    object.number("npsPromoterCount", u64::from(tally.promoters));
    match tally.score() {
        Some(score) => object.raw("npsScore", &score.to_string()),
        None => object.null("npsScore"),
    }
}

/// Whether JSON, or a text, is a number that a double holds.
pub(crate) fn is_double(json: &str) -> bool {
    is_number(json) && json.parse().is_ok_and(f64::is_finite)
}

fn is_number(json: &str) -> bool {
    json.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        && serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok()
}

#[cfg(test)]
mod tests {
    use muster_model::{id::Identity, register::Stamp};

    use super::*;

    fn check(json: &str, as_text: Option<&str>, as_number: Option<&str>, as_instant: Option<&str>) {
        let mut traits = Traits::default();
        traits.state(Stamp { at: Micros(1), by: Identity(1) }, "k", json);
        assert_eq!(text(&traits, "k").as_deref(), as_text, "{json} as text");
        assert_eq!(number(&traits, "k").as_deref(), as_number, "{json} as number");
        assert_eq!(instant(&traits, "k").map(Micros::to_millis_text).as_deref(), as_instant, "{json} as instant");
    }

    #[test]
    fn a_trait_feeds_a_field_only_in_its_form() {
        check(r#""x""#, Some("x"), None, None);
        check(r#""x\ud83d""#, Some("x\u{fffd}"), None, None);
        check("12.50", Some("12.50"), Some("12.50"), None);
        check(r#"" 12 ""#, Some(" 12 "), Some("12"), None);
        check(r#""12,5""#, Some("12,5"), None, None);
        check(r#""2024-02-03""#, Some("2024-02-03"), None, Some("2024-02-03T00:00:00.000Z"));
        check(
            r#""2024-02-03T04:05:06+01:00""#,
            Some("2024-02-03T04:05:06+01:00"),
            None,
            Some("2024-02-03T03:05:06.000Z"),
        );
        check("1e999", Some("1e999"), None, None);
        check(r#""-1e999""#, Some("-1e999"), None, None);
        check("1e308", Some("1e308"), Some("1e308"), None);
        check("true", None, None, None);
        check("[1]", None, None, None);
        check("{}", None, None, None);
        check("null", None, None, None);
    }
}
