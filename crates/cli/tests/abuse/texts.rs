//! Text that is legal JSON, or nearly: invalid UTF-8, lone surrogates, NUL, duplicate keys.
//!
//! Whatever is done with such a message, its neighbours are kept, the answer says what happened, and every later read
//! is valid JSON in valid UTF-8 that says the same before and after a restart.

use serde_json::{Value, json};

use super::check_healthy;
use super::harness::home::Home;
use super::harness::http::{Answer, Client};
use super::harness::messages::{Collection, track};
use super::harness::reads::{Snapshot, message_ids};
use super::harness::server::Launch;

/// Sends the message between two good ones.
fn between_good_ones(client: &mut Client, name: &str, message: &[u8]) -> Answer {
    let before = track("neighbour", "opened", &format!("{name}-before")).to_string();
    let after = track("neighbour", "opened", &format!("{name}-after")).to_string();
    let body = [b"[", before.as_bytes(), b",", message, b",", after.as_bytes(), b"]"].concat();
    client.post("/analytics/v1/batch", &body).unwrap()
}

/// Fails unless exactly the middle one was refused, with this code.
#[track_caller]
fn check_refused(answer: &Answer, code: &str) {
    assert_eq!(answer.status, 400, "{}", answer.text());
    let error = &answer.json()["error"];
    assert_eq!(error["stored"], 2, "{error}");
    assert_eq!((&error["errors"][0]["index"], &error["errors"][0]["code"]), (&json!(1), &json!(code)), "{error}");
    assert_eq!(error["errors"].as_array().unwrap().len(), 1, "{error}");
}

/// A user message with this text as it stands for the value of one trait.
fn user(name: &str, trait_text: &[u8]) -> Vec<u8> {
    let head = format!(
        r#"{{"type":"user","userId":"{name}","accountId":"a","messageId":"{name}","timestamp":"2024-05-01","traits":{{"odd":"#
    );
    [head.as_bytes(), trait_text, b"}}"].concat()
}

/// Fails unless all can be read as JSON, and reads the same after a restart.
fn check_readable_for_ever(home: &Home, server: super::harness::server::Server) {
    let before = Snapshot::take(&mut server.client());
    let refused = server.client().get("/resources/refused").unwrap().expect(200);
    std::str::from_utf8(&refused.body).unwrap();
    refused.json();
    server.kill();
    let server = Launch::new(home).start();
    before.assert_same(&before.again(&mut server.client()));
    assert_eq!(server.client().get("/resources/refused").unwrap().text(), refused.text());
    check_healthy(&mut server.client(), "after");
}

#[test]
fn invalid_utf8_costs_only_its_own_message() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut client = server.client();
    let cases: [(&str, &[u8]); 5] = [
        ("stray", b"\"caf\xe9\""),
        ("cut", b"\"\xe2\x82\""),
        ("overlong", b"\"\xc0\xaf\""),
        ("surrogate", b"\"\xed\xa0\x80\""),
        ("beyond", b"\"\xf5\x80\x80\x80\""),
    ];
    for (name, text) in cases {
        check_refused(&between_good_ones(&mut client, name, &user(name, text)), "invalid_utf8");
        client.get(&format!("/resources/users/{name}")).unwrap().expect(404);
    }
    // In a key, in an identifier, and in a message of its own.
    let in_key =
        b"{\"type\":\"track\",\"userId\":\"u\",\"event\":\"e\",\"messageId\":\"k\",\"properties\":{\"\xff\":1}}";
    check_refused(&between_good_ones(&mut client, "key", in_key), "invalid_utf8");
    let in_id = b"{\"type\":\"track\",\"userId\":\"u\xff\",\"event\":\"e\",\"messageId\":\"i\"}";
    check_refused(&between_good_ones(&mut client, "id", in_id), "invalid_utf8");
    let alone =
        client.post("/analytics/v1/track", b"{\"userId\":\"u\",\"event\":\"\xff\",\"messageId\":\"a\"}").unwrap();
    assert_eq!((alone.status, &alone.json()["error"]["errors"][0]["code"]), (400, &json!("invalid_utf8")));
    assert_eq!(message_ids(&mut client, Collection::Users, "neighbour").len(), 14);
    check_readable_for_ever(&home, server);
}

