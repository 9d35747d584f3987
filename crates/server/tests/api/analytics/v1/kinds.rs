//! The path of each kind.

use muster_model::kind::Kind;

use crate::harness::{Api, identity, refused_id};

const GOOD: [(Kind, &str); 6] = [
    (Kind::Organization, r#"{"organizationId":"o","messageId":"1"}"#),
    (Kind::Account, r#"{"accountId":"a","messageId":"1","type":"user"}"#),
    (Kind::User, r#"{"userId":32,"accountId":"a","messageId":"1"}"#),
    (Kind::Track, r#"{"userId":"32","event":"e","messageId":"1"}"#),
    (Kind::Unlink, r#"{"userId":"32","accountId":"a","messageId":"1"}"#),
    (Kind::CustomObjectInstance, r#"{"externalId":"x","customObjectId":"c","accountId":"a","messageId":"1"}"#),
];

#[test]
fn each_kind_has_its_path() {
    let api = Api::new();
    for (kind, message) in GOOD {
        let line = format!("POST /analytics/v1/{}", kind.as_str());
        api.check(&line, message, r#"200 {"message":"Success."}"#);
        let id = identity(Some(kind), message);
        let expected =
            format!(r#"200 {{"message":"Success.","results":[{{"index":0,"status":"duplicate","id":"{id}"}}]}}"#);
        api.check_with(&line, &[("Prefer", "return=representation")], message, &expected);
    }
    assert_eq!(api.page("/resources/users").0, ["32"]);
}

#[test]
fn what_is_refused_is_pointed_at_in_the_message_itself() {
    let api = Api::new();
    let check = |kind: &str, message: &str, code: &str, pointer: &str| {
        let answer = api.ask(&format!("POST /analytics/v1/{kind}"), message);
        let error = &answer.json()["error"];
        let found = (&error["errors"][0]["code"], &error["errors"][0]["instancePath"], &error["errors"][0]["index"]);
        assert_eq!((answer.status, found), (400, (&code.into(), &pointer.into(), &0.into())), "{message}");
        assert_eq!((&error["message"], &error["stored"]), (&"1 of 1 messages was refused".into(), &0.into()));
    };
    check("organization", r#"{"messageId":"1"}"#, "missing_field", "/organizationId");
    check("account", r#"{"accountId":true,"messageId":"1"}"#, "invalid_id", "/accountId");
    check("user", r#"{"userId":"u","messageId":"1"}"#, "user_needs_parent", "/accountId");
    check("track", r#"{"event":"e","messageId":"1"}"#, "track_needs_subject", "/userId");
    check("track", r#"{"event":"e","userId":"u","timestamp":"soon"}"#, "invalid_timestamp", "/timestamp");
    check("unlink", r#"{"userId":"u","messageId":"1"}"#, "missing_field", "/accountId");
    check(
        "customobjectinstance",
        r#"{"externalId":"x","customObjectId":"c","messageId":"1"}"#,
        "instance_needs_parent",
        "/accountId",
    );
    check("account", r#"[{"accountId":"a","messageId":"1"}]"#, "not_an_object", "");
    check("account", r#"{"accountId":"a"}"#, "needs_message_id_or_timestamp", "");
}

#[test]
fn the_path_is_kept_with_what_is_set_aside() {
    let api = Api::new();
    let message = r#"{"userId":"u","messageId":"1"}"#;
    assert_eq!(api.ask("POST /analytics/v1/user", message).status, 400);
    assert_eq!(api.ask("POST /analytics/v1/batch", &format!("[{message}]")).status, 400);
    let on_path = api.read(&format!("/resources/refused/{}", refused_id(Some(Kind::User), message)));
    assert_eq!((&on_path["type"], &on_path["code"]), (&"user".into(), &"user_needs_parent".into()));
    let in_batch = api.read(&format!("/resources/refused/{}", refused_id(None, message)));
    assert_eq!((&in_batch["type"], &in_batch["code"]), (&serde_json::Value::Null, &"missing_type".into()));
}
