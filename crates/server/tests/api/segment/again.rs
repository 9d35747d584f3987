//! Sent again: nothing is there twice, however much time has passed and whatever libraries add to a second attempt.

use super::{BATCH, SUCCESS, rows};
use crate::harness::Api;

#[test]
fn a_second_attempt_changes_nothing() {
    let api = Api::new();
    let calls = |attempt: usize| {
        let more = format!(
            r#""timestamp":"2026-01-01T00:00:00Z","sentAt":"2026-01-01T00:00:0{attempt}Z","_metadata":{{"retryCount":{attempt}}}"#
        );
        format!(
            r#"{{"sentAt":"2026-01-01T00:00:0{attempt}Z","batch":[
            {{"type":"identify","userId":"u","anonymousId":"x","messageId":"1","traits":{{"a":1,"company":{{"id":"c","remove":true}}}},{more}}},
            {{"type":"group","userId":"u","groupId":"g","messageId":"2",{more}}},
            {{"type":"track","userId":"u","event":"e","messageId":"3",{more}}},
            {{"type":"page","anonymousId":"x","messageId":"4",{more}}},
            {{"type":"alias","userId":"u","previousId":"x","messageId":"5",{more}}}]}}"#
        )
    };
    for attempt in 0..4 {
        api.check(BATCH, &calls(attempt), SUCCESS);
        api.pass_seconds(37);
    }
    let found = rows(&api, "select kind, count(*) from messages group by 1 order by 1");
    assert_eq!(found, r#"[["account",1],["track",2],["unlink",1],["user",3]]"#);
    assert_eq!(api.read("/resources/refused")["results"], serde_json::json!([]));
}

#[test]
fn who_is_known_by_the_second_attempt_makes_no_other_call_of_it() {
    let api = Api::new();
    let call = |user: &str| {
        format!(r#"{{"batch":[{{"type":"page","name":"Home","anonymousId":"x","userId":{user},"messageId":"1"}}]}}"#)
    };
    for user in ["null", "\"u\"", "null"] {
        api.check(BATCH, &call(user), SUCCESS);
    }
    assert_eq!(rows(&api, "select user_id, count(*) from messages"), "[[null,1]]");
    assert_eq!(api.read("/resources/refused")["results"], serde_json::json!([]));
    // Without an id, someone else's call is another one.
    for user in ["u", "v"] {
        api.check(BATCH, &format!(r#"{{"batch":[{{"type":"track","event":"e","userId":"{user}"}}]}}"#), SUCCESS);
    }
    assert_eq!(rows(&api, "select count(*) from messages where event = 'e'"), "[[2]]");
}

#[test]
fn a_call_without_an_id_is_the_same_when_it_says_the_same() {
    let api = Api::new();
    let call =
        |event: &str| format!(r#"{{"type":"track","userId":"u","event":"{event}","properties":{{"a":1,"b":2}}}}"#);
    let spelled =
        r#"{ "event":"e", "properties":{"b":2,"a":1},"type":"Track","userId":"u", "messageId":null, "context":{} }"#;
    api.check(BATCH, &format!(r#"{{"batch":[{},{spelled},{}]}}"#, call("e"), call("f")), SUCCESS);
    api.pass_seconds(5);
    api.check(BATCH, &format!(r#"{{"batch":[{}]}}"#, call("e")), SUCCESS);
    assert_eq!(rows(&api, "select event from messages order by 1"), r#"[["e"],["f"]]"#);
}

#[test]
fn another_call_of_the_same_id_is_set_aside() {
    let api = Api::new();
    let call = |value: u8| {
        format!(r#"{{"type":"track","userId":"u","event":"e","messageId":"1","properties":{{"a":{value}}}}}"#)
    };
    let answer = api.ask(BATCH, &format!(r#"{{"batch":[{},{}]}}"#, call(1), call(2)));
    assert_eq!((answer.status, answer.header("muster-refused")), (200, "1"));
    assert_eq!(api.read("/resources/refused")["results"][0]["code"], "conflict");
    assert_eq!(rows(&api, "select properties from messages"), r#"[["{\"a\":1}"]]"#);
}