#[test]
fn lone_surrogates_get_a_clear_answer() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut client = server.client();
    for (name, text) in [("high", r#""\ud800""#), ("low", r#""a\udc00b""#), ("swapped", r#""\udc00\ud800""#)] {
        let answer = between_good_ones(&mut client, name, &user(name, text.as_bytes()));
        check_kept_or_explained(&mut client, name, &answer);
    }
    // A pair in the right order is a character like any other.
    between_good_ones(&mut client, "pair", &user("pair", br#""\ud83d\ude00""#)).expect_success();
    assert_eq!(client.read("/resources/users/pair")["traits"]["odd"], "\u{1f600}");
    // No text has such an identifier, so none can be looked up by it.
    let in_id = br#"{"type":"track","userId":"\ud800","event":"e","messageId":"i"}"#;
    check_refused(&between_good_ones(&mut client, "id", in_id), "invalid_id");
    assert_eq!(message_ids(&mut client, Collection::Users, "neighbour").len(), 10);
    check_readable_for_ever(&home, server);
}

/// A message that may be taken or not: either the record is there, or the answer names the message.
#[track_caller]
fn check_kept_or_explained(client: &mut Client, name: &str, answer: &Answer) {
    let there = client.get(&format!("/resources/users/{name}")).unwrap();
    if answer.status == 200 {
        assert!(there.expect(200).json()["traits"]["odd"].is_string(), "{name} was accepted");
    } else {
        there.expect(404);
        assert_eq!(answer.status, 400, "{}", answer.text());
        let error = &answer.json()["error"];
        assert_eq!((&error["stored"], &error["errors"][0]["index"]), (&json!(2), &json!(1)), "{name}: {error}");
    }
}

#[test]
fn nul_is_a_value_like_any_other_and_no_identifier() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut client = server.client();
    between_good_ones(&mut client, "value", &user("value", br#""a\u0000b""#)).expect_success();
    assert_eq!(client.read("/resources/users/value")["traits"]["odd"], "a\u{0}b");
    let in_id = br#"{"type":"track","userId":"a\u0000b","event":"e","messageId":"i"}"#;
    check_refused(&between_good_ones(&mut client, "id", in_id), "invalid_id");
    let in_key = br#"{"type":"user","userId":"key","accountId":"a","messageId":"k","traits":{"a\u0000":1}}"#;
    between_good_ones(&mut client, "key", in_key).expect_success();
    assert_eq!(client.read("/resources/users/key")["traits"], json!({"a\u{0}": 1}));
    assert_eq!(message_ids(&mut client, Collection::Users, "neighbour").len(), 6);
    check_readable_for_ever(&home, server);
}

#[test]
fn duplicate_keys_mean_the_same_to_every_reader() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut client = server.client();
    let in_traits = br#"{"type":"user","userId":"twice","accountId":"a","messageId":"t","timestamp":"2024-05-01","traits":{"odd":"first","odd":"second"}}"#;
    let answer = between_good_ones(&mut client, "traits", in_traits);
    check_kept_or_explained(&mut client, "twice", &answer);
    let seen = client.get("/resources/users/twice").unwrap().text();
    assert!(seen.matches("\"odd\"").count() <= 1, "a reader must not have to choose: {seen}");

    // Whoever reads the first and whoever reads the last would store it under different ids.
    let in_message = br#"{"type":"track","userId":"one","userId":"other","event":"e","messageId":"d"}"#;
    let answer = between_good_ones(&mut client, "message", in_message);
    let found: Vec<Value> =
        ["one", "other"].map(|id| json!(client.get(&format!("/resources/users/{id}")).unwrap().status)).into();
    match answer.status {
        200 => assert_eq!(found.iter().filter(|status| **status == 200).count(), 1, "{found:?}"),
        _ => assert_eq!((answer.status, found), (400, vec![json!(404), json!(404)]), "{}", answer.text()),
    }
    assert_eq!(message_ids(&mut client, Collection::Users, "neighbour").len(), 4);
    check_readable_for_ever(&home, server);
}
