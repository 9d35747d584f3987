//! A store that is full, stopped or closing; a server without room.

use muster_store::{memory::MemoryStore, status::Status};

use crate::harness::Api;

const BATCH: &str = "POST /analytics/v1/batch";
const GOOD: &str = r#"[{"type":"account","accountId":"a","messageId":"1"}]"#;

#[track_caller]
fn check(api: &Api, says: &str, retry_after: &str) {
    let answer = api.ask(BATCH, GOOD);
    assert_eq!((answer.status, answer.json()), (503, serde_json::json!({"error": says})));
    assert_eq!(answer.header("retry-after"), retry_after);
}

#[test]
fn a_full_store() {
    let api = Api::over(MemoryStore::with_room(0), |_| {});
    check(&api, "more messages are waiting to be stored than there is room for; send the request again", "1");
}

#[test]
fn a_stopped_store_goes_on_reading() {
    let api = Api::new();
    api.send(GOOD);
    api.store.stop("the disk said no");
    check(&api, "the server takes no messages until it is restarted; keep them and send them again later", "30");
    assert_eq!(api.page("/resources/accounts").0, ["a"]);
    let answer = api.ask("GET /readyz", "");
    assert_eq!((answer.status, &answer.json()["status"]), (503, &"stopped".into()));
    assert!(!answer.body.contains("disk"), "{}", answer.body);
}

#[test]
fn a_closing_store() {
    let api = Api::new();
    api.runtime.block_on(api.store.close()).unwrap();
    check(&api, "the server is shutting down; send the request again in a moment", "5");
}

#[test]
fn no_room_for_a_body() {
    let api = Api::with(|settings| settings.in_flight_bytes_max = 10);
    check(
        &api,
        "too many bodies are being received at this moment; send the request again, nothing of it was stored",
        "1",
    );
}

#[test]
fn room_comes_back() {
    let api = Api::with(|settings| settings.in_flight_bytes_max = GOOD.len());
    for _ in 0..3 {
        api.check(BATCH, GOOD, r#"200 {"message":"Success."}"#);
    }
    // Packed, it takes its packed and its unpacked size, and there is not that much.
    let packed = zstd::encode_all(GOOD.as_bytes(), 1).unwrap();
    assert_eq!(api.ask_with(BATCH, &[("content-encoding", "zstd")], packed).status, 503);
    api.check(BATCH, GOOD, r#"200 {"message":"Success."}"#);
}
