//! A message set aside.
//!
//! The message is shown as the JSON it is. When it is no JSON, is not UTF-8, or is nested so deep that readers could
//! choke on it, it is shown as a string; bytes that are not UTF-8 are given as base64 besides, so that nothing is lost.

use base64::{Engine, engine::general_purpose::STANDARD};
use muster_model::json::Walk;
use muster_store::refused::{Refused, Way};
use serde::de::IgnoredAny;

use super::object::Object;
use crate::openapi::schema::{Field, Fields};

/// Levels of nesting up to which a message is shown as JSON. Common readers stop at 128, the list around it included.
const SHOWN_DEPTH_MAX: usize = 100;

/// Writes the message set aside.
pub(crate) fn write(object: &mut Object<'_>, refused: &Refused<'_>) {
    object.text("id", &refused.id.to_string());
    object.instant("receivedAt", refused.received_at);
    object.text("code", refused.code.as_str());
    object.text("instancePath", &refused.pointer);
    object.text("message", &refused.reason);
    object.number("keyId", refused.key_id);
    let path = match refused.way {
        Way::Batch => None,
        Way::Kind(kind) => Some(kind.as_str()),
        Way::Segment => Some("segment"),
    };
    object.text_or_null("type", path);
    match std::str::from_utf8(&refused.body) {
        Ok(text) if is_readable_json(text) => object.verbatim("body", text),
        Ok(text) => object.text("body", text),
        Err(_) => {
            object.text("body", &String::from_utf8_lossy(&refused.body));
            object.text("bodyBase64", &STANDARD.encode(&refused.body));
        }
    }
}

/// The fields of the message set aside, in the same order.
pub(crate) const FIELDS: Fields = &[
    ("id", Field::Text),
    ("receivedAt", Field::Instant),
    ("code", Field::Text),
    ("instancePath", Field::Text),
    ("message", Field::Text),
    ("keyId", Field::Count),
    ("type", Field::TextOrNull),
    ("body", Field::Anything),
];

fn is_readable_json(text: &str) -> bool {
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return false;
    }
    let mut walk = Walk::new(text, SHOWN_DEPTH_MAX);
    walk.value(1);
    !walk.too_deep
}

#[cfg(test)]
mod tests {
    use muster_model::{
        kind::Kind,
        rejection::{Code, Rejection},
        time::Micros,
    };

    use super::*;

    fn check(body: &[u8], expected: &str) {
        let rejection = Rejection::new(Code::InvalidId, "/userId", "send a string");
        let refused = Refused::new(&rejection, Way::Kind(Kind::User), 3, Micros(0), body);
        let mut out = Vec::new();
        Object::write(&mut out, |object| write(object, &refused));
        let text = String::from_utf8(out).unwrap();
        let start = format!(
            "{{\"id\":\"{}\",\"receivedAt\":\"1970-01-01T00:00:00.000Z\",\"code\":\"invalid_id\",\
             \"instancePath\":\"/userId\",\"message\":\"send a string\",\"keyId\":3,\"type\":\"user\",",
            refused.id
        );
        assert_eq!(text.strip_prefix(&start).unwrap(), format!("{expected}}}"));
    }

    #[test]
    fn bodies_are_shown_so_that_they_can_be_read() {
        check(br#"{"a" : [1]}"#, r#""body":{"a" : [1]}"#);
        check(br#"{"a":"\ud83d"}"#, r#""body":{"a":"\ufffd"}"#);
        check(b"{\"a\":", r#""body":"{\"a\":""#);
        check(b"{\"\xff\":1}", "\"body\":\"{\\\"\u{fffd}\\\":1}\",\"bodyBase64\":\"eyL/IjoxfQ==\"");
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        check(deep.as_bytes(), &format!("\"body\":\"{deep}\""));
        let fits = format!("{}{}", "[".repeat(100), "]".repeat(100));
        check(fits.as_bytes(), &format!("\"body\":{fits}"));
    }
}
