//! Bodies as bytes: compression, bombs, sizes, nesting, and what is no JSON.
//!
//! The server's memory is read from the system: a bomb may cost it no more than the documented limits allow.

use std::io::Write;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::{Value, json};

use super::harness::home::Home;
use super::harness::http::{Answer, Client};
use super::harness::messages::{Collection, track};
use super::harness::reads::message_ids;
use super::harness::server::{Launch, Server};
use super::{check_healthy, refusal};

const MIB: usize = 1024 * 1024;
/// What a request may cost at most: its body twice over, and room for the allocator to be generous.
const REQUEST_BYTES_MAX: u64 = 96 * MIB as u64;

/// Feeds `pieces` times the same piece through an encoder of the given name.
fn encode(encoding: &str, piece: &[u8], pieces: usize) -> Vec<u8> {
    fn feed<W: Write>(mut writer: W, piece: &[u8], pieces: usize) -> W {
        for _ in 0..pieces {
            writer.write_all(piece).unwrap();
        }
        writer
    }
    let out = Vec::new();
    match encoding {
        "gzip" => feed(GzEncoder::new(out, Compression::fast()), piece, pieces).finish().unwrap(),
        "deflate" => feed(ZlibEncoder::new(out, Compression::fast()), piece, pieces).finish().unwrap(),
        "zstd" => feed(zstd::Encoder::new(out, 1).unwrap(), piece, pieces).finish().unwrap(),
        "br" => feed(brotli::CompressorWriter::new(out, 4096, 1, 22), piece, pieces).into_inner(),
        other => panic!("no encoder for {other}"),
    }
}

fn send(client: &mut Client, encoding: &str, body: &[u8]) -> Answer {
    client.request("POST", "/analytics/v1/batch", &[("Content-Encoding", encoding)], body).unwrap()
}

#[test]
fn every_documented_compression_is_understood() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut client = server.client();
    for encoding in ["gzip", "zstd", "br", "deflate"] {
        let body = json!([track("u", "opened", encoding)]).to_string();
        send(&mut client, encoding, &encode(encoding, body.as_bytes(), 1)).expect_success();
        let shouted = json!([track("u", "opened", &encoding.to_uppercase())]).to_string();
        send(&mut client, &encoding.to_uppercase(), &encode(encoding, shouted.as_bytes(), 1)).expect_success();
    }
    send(&mut client, "identity", json!([track("u", "opened", "plain")]).to_string().as_bytes()).expect_success();
    assert_eq!(message_ids(&mut client, Collection::Users, "u").len(), 9);

    let whole = encode("gzip", json!([track("u", "opened", "cut")]).to_string().as_bytes(), 1);
    for (encoding, body) in [("gzip", &whole[..whole.len() - 12]), ("zstd", &whole), ("br", b"[]"), ("gzip", b"[]")] {
        let answer = send(&mut client, encoding, body).expect(400);
        assert!(!refusal(&answer).is_empty());
    }
    assert_eq!(message_ids(&mut client, Collection::Users, "u").len(), 9);
}

#[test]
fn an_unknown_compression_is_named() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut client = server.client();
    let answer = send(&mut client, "snappy", b"[]").expect(415);
    let sentence = refusal(&answer);
    for known in ["gzip", "zstd", "br", "deflate"] {
        assert!(sentence.contains(known), "says what to send instead: {sentence}");
    }
    check_healthy(&mut client, "after");
}

/// Sends a body that must be refused as too large, soon, and without filling the server's memory.
#[track_caller]
fn check_too_large(server: &Server, encoding: &str, body: &[u8]) {
    let before = server.memory_peak_bytes();
    let begin = Instant::now();
    let mut client = server.client();
    let answer = send(&mut client, encoding, body);
    let took = begin.elapsed();
    assert_eq!(answer.status, 413, "{encoding}, {} bytes: {}", body.len(), answer.text());
    refusal(&answer);
    assert!(took < Duration::from_secs(10), "{encoding}: refused after {took:?}");
    let grown = server.memory_peak_bytes().saturating_sub(before);
    assert!(grown < REQUEST_BYTES_MAX, "{encoding}: the server grew by {grown} bytes");
    check_healthy(&mut server.client(), &format!("after-{encoding}-{}", body.len()));
}

#[test]
fn a_bomb_does_not_go_off() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let blanks = vec![b' '; MIB];
    for encoding in ["gzip", "zstd", "br"] {
        let bomb = encode(encoding, &blanks, 1024);
        assert!(bomb.len() < 5 * MIB, "{encoding}: small enough to pass the first door: {}", bomb.len());
        check_too_large(&server, encoding, &bomb);
    }
}

/// A batch of `count` messages that together are about `bytes` long.
fn large_batch(count: usize, bytes: usize) -> Vec<u8> {
    let padding = "x".repeat(bytes / count - 300);
    let messages: Vec<Value> = (0..count)
        .map(|at| {
            let mut message = track("heavy", "lifted", &format!("m{at}-{bytes}"));
            message["properties"] = json!({"padding": padding});
            message
        })
        .collect();
    Value::from(messages).to_string().into_bytes()
}

