//! Deleting what an id sent of which there is no record.
//!
//! Nobody has a record who only stands in messages that were refused, or who did something anonymously and was never
//! identified. Both were once answered with 404, and what they had sent stayed.

use serde_json::json;

use crate::harness::Api;

/// A user without a parent's field is refused, and no record comes of it.
const REFUSED: &str = r#"[{"type":"user","userId":"r","messageId":"1","traits":{"email":"r@example.com"}},
                          {"type":"user","userId":"s","messageId":"2"}]"#;

fn api() -> Api {
    let api = Api::new();
    assert_eq!(api.ask("POST /analytics/v1/batch", REFUSED).status, 400);
    api.pass_seconds(1);
    api
}

fn set_aside(api: &Api) -> Vec<String> {
    let page = api.read("/resources/refused");
    page["results"].as_array().unwrap().iter().map(|one| one["body"]["userId"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_id_that_only_refused_messages_name() {
    let api = api();
    for other in ["accounts/r", "users/user", "users/r@example.com", "users/1"] {
        assert_eq!(api.ask(&format!("DELETE /resources/{other}"), "").status, 404, "{other} is nobody's id");
    }
    let answer = api.ask("DELETE /resources/users/r", "");
    assert_eq!((answer.status, set_aside(&api)), (204, vec!["s".to_owned()]), "{}", answer.body);
    let receipt = api.read(answer.header("location"));
    assert_eq!((&receipt["status"], &receipt["removed"]["refusedMessages"]), (&json!("finished"), &json!(1)));
    assert_eq!(receipt["records"], json!([receipt["record"]]));
    assert_eq!(api.ask("DELETE /resources/users/r", "").status, 404, "nothing is left");
    assert_eq!(api.ask("DELETE /resources/users/nobody", "").status, 404);
    // It may be told a day, too.
    let answer = api.ask("DELETE /resources/users/s?deleteOn=2027-01-01", "");
    assert_eq!((answer.status, set_aside(&api)), (204, vec!["s".to_owned()]));
    assert_eq!(api.read(answer.header("location"))["status"], "scheduled");
}

#[test]
fn an_instance_that_only_refused_messages_name() {
    let api = Api::new();
    api.ask("POST /resources/customObjects", r#"{"name":"tickets"}"#);
    let orphan = r#"[{"type":"customobjectinstance","externalId":"i","customObjectId":"tickets","messageId":"1"}]"#;
    assert_eq!(api.ask("POST /analytics/v1/batch", orphan).status, 400);
    api.pass_seconds(1);
    let line = "DELETE /resources/customObjects/tickets/instances/i";
    assert_eq!(api.ask(line, "").status, 204);
    assert_eq!(api.read("/resources/refused")["results"], json!([]));
    assert_eq!(api.ask(line, "").status, 404);
}

/// Whoever did nothing and only told of itself is somebody to delete as well.
#[test]
fn an_anonymous_id_that_only_said_traits() {
    let api = Api::new();
    let said = r#"{"anonymousId":"x","traits":{"email":"x@example.com"},"messageId":"1"}"#;
    assert_eq!(api.ask("POST /v1/identify", said).status, 200);
    api.pass_seconds(1);
    let messages = || api.ask("POST /query", r#"{"sql":"select count(*) from messages"}"#).json()["rows"][0][0].clone();
    assert_eq!((messages(), api.ask("GET /resources/users/x", "").status), (json!(1), 404));
    let answer = api.ask("DELETE /resources/users/x", "");
    assert_eq!((answer.status, messages()), (204, json!(0)), "{}", answer.body);
    let removed = api.read(answer.header("location"))["removed"].clone();
    assert_eq!((&removed["anonymousIds"], &removed["messages"], &removed["users"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!(api.ask("DELETE /resources/users/x", "").status, 404);
}

#[test]
fn an_anonymous_id_that_nobody_has_identified() {
    let api = Api::new();
    let calls = json!({"batch": [
        {"type": "track", "anonymousId": "x", "event": "did", "messageId": "1", "timestamp": "2025-01-02T00:00:00Z"},
        {"type": "identify", "anonymousId": "x", "traits": {"email": "x@example.com"}, "messageId": "2"},
        {"type": "track", "anonymousId": "y", "event": "did", "messageId": "3"},
        {"type": "identify", "anonymousId": "y", "userId": "u", "messageId": "4"},
    ]});
    assert_eq!(api.ask("POST /v1/batch", &calls.to_string()).status, 200);
    api.pass_seconds(1);
    let messages = || api.ask("POST /query", r#"{"sql":"select count(*) from messages"}"#).json()["rows"][0][0].clone();
    assert_eq!(messages(), 4);
    let answer = api.ask("DELETE /resources/users/x", "");
    assert_eq!((answer.status, messages()), (204, json!(2)), "{}", answer.body);
    let receipt = api.read(answer.header("location"));
    assert_eq!((&receipt["record"]["kind"], &receipt["removed"]["anonymousIds"]), (&json!("anonymous id"), &json!(1)));
    assert_eq!(api.ask("DELETE /resources/users/x", "").status, 404);
    let known = api.ask("DELETE /resources/users/y", "");
    let user = crate::harness::expand("<user:u>");
    assert_eq!((known.status, known.body.contains(&user), messages()), (400, true, json!(2)), "{}", known.body);
    // What the receipt says can be said again where the events are back.
    let restored = Api::new();
    assert_eq!(restored.ask("POST /v1/batch", &calls.to_string()).status, 200);
    restored.pass_seconds(5);
    let receipt = api.ask(&format!("GET {}", answer.header("location")), "").body;
    restored.check("POST /resources/deletions", &receipt, r#"200 {"carriedOut":1,"known":0,"notHere":0}"#);
    assert_eq!(restored.ask("DELETE /resources/users/x", "").status, 404);
}
