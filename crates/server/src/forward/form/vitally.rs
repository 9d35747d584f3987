//! The form of Vitally's Analytics API.
//!
//! The message as it was sent, with what the contract of that API asks for and a sender here may leave out: a timestamp,
//! so that the receiver orders messages as this server does, and a parent of each user, if only the statement that there
//! is none.

use std::borrow::Cow;

use muster_model::{deletion::without, kind::Kind, message::Message};

use super::in_rest;

/// `None` for what only comes from writing records, and for what is known of someone anonymous alone: that API knows
/// neither.
pub(super) fn write(message: &Message<'_>) -> Option<Vec<u8>> {
    let known = Kind::SENT.contains(&message.kind);
    let names_nobody = match message.kind {
        Kind::User => message.user.is_none(),
        Kind::Track => message.user.is_none() && message.account.is_none() && message.organization.is_none(),
        _ => false,
    };
    if !known || names_nobody {
        return None;
    }
    let mut sent = message.clone();
    if !sent.timestamp_given {
        let at = format!("\"{}\"", sent.timestamp.to_micros_text());
        sent.rest = with(&without(&sent.rest, &["timestamp"]), "timestamp", &at);
    }
    let alone = sent.kind == Kind::User && sent.account.is_none() && sent.organization.is_none();
    if alone && in_rest(&sent, "accountId").is_none() && in_rest(&sent, "organizationId").is_none() {
        sent.rest = with(&sent.rest, "accountId", "null");
    }
    Some(sent.as_sent().into_bytes())
}

/// An object, empty or not, with one more member.
fn with(object: &str, name: &str, value: &str) -> Cow<'static, str> {
    let inside = object.trim_end().strip_suffix('}').unwrap_or("{");
    let comma = if inside.trim() == "{" { "" } else { "," };
    Cow::Owned(format!("{inside}{comma}\"{name}\":{value}}}"))
}

#[cfg(test)]
mod tests {
    use muster_model::{
        draft::Draft,
        id::IdSpace,
        kinds::{Context, check, check_typed},
        limits::MessageLimits,
        time::Micros,
    };
    use serde_json::{Value, json};

    use super::*;

    const CONTEXT: fn() -> Context = || Context {
        ids: IdSpace::new("w"),
        received_at: Micros(1_700_000_000_123_456),
        limits: MessageLimits::default(),
    };

    fn written(text: &str) -> Option<Value> {
        let draft = Draft::from_text(text, 64);
        write(&check_typed(&draft, &CONTEXT()).unwrap()).map(|bytes| serde_json::from_slice(&bytes).unwrap())
    }

    #[test]
    fn what_was_sent_goes_with_what_the_contract_asks_for() {
        let whole = r#"{"type":"track","event":"e","userId":7,"messageId":"m","timestamp":"2024-01-05T01:02:03.456789+01:00","properties":{"a":[1,2.50]},"x":{}}"#;
        assert_eq!(written(whole), Some(serde_json::from_str(whole).unwrap()));
        let untimed = r#"{"type":"account","accountId":"a","messageId":"m"}"#;
        let expected =
            json!({"type":"account","accountId":"a","messageId":"m","timestamp":"2023-11-14T22:13:20.123456Z"});
        assert_eq!(written(untimed), Some(expected.clone()));
        assert_eq!(written(&untimed.replace("\"m\"", "\"m\",\"timestamp\":null")), Some(expected));
        let alone = r#"{"type":"user","userId":"u","accountId":"","messageId":"m","timestamp":"2024-01-05"}"#;
        assert_eq!(written(alone), Some(serde_json::from_str(alone).unwrap()));
    }

    /// What is left of a user whose account was deleted, or came from a library that knows no accounts.
    #[test]
    fn a_user_without_a_parent_says_so() {
        let text = r#"{"type":"user","userId":"u","accountId":"a","messageId":"m","timestamp":"2024-01-05","y":1}"#;
        let draft = Draft::from_text(text, 64);
        let mut message = check_typed(&draft, &CONTEXT()).unwrap();
        message.account = None;
        let sent: Value = serde_json::from_slice(&write(&message).unwrap()).unwrap();
        assert_eq!(sent["accountId"], Value::Null);
        assert!(sent.as_object().unwrap().contains_key("accountId"), "{sent}");
        assert_eq!(sent["y"], 1);
    }

    #[test]
    fn what_that_api_does_not_know_is_passed_over() {
        let draft = Draft::from_text(r#"{"userId":"u","organizationId":"o","messageId":"m"}"#, 64);
        assert_eq!(write(&check(Kind::Leave, &draft, &CONTEXT()).unwrap()), None);
        // As calls of the Segment spec become messages about nobody.
        for text in [
            r#"{"type":"track","event":"e","userId":"u","messageId":"m"}"#,
            r#"{"type":"user","userId":"u","accountId":"a","messageId":"m"}"#,
        ] {
            let draft = Draft::from_text(text, 64);
            let mut message = check_typed(&draft, &CONTEXT()).unwrap();
            message.user = None;
            assert_eq!(write(&message), None, "{text}");
        }
    }
}
