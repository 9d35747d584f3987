//! The live view: what is told, to whom, and when it ends.

use axum::body::{Body, BodyDataStream};
use muster_store::credentials::{Credentials, Scopes};
use serde_json::Value;
use tokio::time::{Duration, timeout};

use crate::{
    harness::{Api, TOKEN},
    ui::{ask, signed_in},
};

const JSON: (&str, &str) = ("content-type", "application/json");
/// How long something that must come may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Begins to watch.
fn watch(api: &Api, cookie: &str) -> BodyDataStream {
    let response = api.stream("GET /live/events", &[("cookie", cookie)]);
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    Body::into_data_stream(response.into_body())
}

/// The next event, or nothing when the stream has ended.
fn next(api: &Api, stream: &mut BodyDataStream) -> Option<String> {
    use futures_util::StreamExt;
    let piece = api.runtime.block_on(async { timeout(PATIENCE, stream.next()).await.expect("an event in time") });
    piece.map(|piece| String::from_utf8(piece.unwrap().to_vec()).unwrap())
}

fn told(event: &str) -> Value {
    serde_json::from_str(event.strip_prefix("data: ").expect("data").trim_end()).expect("JSON")
}

#[test]
fn what_becomes_of_messages_is_told() {
    let api = Api::new();
    let cookie = signed_in(&api, TOKEN);
    assert!(ask(&api, "GET /live", &cookie, "").body.contains("data-source=\"/live/events\""));
    let mut stream = watch(&api, &cookie);
    let good = r#"{"type":"track","userId":"a/b","accountId":"c","event":"<b>","messageId":"m"}"#;
    let other = r#"{"type":"track","userId":"a/b","accountId":"c","event":"other","messageId":"m"}"#;
    let bad = r#"{"type":"track","messageId":"n"}"#;
    api.ask_with("POST /analytics/v1/batch", &[JSON], format!("[{good},{bad},{good},{other}]"));
    let events: Vec<Value> = (0..4).map(|_| told(&next(&api, &mut stream).expect("an event"))).collect();
    let mut outcomes: Vec<&str> = events.iter().map(|one| one["outcome"].as_str().unwrap()).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["conflict", "duplicate", "refused", "stored"]);
    let stored = events.iter().find(|one| one["outcome"] == "stored").unwrap();
    assert_eq!((&stored["type"], &stored["what"], &stored["key"]), (&"track".into(), &"<b>".into(), &"test".into()));
    assert_eq!(stored["records"][0]["href"], "/users/a%2Fb");
    assert!(stored["body"].as_str().unwrap().contains("\"messageId\": \"m\""));
    let refused = events.iter().find(|one| one["outcome"] == "refused").unwrap();
    assert!(!refused["why"].as_str().unwrap().is_empty());
}

#[test]
fn what_an_atomic_request_leaves_out_is_told() {
    let api = Api::new();
    let cookie = signed_in(&api, TOKEN);
    let mut stream = watch(&api, &cookie);
    let good = r#"{"type":"track","userId":"a","event":"good","messageId":"m"}"#;
    let bad = r#"{"type":"track","userId":"a","messageId":"n"}"#;
    let answer = api.ask_with("POST /analytics/v1/batch?atomic=true", &[JSON], format!("[{good},{bad}]"));
    assert_eq!(answer.status, 400);
    let events: Vec<Value> = (0..2).map(|_| told(&next(&api, &mut stream).expect("an event"))).collect();
    let of = |outcome: &str| events.iter().find(|one| one["outcome"] == outcome).expect("an event of this outcome");
    assert!(of("refused")["why"].as_str().unwrap().contains("event"), "{events:?}");
    assert_eq!(of("withheld")["what"], "good");
    assert!(of("withheld")["why"].as_str().unwrap().starts_with("not stored"), "{events:?}");
    assert_eq!(api.ask("GET /resources/users/a", "").status, 404);
    assert_eq!(api.read("/resources/refused")["results"].as_array().map(Vec::len), Some(0));
}

#[test]
fn another_workspace_is_not_watched_and_a_revoked_key_sees_no_more() {
    let api = Api::new();
    api.key("other", "of-the-other", Scopes::ALL);
    let mut stream = watch(&api, &signed_in(&api, "of-the-other"));
    let message = r#"{"userId":"a","event":"mine","messageId":"m"}"#;
    assert_eq!(api.ask_with("POST /analytics/v1/track", &[JSON], message).status, 200);
    let headers = [("authorization", "Basic of-the-other"), JSON];
    let message = message.replace("mine", "theirs");
    assert_eq!(api.ask_with("POST /analytics/v1/track", &headers, message).status, 200);
    assert_eq!(told(&next(&api, &mut stream).expect("an event"))["what"], "theirs");
    let key = api.store.keys().into_iter().find(|key| key.workspace.name == "other").unwrap();
    api.runtime.block_on(api.store.revoke_key(key.id, muster_model::time::Micros(1))).unwrap();
    assert_eq!(next(&api, &mut stream), None, "the stream ends");
}

#[test]
fn what_is_refused_is_told_as_it_calls_itself() {
    let api = Api::new();
    let cookie = signed_in(&api, TOKEN);
    let page = ask(&api, "GET /live", &cookie, "").body;
    for kind in ["track", "customobjectinstance", "customobject", "npsresponse", "leave", "batch", "segment"] {
        assert!(page.contains(&format!("<option>{kind}</option>")), "{kind}: {page}");
    }
    let mut stream = watch(&api, &cookie);
    let bad = r#"[{"type":"usr","event":"named","messageId":"1"},{"type":"USER","messageId":"2"},{"type":7,"messageId":"3"}]"#;
    api.ask_with("POST /analytics/v1/batch", &[JSON], bad);
    let events: Vec<Value> = (0..3).map(|_| told(&next(&api, &mut stream).expect("an event"))).collect();
    let kinds: Vec<&str> = events.iter().map(|one| one["type"].as_str().unwrap()).collect();
    assert_eq!((kinds, &events[0]["what"]), (vec!["usr", "user", "batch"], &"named".into()));
}

#[test]
fn as_many_watch_as_may() {
    let api = Api::new();
    let cookie = signed_in(&api, TOKEN);
    let mut streams: Vec<BodyDataStream> = (0..64).map(|_| watch(&api, &cookie)).collect();
    let full = ask(&api, "GET /live/events", &cookie, "");
    assert_eq!((full.status, full.header("retry-after")), (503, "1"));
    streams.pop();
    streams.push(watch(&api, &cookie));
}
