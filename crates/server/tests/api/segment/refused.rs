//! Calls that break a rule, set aside and sent again.

use super::{BATCH, SUCCESS, events, rows};
use crate::harness::Api;

#[track_caller]
fn check(call: &str, code: &str, pointer: &str) {
    let api = Api::new();
    let good = r#"{"type":"track","userId":"u","event":"e","messageId":"good"}"#;
    let answer = api.ask(BATCH, &format!(r#"{{"batch":[{good},{call}]}}"#));
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"success":true}"#));
    assert_eq!(answer.header("muster-refused"), "1", "{call}");
    let kept = &api.read("/resources/refused")["results"][0];
    assert_eq!((&kept["code"], &kept["instancePath"]), (&code.into(), &pointer.into()), "{kept}");
    assert_eq!(
        (&kept["type"], kept["body"].to_string()),
        (&"segment".into(), serde_json::from_str::<serde_json::Value>(call).unwrap().to_string())
    );
    for ours in ["accountId", "organizationId"] {
        assert!(pointer.contains(ours) || !kept["message"].as_str().unwrap().contains(ours), "{kept}");
    }
    assert_eq!(events(&api, "/resources/users/u"), ["e"]);
}

#[test]
fn a_bad_call_is_set_aside_and_explained_in_its_own_words() {
    let long = format!("\"{}\"", "x".repeat(300));
    check("7", "not_an_object", "");
    check(r#"{"userId":"u"}"#, "missing_type", "/type");
    check(r#"{"type":"sing","userId":"u"}"#, "unknown_type", "/type");
    check(r#"{"type":"track","event":"e"}"#, "track_needs_subject", "/userId");
    check(r#"{"type":"page","name":"e","userId":""}"#, "track_needs_subject", "/userId");
    check(r#"{"type":"track","userId":"u"}"#, "missing_field", "/event");
    check(r#"{"type":"track","userId":"u","event":7}"#, "invalid_event", "/event");
    check(r#"{"type":"track","userId":"u","event":"e","properties":"x"}"#, "invalid_properties", "/properties");
    check(r#"{"type":"identify","traits":{}}"#, "missing_field", "/userId");
    check(r#"{"type":"identify","userId":["u"]}"#, "invalid_id", "/userId");
    check(
        &format!(r#"{{"type":"identify","userId":"u","context":{{"groupId":{long}}}}}"#),
        "invalid_id",
        "/context/groupId",
    );
    check(r#"{"type":"identify","userId":"u","traits":{"company":{"id":[]}}}"#, "invalid_id", "/traits/company/id");
    check(r#"{"type":"identify","userId":"u","traits":7}"#, "invalid_traits", "/traits");
    check(r#"{"type":"group","userId":"u"}"#, "missing_field", "/groupId");
    check(r#"{"type":"group","userId":"u","groupId":{"id":1}}"#, "invalid_id", "/groupId");
    check(r#"{"type":"group","groupId":"g","traits":{"organizationId":{}}}"#, "invalid_id", "/traits/organizationId");
    check(r#"{"type":"group","groupId":{},"traits":{"isOrganization":true}}"#, "invalid_id", "/groupId");
    check(r#"{"type":"alias","previousId":"x"}"#, "missing_field", "/userId");
    check(r#"{"type":"alias","userId":"u"}"#, "missing_field", "/previousId");
    check(r#"{"type":"track","userId":"u","event":"e","timestamp":"yesterday"}"#, "invalid_timestamp", "/timestamp");
    check(&format!(r#"{{"type":"page","userId":"u","name":"{}"}}"#, "x".repeat(1_100)), "invalid_event", "/name");
}

#[test]
fn a_call_set_aside_is_sent_again_as_what_it_is() {
    let api = Api::new();
    let answer = api.ask("POST /v1/page", r#"{"name":"Home","messageId":"1"}"#);
    assert_eq!((answer.status, answer.header("muster-refused")), (200, "1"));
    let kept = &api.read("/resources/refused")["results"][0];
    assert_eq!(kept["body"], serde_json::json!({"type":"page","name":"Home","messageId":"1"}));
    let line = format!("POST /resources/refused/{}/resend", kept["id"].as_str().unwrap());
    let answer = api.ask(&line, "");
    assert_eq!((answer.status, &answer.json()["error"]["errors"][0]["code"]), (400, &"track_needs_subject".into()));
    assert_eq!(api.read("/resources/refused")["results"].as_array().unwrap().len(), 1);
    api.check(&line, r#"{"type":"page","name":"Home","messageId":"1","userId":"u"}"#, r#"200 {"message":"Success."}"#);
    assert_eq!(api.read("/resources/refused")["results"], serde_json::json!([]));
    assert_eq!(events(&api, "/resources/users/u"), ["Viewed Home Page"]);
}

#[test]
fn spoiled_bytes_are_set_aside_as_they_came() {
    let api = Api::new();
    let answer = api.ask_with(BATCH, &[], b"{\"batch\":[{\"type\":\"track\",\"event\":\"\xff\"}]}".to_vec());
    assert_eq!((answer.status, answer.header("muster-refused")), (200, "1"));
    let kept = &api.read("/resources/refused")["results"][0];
    assert_eq!(kept["bodyBase64"], "eyJ0eXBlIjoidHJhY2siLCJldmVudCI6Iv8ifQ==");
    let line = format!("POST /resources/refused/{}/resend", kept["id"].as_str().unwrap());
    assert_eq!(api.ask(&line, "").status, 400);
}

#[test]
fn a_call_of_two_messages_is_taken_whole_or_not_at_all() {
    let api = Api::new();
    let call = r#"{"userId":{},"groupId":"g","messageId":"1"}"#;
    let answer = api.ask("POST /v1/group", call);
    assert_eq!((answer.status, answer.header("muster-refused")), (200, "1"));
    assert_eq!(rows(&api, "select count(*) from messages"), "[[0]]");
    assert_eq!(api.page("/resources/accounts").0, [""; 0]);
    api.check("POST /v1/group", r#"{"userId":"u","groupId":"g","messageId":"1"}"#, SUCCESS);
}

/// The batch's context says to which account an event belongs; and an event without a time happened when it came.
#[test]
fn a_call_set_aside_keeps_what_its_batch_said() {
    let api = Api::new();
    for (own, messages) in [("", "no"), (r#""context":{"ip":"::1"},"#, "own"), (r#""context":{},"#, "empty")] {
        let call = format!(r#"{{"type":"track",{own}"userId":"u","messageId":"{messages}"}}"#);
        api.ask(BATCH, &format!(r#"{{"context":{{"groupId":"g"}},"batch":[{call}]}}"#));
        let kept = &api.read("/resources/refused")["results"][0];
        assert_eq!(kept["body"]["context"]["groupId"], "g", "{kept}");
        let received_at = kept["receivedAt"].as_str().unwrap().to_owned();
        api.pass_seconds(3_600);
        let mut body = kept["body"].clone();
        body["event"] = format!("by {messages}").into();
        let line = format!("POST /resources/refused/{}/resend", kept["id"].as_str().unwrap());
        api.check(&line, &body.to_string(), r#"200 {"message":"Success."}"#);
        let events = api.read("/resources/accounts/g/events");
        let is_it = |event: &&serde_json::Value| event["event"] == body["event"];
        let event =
            events["results"].as_array().unwrap().iter().find(is_it).expect("it belongs to the batch's account");
        assert_eq!(event["timestamp"], received_at, "{event}");
    }
}

/// It is kept as the messages that it became, which are still the call's own.
#[test]
fn a_call_that_was_a_conflict_is_one_again_until_it_has_an_id_of_its_own() {
    let api = Api::new();
    let calls = [
        (r#"{"type":"track","event":"e","userId":"u","messageId":"1","properties":{"p":1}}"#, r#""p":1"#, r#""p":2"#),
        (r#"{"type":"identify","userId":"u","messageId":"2","traits":{"p":1}}"#, r#""p":1"#, r#""p":2"#),
        (
            r#"{"type":"track","event":"e","anonymousId":"a","messageId":"3","properties":{"p":1}}"#,
            r#""p":1"#,
            r#""p":2"#,
        ),
    ];
    for (call, first, other) in calls {
        assert_eq!(api.ask(BATCH, &format!(r#"{{"batch":[{call}]}}"#)).header("muster-refused"), "0");
        let count = || rows(&api, "select count(*) from messages");
        let before = count();
        let answer = api.ask(BATCH, &format!(r#"{{"batch":[{}]}}"#, call.replace(first, other)));
        assert_eq!(answer.header("muster-refused"), "1", "{call}");
        let kept = api.read("/resources/refused")["results"][0].clone();
        assert_eq!(kept["code"], "conflict", "{kept}");
        let line = format!("POST /resources/refused/{}/resend", kept["id"].as_str().unwrap());
        let answer = api.ask(&line, "");
        assert_eq!((answer.status, &answer.json()["error"]["errors"][0]["code"]), (400, &"conflict".into()), "{call}");
        assert_eq!(count(), before, "{call}");
        let kept = api.read("/resources/refused")["results"][0].clone();
        let line = format!("POST /resources/refused/{}/resend", kept["id"].as_str().unwrap());
        let mut body = kept["body"].clone();
        body["messageId"] = format!("its own {call}").into();
        api.check(&line, &body.to_string(), r#"200 {"message":"Success."}"#);
        assert_ne!(count(), before, "{call}");
        assert_eq!(api.read("/resources/refused")["results"], serde_json::json!([]), "{call}");
    }
}
