//! The table of the ingest contract, row by row.

use super::{Context, check, check_typed};
use crate::{
    draft::Draft, id::IdSpace, kind::Kind, limits::MessageLimits, message::Message, rejection::Rejection, time::Micros,
};

fn context() -> Context {
    let limits = MessageLimits { message_bytes_max: 4_000, message_keys_max: 20, message_depth_max: 6 };
    Context { ids: IdSpace::new("default"), received_at: Micros(1_600_000_000_000_000), limits }
}

fn read(text: &str) -> Result<Message<'_>, Rejection> {
    check_typed(&Draft::from_text(text, context().limits.message_depth_max), &context())
}

fn refused(text: &str, code: &str, pointer: &str) {
    let rejection = read(text).expect_err(text);
    assert_eq!((rejection.code.as_str(), rejection.pointer.as_str()), (code, pointer), "{text}");
    assert!(rejection.message.len() > 20, "says what to do: {}", rejection.message);
}

fn accepted(text: &str) -> Message<'_> {
    read(text).unwrap_or_else(|rejection| panic!("{text}: {rejection:?}"))
}

#[test]
fn each_kind_says_what_it_needs() {
    refused(r#"{"messageId":"1"}"#, "missing_type", "/type");
    refused(r#"{"type":"page","messageId":"1"}"#, "unknown_type", "/type");
    refused(r#"{"type":7,"messageId":"1"}"#, "unknown_type", "/type");
    refused("7", "not_an_object", "");
    refused("[]", "not_an_object", "");
    refused(r#"{"type":"organization","messageId":"1"}"#, "missing_field", "/organizationId");
    refused(r#"{"type":"organization","organizationId":"","messageId":"1"}"#, "missing_field", "/organizationId");
    refused(r#"{"type":"account","messageId":"1"}"#, "missing_field", "/accountId");
    refused(r#"{"type":"user","messageId":"1","accountId":"a"}"#, "missing_field", "/userId");
    refused(r#"{"type":"user","userId":"u","messageId":"1"}"#, "user_needs_parent", "/accountId");
    refused(r#"{"type":"track","userId":"u","messageId":"1"}"#, "missing_field", "/event");
    refused(r#"{"type":"track","event":" ","userId":"u","messageId":"1"}"#, "missing_field", "/event");
    refused(r#"{"type":"track","event":5,"userId":"u","messageId":"1"}"#, "invalid_event", "/event");
    refused(r#"{"type":"track","event":"e","userId":null,"messageId":"1"}"#, "track_needs_subject", "/userId");
    refused(r#"{"type":"unlink","userId":"u","messageId":"1"}"#, "missing_field", "/accountId");
    refused(
        r#"{"type":"customobjectinstance","externalId":"x","accountId":"a","messageId":"1"}"#,
        "missing_field",
        "/customObjectId",
    );
    refused(
        r#"{"type":"customobjectinstance","externalId":"x","customObjectId":"o","messageId":"1"}"#,
        "instance_needs_parent",
        "/accountId",
    );
    refused(r#"{"type":"account","accountId":"a"}"#, "needs_message_id_or_timestamp", "");
    refused(r#"{"type":"account","accountId":"a","timestamp":"soon"}"#, "invalid_timestamp", "/timestamp");
    refused(r#"{"type":"account","accountId":"a","timestamp":1526387472}"#, "invalid_timestamp", "/timestamp");
    refused(r#"{"type":"account","accountId":"a","messageId":"1","traits":"x"}"#, "invalid_traits", "/traits");
    refused(
        r#"{"type":"track","event":"e","userId":"u","messageId":"1","properties":[1]}"#,
        "invalid_properties",
        "/properties",
    );
}

#[test]
fn identifiers() {
    assert_eq!(accepted(r#"{"type":"account","accountId":42,"messageId":7}"#).account.unwrap().external_id, "42");
    assert_eq!(accepted(r#"{"type":"account","accountId":" a ","messageId":"1"}"#).account.unwrap().external_id, "a");
    assert_eq!(
        accepted(r#"{"type":"account","accountId":"\u0061/%","messageId":"1"}"#).account.unwrap().external_id,
        "a/%"
    );
    refused(r#"{"type":"account","accountId":1.5,"messageId":"1"}"#, "invalid_id", "/accountId");
    refused(r#"{"type":"account","accountId":true,"messageId":"1"}"#, "invalid_id", "/accountId");
    refused(r#"{"type":"account","accountId":"a\u0000b","messageId":"1"}"#, "invalid_id", "/accountId");
    refused(r#"{"type":"account","accountId":"a\ud83d","messageId":"1"}"#, "invalid_id", "/accountId");
    let long = "x".repeat(257);
    refused(&format!(r#"{{"type":"account","accountId":"{long}","messageId":"1"}}"#), "invalid_id", "/accountId");
    refused(&format!(r#"{{"type":"account","accountId":"a","messageId":"{long}"}}"#), "invalid_id", "/messageId");
    accepted(&format!(r#"{{"type":"account","accountId":"{}","messageId":"1"}}"#, &long[1..]));
    assert!(accepted(r#"{"type":"user","userId":"u","accountId":"","messageId":"1"}"#).account.is_none());
    assert!(accepted(r#"{"type":"user","userId":"u","organizationId":null,"messageId":"1"}"#).organization.is_none());
}

#[test]
fn a_message_id_may_be_any_number() {
    let read = |id: &str| accepted(&format!(r#"{{"type":"account","accountId":"a","messageId":{id}}}"#)).identity;
    for same in ["1e3", "1000.0", "\"1000\"", "\" 1000 \""] {
        assert_eq!(read("1000"), read(same), "{same}");
    }
    assert_eq!(read("1.5"), read("\"1.5\""));
    assert_ne!(read("1.5"), read("1.25"));
    assert_ne!(read("1000"), read("\"1e3\""), "a text is taken as it stands");
    let text = r#"{"type":"account","accountId":"a","messageId":1.50}"#;
    assert_eq!((accepted(text).message_id.as_deref(), accepted(text).as_sent().as_ref()), (Some("1.5"), text));
    refused(r#"{"type":"account","accountId":"a","messageId":1e256}"#, "invalid_id", "/messageId");
    refused(r#"{"type":"account","accountId":"a","messageId":true}"#, "invalid_id", "/messageId");
}

#[test]
fn weight_is_bounded() {
    let deep = format!(
        r#"{{"type":"account","accountId":"a","messageId":"1","traits":{{"x":{}1{}}}}}"#,
        "[".repeat(9_000),
        "]".repeat(9_000)
    );
    let deep = &deep[..];
    let limits = MessageLimits { message_bytes_max: 1 << 20, ..context().limits };
    let draft = Draft::from_text(deep, limits.message_depth_max);
    assert_eq!(check_typed(&draft, &Context { limits, ..context() }).unwrap_err().code.as_str(), "too_deep");
    refused(
        &format!(r#"{{"type":"account","accountId":"a","messageId":"1","traits":{{"x":"{}"}}}}"#, "y".repeat(4_000)),
        "message_too_large",
        "",
    );
    let keys: Vec<String> = (0..18).map(|n| format!("\"k{n}\":1")).collect();
    refused(
        &format!(r#"{{"type":"account","accountId":"a","messageId":"1","traits":{{{}}}}}"#, keys.join(",")),
        "too_many_keys",
        "",
    );
}

#[test]
fn identity_is_kind_ids_and_message_id() {
    let identity = |text| accepted(text).identity;
    let base = identity(r#"{"type":"track","event":"e","userId":"1","messageId":"m"}"#);
    assert_eq!(base, identity(r#"{"event":"other","messageId":"m","userId":1,"type":"track"}"#));
    assert_eq!(base, identity(r#"{"event":"e","messageId":"m","userId":"1","accountId":"","type":"TRACK"}"#));
    assert_ne!(base, identity(r#"{"event":"e","messageId":"m","userId":"1","accountId":"1","type":"track"}"#));
    assert_ne!(base, identity(r#"{"type":"user","accountId":null,"userId":"1","messageId":"m"}"#));
    let hashed = identity(r#"{"type":"track","event":"e","userId":"1","timestamp":"2020-01-01T00:00:00.000Z"}"#);
    assert_ne!(
        hashed,
        identity(r#"{"type":"track","event":"e","userId":"1","externalId":"x","timestamp":"2020-01-01"}"#)
    );
    assert_eq!(
        hashed,
        identity(r#"{"type":"track","event":"e","userId":"1","externalId":null,"timestamp":"2020-01-01"}"#)
    );
    assert_eq!(
        hashed,
        identity(r#"{"type":"track","event":"\u0065","userId":"1","timestamp":"2020-01-01","properties":{ }}"#)
    );
    assert_eq!(hashed, identity(r#"{"timestamp":"2020-01-01","userId":"1", "event":"e","type":"track"}"#));
    assert_ne!(hashed, identity(r#"{"timestamp":"2020-01-02","userId":"1","event":"e","type":"track"}"#));
}

#[test]
fn content_tells_a_conflict_from_a_repetition() {
    let content = |text| accepted(text).content;
    let base = content(
        r#"{"type":"user","userId":"1","accountId":"a","messageId":"m","traits":{"a":1,"b":[1]},"timestamp":"2020-01-01T00:00:00Z"}"#,
    );
    let same = r#"{"timestamp":"2020-01-01T01:00:00+01:00","traits":{"b":[1],"a":1},"accountId":"a","userId":1,"messageId":"m","type":"user"}"#;
    assert_eq!(base, content(same));
    let draft = Draft::from_text(same, 6);
    assert_eq!(base, check(Kind::User, &draft, &context()).unwrap().content, "a path of its own changes nothing");
    assert_ne!(
        base,
        content(
            r#"{"type":"user","userId":"1","accountId":"a","messageId":"m","traits":{"a":2,"b":[1]},"timestamp":"2020-01-01T00:00:00Z"}"#
        )
    );
    assert_ne!(
        base,
        content(r#"{"type":"user","userId":"1","accountId":"a","messageId":"m","traits":{"a":1,"b":[1]}}"#)
    );
}

#[test]
fn what_is_not_rendered_exactly_is_kept_verbatim() {
    let rest = |text| accepted(text).rest.into_owned();
    assert_eq!(
        rest(
            r#"{"type":"track","event":"e","userId":"1","messageId":"m","timestamp":"2018-05-15T12:31:12.123Z","properties":{"a":1}}"#
        ),
        ""
    );
    assert_eq!(
        rest(r#"{"type":"track","event":"e","userId":1,"messageId":"m","context":{"ip":"::1"}}"#),
        r#"{"context":{"ip":"::1"},"userId":1}"#
    );
    assert_eq!(
        rest(r#"{"type":"track","event":"e","userId":"1","timestamp":"2018-05-15","properties":null}"#),
        r#"{"timestamp":"2018-05-15","properties":null}"#
    );
    assert_eq!(
        rest(r#"{"type":"account","accountId":" a","messageId":"m","event":"x"}"#),
        r#"{"accountId":" a","event":"x"}"#
    );
}

#[test]
fn of_a_trait_given_twice_the_last_one_counts() {
    let message =
        accepted(r#"{"type":"account","accountId":"a","messageId":"m","traits":{"z":1,"a":1,"\u0061":2,"b.c":{}}}"#);
    let traits: Vec<(&str, &str)> = message.traits.iter().map(|t| (t.key.as_ref(), t.value)).collect();
    assert_eq!(traits, [("a", "2"), ("b.c", "{}"), ("z", "1")]);
}

#[test]
fn a_wrong_clock_does_not_pin() {
    let message = accepted(r#"{"type":"account","accountId":"a","messageId":"m","timestamp":"2999-01-01"}"#);
    assert_eq!(message.ordered_at(), context().received_at.plus_micros(300_000_000));
    assert_eq!(message.timestamp.to_millis_text(), "2999-01-01T00:00:00.000Z");
    let last = r#"{"type":"account","accountId":"a","messageId":"m","timestamp":"9999-12-31T23:59:59.999Z"}"#;
    assert_eq!(accepted(last).ordered_at(), context().received_at.plus_micros(300_000_000));
    assert_eq!(accepted(last).as_sent(), last);
}

#[test]
fn a_message_is_shown_as_it_was_sent() {
    let check = |text: &str, expected: &str| assert_eq!(accepted(text).as_sent(), expected);
    check(
        r#"{"messageId":"m","event":"e","type":"track","userId":"1","timestamp":"2018-05-15T12:31:12.123Z","properties":{"a" : 1}}"#,
        r#"{"type":"track","userId":"1","messageId":"m","timestamp":"2018-05-15T12:31:12.123Z","event":"e","properties":{"a" : 1}}"#,
    );
    check(
        r#"{"type":"track","userId":"1","messageId":"m","event":"a\ud83d"}"#,
        r#"{"type":"track","userId":"1","messageId":"m","event":"a\ud83d"}"#,
    );
    check(
        r#"{"type":"user","userId":1,"accountId":"","timestamp":"2018-05-15","x":"\ud83d","traits":null}"#,
        r#"{"type":"user","x":"\ud83d","accountId":"","userId":1,"timestamp":"2018-05-15","traits":null}"#,
    );
}

#[test]
fn what_only_comes_from_writing_records_says_what_it_needs() {
    let judge = |kind: Kind, text: &str| {
        let draft = Draft::from_text(text, context().limits.message_depth_max);
        check(kind, &draft, &context()).map(|_| ()).map_err(|rejection| rejection.pointer)
    };
    let missing = |field: &str| Err(format!("/{field}"));
    let object = |text: &str| judge(Kind::CustomObject, text);
    assert_eq!(object(r#"{"customObjectId":"c","messageId":"1"}"#), Ok(()));
    assert_eq!(object(r#"{"externalId":"c","messageId":"1"}"#), missing("customObjectId"));
    let response = |text: &str| judge(Kind::NpsResponse, text);
    assert_eq!(response(r#"{"externalId":"r","userId":"u","messageId":"1"}"#), Ok(()));
    assert_eq!(response(r#"{"userId":"u","messageId":"1"}"#), missing("externalId"));
    assert_eq!(response(r#"{"externalId":"r","messageId":"1"}"#), missing("userId"));
    let leave = |text: &str| judge(Kind::Leave, text);
    assert_eq!(leave(r#"{"userId":"u","organizationId":"o","messageId":"1"}"#), Ok(()));
    assert_eq!(leave(r#"{"accountId":"a","organizationId":"o","messageId":"1"}"#), Ok(()));
    assert_eq!(leave(r#"{"externalId":"x","customObjectId":"c","accountId":"a","messageId":"1"}"#), Ok(()));
    assert_eq!(leave(r#"{"userId":"u","accountId":"a","messageId":"1"}"#), missing("organizationId"));
    assert_eq!(leave(r#"{"organizationId":"o","messageId":"1"}"#), missing("accountId"));
    assert_eq!(leave(r#"{"externalId":"x","accountId":"a","messageId":"1"}"#), missing("customObjectId"));
    assert_eq!(leave(r#"{"externalId":"x","customObjectId":"c","messageId":"1"}"#), missing("accountId"));
    for kind in ["customobject", "npsresponse", "leave"] {
        refused(&format!(r#"{{"type":"{kind}","messageId":"1"}}"#), "unknown_type", "/type");
    }
}
