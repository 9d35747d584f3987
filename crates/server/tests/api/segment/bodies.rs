//! Bodies as they come: labelled wrongly, compressed, large, spoiled.

use std::io::Write;

use super::{BATCH, SUCCESS, events, rows};
use crate::harness::Api;

const CALL: &str = r#"{"type":"track","userId":"u","event":"e","messageId":"1"}"#;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn any_label_and_every_encoding_will_do() {
    let api = Api::new();
    let body = format!(r#"{{"batch":[{CALL}]}}"#);
    for label in [
        "",
        "application/json",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/octet-stream",
        "nonsense",
    ] {
        api.check_with(BATCH, &[("content-type", label)], &body, SUCCESS);
    }
    let mut deflate = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    deflate.write_all(body.as_bytes()).unwrap();
    for (encoding, packed) in [
        ("gzip", gzip(body.as_bytes())),
        ("zstd", zstd::encode_all(body.as_bytes(), 1).unwrap()),
        ("deflate", deflate.finish().unwrap()),
    ] {
        let answer = api.ask_with(BATCH, &[("content-encoding", encoding)], packed);
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"success":true}"#), "{encoding}");
    }
    assert_eq!(rows(&api, "select count(*) from messages"), "[[1]]");
}

#[test]
fn thousands_of_calls_and_four_megabytes_are_taken_at_once() {
    let api = Api::new();
    let call = |at: usize| {
        format!(
            r#"{{"type":"track","userId":"u{}","event":"e","messageId":"{at}","properties":{{"v":"{}"}}}}"#,
            at % 7,
            "x".repeat(800)
        )
    };
    let calls: Vec<String> = (0..4_600).map(call).collect();
    let body = format!(r#"{{"batch":[{}]}}"#, calls.join(","));
    assert!(body.len() > 4_000_000, "{}", body.len());
    api.check(BATCH, &body, SUCCESS);
    assert_eq!(rows(&api, "select count(*), count(distinct message_id) from messages"), "[[4600,4600]]");
    let answer = api.ask_with(BATCH, &[("content-encoding", "gzip")], gzip(body.as_bytes()));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(rows(&api, "select count(*) from messages"), "[[4600]]");
}

#[test]
fn what_can_never_be_taken_is_400() {
    let api = Api::new();
    let many = format!(r#"{{"batch":[{}]}}"#, vec!["{}"; 20_001].join(","));
    for (headers, body, code) in [
        (&[][..], "", "invalid_json"),
        (&[], "{\"batch\":[", "invalid_json"),
        (&[], "[]", "not_an_object"),
        (&[], "{}", "no_batch"),
        (&[], r#"{"batch":{}}"#, "no_batch"),
        (&[], &many, "too_many_messages"),
        (&[("content-encoding", "gzip")], "{}", "invalid_body"),
        (&[("content-encoding", "lzma")], "{}", "unsupported_encoding"),
        (&[], &" ".repeat(21 << 20), "body_too_large"),
    ] {
        let answer = api.ask_with(BATCH, headers, body.to_owned());
        let told = answer.json();
        assert_eq!((answer.status, told["code"].as_str()), (400, Some(code)), "{}", answer.body);
        assert!(told["message"].is_string() && told["error"] == told["message"], "{told}");
    }
    assert_eq!(api.read("/resources/refused")["results"], serde_json::json!([]));
}

#[test]
fn a_number_that_is_none_costs_no_other_call() {
    let api = Api::new();
    let odd =
        r#"{"type":"track","userId":"u","event":"f","messageId":"2","properties":{"a":NaN,"b":-Infinity,"c":"NaN"}}"#;
    api.check(BATCH, &format!(r#"{{"batch":[{CALL},{odd}]}}"#), SUCCESS);
    let kept = rows(&api, "select properties from messages where event = 'f'");
    assert_eq!(kept, r#"[["{\"a\":null,\"b\":null,\"c\":\"NaN\"}"]]"#);
    assert_eq!(api.ask(BATCH, r#"{"batch":[NaN,}"#).status, 400);
}

#[test]
fn text_that_is_no_unicode_harms_nothing_and_is_kept() {
    let api = Api::new();
    let body = [
        br#"{"batch":[{"type":"track","userId":"u","event":"half \ud83d","messageId":"1","properties":{"a":"\ude00"}},"#.as_slice(),
        b"{\"type\":\"track\",\"userId\":\"u\",\"event\":\"bytes \xff\",\"messageId\":\"2\",\"properties\":{\"a\":\"\xed\xa0\xbd\"}},",
        br#"{"type":"track","userId":"u","event":"nul \u0000","messageId":"3","properties":{"a":"\u0000"}},"#,
        br#"{"type":"identify","userId":"u","messageId":"4","traits":{"k\ud83d":"v\ud83d","name":"a\u0000b"}},"#,
        "{\"type\":\"track\",\"userId\":\"u\",\"event\":\"wöll\",\"messageId\":\"5\"}]}".as_bytes(),
    ]
    .concat();
    let answer = api.ask_with(BATCH, &[], body);
    assert_eq!(
        (answer.status, answer.header("muster-refused")),
        (200, "0"),
        "{}",
        api.ask("GET /resources/refused", "").body
    );
    let mut names = events(&api, "/resources/users/u");
    names.sort();
    assert_eq!(names, ["bytes \u{fffd}", "half \u{fffd}", "nul \u{fffd}", "wöll"]);
    let user = api.read("/resources/users/u");
    assert_eq!((&user["traits"]["k\u{fffd}"], &user["name"]), (&"v\u{fffd}".into(), &"a\0b".into()));
    let kept = rows(&api, "select message from messages order by message_id");
    for verbatim in [r"half \\ud83d", r"\\ude00", r"bytes \\udcff", r"\\udced\\udca0\\udcbd", r"nul \\u0000"] {
        assert!(kept.contains(verbatim), "{verbatim}: {kept}");
    }
}