#[test]
fn bodies_over_the_limits_are_refused_and_those_under_them_taken() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let over = large_batch(100, 21 * MIB + MIB / 2);
    assert!(over.len() > 21 * MIB);
    check_too_large(&server, "gzip", &encode("gzip", &over, 1));
    check_too_large(&server, "deflate", &encode("deflate", &over, 1));
    check_too_large(&server, "identity", &over);
    // More than 5 MiB compressed, though little more when unpacked: digits of a generator do not compress to nothing.
    let mut state = 1u64;
    let noise: String = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:016x}", state ^ (state >> 29))
    })
    .take(800_000)
    .collect();
    let noisy = encode("gzip", json!([noise]).to_string().as_bytes(), 1);
    assert!(noisy.len() > 5 * MIB + MIB / 2, "{}", noisy.len());
    check_too_large(&server, "gzip", &noisy);

    let mut client = server.client();
    assert_eq!(message_ids(&mut client, Collection::Users, "heavy").len(), 0);
    let under = large_batch(100, 19 * MIB);
    send(&mut client, "gzip", &encode("gzip", &under, 1)).expect_success();
    assert_eq!(message_ids(&mut client, Collection::Users, "heavy").len(), 100);
}

#[test]
fn a_message_over_its_own_limits_is_refused_alone() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut client = server.client();
    let mut check = |name: &str, properties: String, code: &str| {
        let good = [track("u", "opened", &format!("{name}-before")), track("u", "opened", &format!("{name}-after"))];
        let bad = format!(
            r#"{{"type":"track","userId":"u","event":"e","messageId":"{name}","timestamp":"2024-05-01","properties":{properties}}}"#
        );
        let answer = client.post("/analytics/v1/batch", format!("[{},{bad},{}]", good[0], good[1]).as_bytes()).unwrap();
        assert_eq!(answer.status, 400, "{name}: {}", answer.text());
        let error = &answer.json()["error"];
        assert_eq!((&error["stored"], &error["errors"][0]["index"]), (&json!(2), &json!(1)), "{name}: {error}");
        assert_eq!(error["errors"][0]["code"], code, "{name}: {error}");
    };
    let nested = |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
    let listed = |levels: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    check("nested", nested(10_000), "too_deep");
    check("listed", listed(10_000), "too_deep");
    check("just-too-deep", nested(70), "too_deep");
    check(
        "keys",
        format!("{{{}}}", (0..4_200).map(|at| format!("\"k{at}\":1")).collect::<Vec<_>>().join(",")),
        "too_many_keys",
    );
    check("large", format!(r#"{{"a":"{}"}}"#, "x".repeat(MIB + 1000)), "message_too_large");
    assert_eq!(message_ids(&mut client, Collection::Users, "u").len(), 10, "their neighbours are all there");
}

#[test]
fn nesting_without_end_does_not_exhaust_the_stack() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut client = server.client();
    for body in ["[".repeat(10_000), "[".repeat(4 * MIB), r#"[{"a":"#.repeat(MIB / 2), format!("[{}", "[{".repeat(MIB))]
    {
        let answer = client.post("/analytics/v1/batch", body.as_bytes()).unwrap();
        assert_eq!(answer.status, 400, "{}", answer.text());
        refusal(&answer);
    }
    check_healthy(&mut client, "after");
}

#[test]
fn what_is_no_json_array_is_explained() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut client = server.client();
    let good = track("u", "opened", "m").to_string();
    let mut check = |body: String, wrong_at: usize| {
        let answer = client.post("/analytics/v1/batch", body.as_bytes()).unwrap();
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        let sentence = refusal(&answer);
        let (_, after) = sentence.split_once("byte ").unwrap_or_else(|| panic!("names no byte: {sentence}"));
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        let named: usize = digits.parse().unwrap_or_else(|_| panic!("names no byte: {sentence}"));
        assert!(named.abs_diff(wrong_at) <= 2, "{body}: wrong at {wrong_at}, said to be at {named}");
    };
    check("nonsense".to_owned(), 0);
    check(format!("[{good},nonsense]"), good.len() + 2);
    check(format!("[{good}"), good.len() + 1);
    check(format!("[{good}] trailing"), good.len() + 3);
    check(format!("[{good},]"), good.len() + 2);
    check(r#"[{"type":"track" "event":"e"}]"#.to_owned(), 17);
    check(String::new(), 0);
    check("[{\"event\":\"a\u{0}b\"}]".to_owned(), 12);

    for body in [r#"{"type":"track"}"#, "null", "1", r#""text""#] {
        let answer = client.post("/analytics/v1/batch", body.as_bytes()).unwrap().expect(400);
        assert!(refusal(&answer).contains("array"), "{body}: {}", answer.text());
    }
    let answer = client.post("/analytics/v1/track", format!("[{good}]").as_bytes()).unwrap().expect(400);
    assert!(refusal(&answer).contains("object"), "{}", answer.text());
    let answer = client.batch(&[json!(1), json!(null), json!("x"), json!([])]).unwrap().expect(400);
    let errors = answer.json()["error"]["errors"].as_array().unwrap().clone();
    assert_eq!(errors.len(), 4);
    assert!(errors.iter().all(|error| error["code"] == "not_an_object"), "{errors:?}");
    client.get("/resources/users/u").unwrap().expect(404);
}
