//! Calls of the Segment spec: `/v1`, `/rudderstack`, `/beacon`, settings of libraries.

/// Every path, in both forms.
mod paths;

/// The key, wherever it stands, and who may not send.
mod keys;

/// Bodies as they come: labelled wrongly, compressed, large, spoiled.
mod bodies;

/// What each call becomes.
mod meaning;

/// Events of someone anonymous, and whose they turn out to be.
mod anonymous;

/// Timestamps, and whose clock counts.
mod clocks;

/// Sent again: nothing is there twice.
mod again;

/// Calls that break a rule, set aside and sent again.
mod refused;

/// Pages of other origins.
mod cors;

/// Answers when the server cannot take anything.
mod unavailable;

/// What libraries ask for before they start.
mod settings;

use crate::harness::Api;

const BATCH: &str = "POST /v1/batch";
const SUCCESS: &str = r#"200 {"success":true}"#;

/// Sends calls in one batch; all must be taken.
#[track_caller]
fn send(api: &Api, calls: &str) {
    let answer = api.ask(BATCH, &format!(r#"{{"batch":[{calls}]}}"#));
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"success":true}"#));
    assert_eq!(answer.header("muster-refused"), "0", "{}", api.ask("GET /resources/refused", "").body);
}

/// The names of a timeline's events, newest first.
#[track_caller]
fn events(api: &Api, target: &str) -> Vec<String> {
    let page = api.read(&format!("{target}/events"));
    page["results"].as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect()
}

/// The rows that a query gives, as JSON.
#[track_caller]
fn rows(api: &Api, sql: &str) -> String {
    let answer = api.ask("POST /query", &serde_json::json!({ "sql": sql }).to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["rows"].to_string()
}
