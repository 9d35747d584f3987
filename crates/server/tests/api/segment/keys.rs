//! The key, wherever it stands, and who may not send.

use muster_store::credentials::Scopes;

use super::{BATCH, SUCCESS};
use crate::harness::{Api, OPERATOR, TOKEN};

const CALL: &str = r#"{"type":"track","userId":"u","event":"e","messageId":"1"}"#;
const NOBODY: (&str, &str) = ("authorization", "");

fn encoded(text: &str) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text)
}

#[test]
fn the_key_is_found_wherever_it_stands() {
    let api = Api::new();
    let (plain, typed) = (format!(r#"{{"batch":[{CALL}]}}"#), CALL);
    for header in [
        format!("Basic {}", encoded(&format!("{TOKEN}:"))),
        format!("Basic {}", encoded(TOKEN)),
        format!("Basic {TOKEN}"),
        format!("Bearer {TOKEN}"),
    ] {
        api.check_with(BATCH, &[("authorization", &header)], &plain, SUCCESS);
    }
    let in_body = format!(r#"{{"batch":[{CALL}],"writeKey":"{TOKEN}"}}"#);
    let in_call = format!(r#"{{"batch":[{CALL},{}]}}"#, CALL.replacen('{', &format!(r#"{{"writeKey":"{TOKEN}","#), 1));
    let wrong = ("authorization", "Basic bm9ib2R5Og==");
    for head in [NOBODY, wrong] {
        api.check_with(BATCH, &[head], &in_body, SUCCESS);
        api.check_with(BATCH, &[head], &in_call, SUCCESS);
        api.check_with(&format!("{BATCH}?writeKey={TOKEN}"), &[head], &plain, SUCCESS);
        api.check_with(&format!("POST /beacon/v1/batch?writeKey={TOKEN}"), &[head], &plain, SUCCESS);
        let one = typed.replacen('{', &format!(r#"{{"writeKey":"{TOKEN}","#), 1);
        api.check_with("POST /v1/t", &[head], &one, SUCCESS);
    }
    api.check_with(&format!("{BATCH}?writeKey=nobody"), &[NOBODY], &in_body, SUCCESS);
}

#[test]
fn a_key_is_never_kept_with_a_call() {
    let api = Api::new();
    let call = CALL.replacen('{', &format!(r#"{{"writeKey":"{TOKEN}","#), 1);
    api.check_with("POST /v1/track", &[NOBODY], &call, SUCCESS);
    let kept = super::rows(&api, "select message from messages");
    assert!(kept.contains("\\\"e\\\"") && !kept.contains(TOKEN), "{kept}");
}

#[test]
fn who_may_not_send_is_told_once_and_for_all() {
    let api = Api::new();
    api.key("default", "only-read", Scopes::READ);
    let body = format!(r#"{{"batch":[{CALL}]}}"#);
    let named = format!(r#"{{"batch":[{CALL}],"writeKey":"nobody"}}"#);
    for (head, body, code) in [
        (NOBODY, &body, "no_write_key"),
        (("authorization", "Basic bm9ib2R5Og=="), &body, "invalid_write_key"),
        (NOBODY, &named, "invalid_write_key"),
        (("authorization", "Basic only-read"), &body, "missing_scope"),
        (("authorization", &format!("Basic {OPERATOR}")), &body, "invalid_write_key"),
    ] {
        let answer = api.ask_with(BATCH, &[head], body.clone());
        let told = answer.json();
        assert_eq!((answer.status, told["code"].as_str()), (400, Some(code)), "{}", answer.body);
        assert!(told["message"].is_string() && told["error"] == told["message"], "{told}");
        assert!(!answer.body.contains("nobody") && answer.header("retry-after").is_empty());
    }
    assert_eq!(super::rows(&api, "select count(*) from messages"), "[[0]]");
}

#[test]
fn every_key_sends_to_its_own_workspace() {
    let api = Api::new();
    api.key("other", "other-token", Scopes::ALL);
    api.check_with(BATCH, &[NOBODY], &format!(r#"{{"batch":[{CALL}],"writeKey":"other-token"}}"#), SUCCESS);
    assert_eq!(api.page("/resources/users").0, [""; 0]);
    let answer = api.ask_with("GET /resources/users/u", &[("authorization", "Basic other-token")], "");
    assert_eq!(answer.status, 200);
}

#[test]
fn a_rate_limit_is_told_with_whole_seconds() {
    let api = Api::with(|settings| settings.requests_per_minute = 1);
    let in_body = format!(r#"{{"batch":[{CALL}],"writeKey":"{TOKEN}"}}"#);
    let first = api.ask_with(BATCH, &[NOBODY], in_body.clone());
    assert_eq!((first.status, first.header("ratelimit-remaining")), (200, "0"));
    for head in [NOBODY, ("authorization", &format!("Bearer {TOKEN}"))] {
        let answer = api.ask_with(BATCH, &[head, ("origin", "https://app.example")], in_body.clone());
        assert_eq!((answer.status, answer.json()["code"].as_str()), (429, Some("rate_limited")));
        assert!((1..=60).contains(&answer.header("retry-after").parse::<u64>().unwrap()), "{answer:?}");
        assert!(answer.header("access-control-expose-headers").contains("Retry-After"));
    }
}
