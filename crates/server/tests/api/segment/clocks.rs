//! Timestamps, and whose clock counts. The server's stands at 2026-01-01T00:00:00Z.

use super::{BATCH, SUCCESS, rows};
use crate::harness::Api;

#[track_caller]
fn check(call: &str, envelope: &str, expected: &str) {
    let api = Api::new();
    let call = format!(r#"{{"type":"track","userId":"u","event":"e","messageId":"1"{call}}}"#);
    api.check(BATCH, &format!(r#"{{"batch":[{call}]{envelope}}}"#), SUCCESS);
    let found = rows(&api, "select timestamp from messages");
    assert_eq!(found, format!(r#"[["{expected}"]]"#), "{call}");
}

#[test]
fn a_call_has_the_time_it_says_or_that_of_its_receipt() {
    let receipt = "2026-01-01T00:00:00.000Z";
    check("", "", receipt);
    check(r#","timestamp":null"#, "", receipt);
    check(r#","timestamp":"""#, "", receipt);
    check(r#","timestamp":"2025-01-02T03:04:05Z""#, "", "2025-01-02T03:04:05.000Z");
    check(r#","timestamp":"2025-01-02T03:04:05.123456789+02:00""#, "", "2025-01-02T01:04:05.123Z");
    check(r#","originalTimestamp":"2025-01-02T03:04:05Z""#, "", "2025-01-02T03:04:05.000Z");
    check(
        r#","timestamp":"2025-01-02T03:04:05Z","originalTimestamp":"2020-01-02T03:04:05Z""#,
        "",
        "2025-01-02T03:04:05.000Z",
    );
    check(r#","timestamp":1735787045"#, "", "2025-01-02T03:04:05.000Z");
}

#[test]
fn a_wrong_clock_is_corrected_by_what_was_sent_when() {
    let ahead = r#","timestamp":"2026-02-01T00:00:00Z""#;
    let sent = r#","sentAt":"2026-02-01T00:00:10Z""#;
    check(ahead, sent, "2025-12-31T23:59:50.000Z");
    check(&format!("{ahead}{sent}"), "", "2025-12-31T23:59:50.000Z");
    check(r#","originalTimestamp":"2026-02-01T00:00:00Z""#, sent, "2025-12-31T23:59:50.000Z");
    // Of the past on purpose.
    check(r#","timestamp":"2019-02-01T00:00:00Z""#, sent, "2019-02-01T00:00:00.000Z");
    check(ahead, r#","sentAt":"soon""#, "2026-02-01T00:00:00.000Z");
}

#[test]
fn the_head_of_a_request_may_say_when_it_was_sent() {
    let api = Api::new();
    let call = r#"{"userId":"u","event":"e","messageId":"1","timestamp":"2026-02-01T00:00:00Z"}"#;
    api.check_with("POST /v1/track", &[("sentat", "2026-02-01T00:00:10Z")], call, SUCCESS);
    assert_eq!(rows(&api, "select timestamp from messages"), r#"[["2025-12-31T23:59:50.000Z"]]"#);
    let kept = rows(&api, "select message ->> 'originalTimestamp' from messages");
    assert_eq!(kept, r#"[["2026-02-01T00:00:00Z"]]"#);
}
