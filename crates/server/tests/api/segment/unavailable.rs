//! Answers when the server cannot take anything: to be sent again, and when.

use muster_store::{memory::MemoryStore, status::Status};

use super::BATCH;
use crate::harness::Api;

#[track_caller]
fn check(api: &Api, retry_after: &str) {
    let body = r#"{"batch":[{"type":"track","userId":"u","event":"e","messageId":"1"}]}"#;
    let answer = api.ask_with(BATCH, &[("origin", "https://app.example")], body);
    let told = answer.json();
    assert_eq!((answer.status, answer.header("retry-after")), (503, retry_after), "{}", answer.body);
    assert_eq!((&told["code"], &told["message"]), (&"unavailable".into(), &told["error"]));
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example");
    assert!(answer.header("access-control-expose-headers").contains("Retry-After"));
}

#[test]
fn a_store_that_takes_no_writes() {
    check(&Api::over(MemoryStore::with_room(0), |_| {}), "1");
    let api = Api::new();
    api.store.stop("the disk said no");
    check(&api, "30");
    let api = Api::new();
    api.runtime.block_on(api.store.close()).unwrap();
    check(&api, "5");
}

#[test]
fn no_room_for_a_body() {
    check(&Api::with(|settings| settings.in_flight_bytes_max = 10), "1");
}
