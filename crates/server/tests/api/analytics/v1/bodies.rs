//! Bodies as they come: compressed, too large, no JSON, no UTF-8.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};

use crate::harness::Api;

const BATCH: &str = "POST /analytics/v1/batch";
const SUCCESS: &str = r#"200 {"message":"Success."}"#;
const GOOD: &str = r#"[{"type":"account","accountId":"a","messageId":"1"}]"#;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A body of about so many bytes whose messages are all good.
fn large(bytes: usize) -> String {
    let value = "x".repeat(bytes / 40 - 100);
    let message = |at| format!(r#"{{"type":"account","accountId":"{at}","messageId":"1","traits":{{"v":"{value}"}}}}"#);
    let messages: Vec<String> = (0..40).map(message).collect();
    format!("[{}]", messages.join(","))
}

#[test]
fn compressed_bodies_are_read() {
    let api = Api::new();
    let mut brotli = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
    brotli.write_all(GOOD.as_bytes()).unwrap();
    let mut deflate = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
    deflate.write_all(GOOD.as_bytes()).unwrap();
    let bodies = [
        ("gzip", gzip(GOOD.as_bytes())),
        ("GZIP", gzip(GOOD.as_bytes())),
        ("zstd", zstd::encode_all(GOOD.as_bytes(), 1).unwrap()),
        ("br", brotli.into_inner()),
        ("deflate", deflate.finish().unwrap()),
        ("identity", GOOD.as_bytes().to_vec()),
    ];
    for (encoding, body) in bodies {
        let answer = api.ask_with(BATCH, &[("content-encoding", encoding)], body);
        assert_eq!(format!("{} {}", answer.status, answer.body), SUCCESS, "{encoding}");
    }
    let answer = api.ask_with(BATCH, &[("content-encoding", "gzip")], GOOD);
    let says = "the body is not valid gzip data, or ends early; compress it again, or send it without Content-Encoding";
    assert_eq!((answer.status, answer.json()), (400, serde_json::json!({"error": says})));
    let answer = api.ask_with(BATCH, &[("content-encoding", "lzma")], GOOD);
    assert_eq!((answer.status, answer.header("accept-encoding")), (415, "gzip, zstd, br, deflate"));
}

#[test]
fn large_bodies_take_the_other_way_and_arrive_as_well() {
    let api = Api::new();
    let body = large(3 << 20);
    api.check(BATCH, &body, SUCCESS);
    assert_eq!(api.page("/resources/accounts?limit=100").0.len(), 40);
    let answer = api.ask_with(BATCH, &[("content-encoding", "gzip")], gzip(body.as_bytes()));
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn sizes_are_bounded_before_and_after_decompression() {
    let api = Api::new();
    let says = |compressed: &str| format!("{compressed}; send fewer messages in each request");
    let too_long = says("the body is larger than 20971520 bytes after decompression");
    let zeros = vec![b' '; 21 << 20];
    let answer = api.ask_with(BATCH, &[], zeros.clone());
    assert_eq!((answer.status, answer.json()["error"].as_str()), (413, Some(too_long.as_str())));
    let answer = api.ask_with(BATCH, &[("content-encoding", "gzip")], gzip(&zeros));
    assert_eq!((answer.status, answer.json()["error"].as_str()), (413, Some(too_long.as_str())));
    // What does not compress is too large before it is looked at.
    let noise: Vec<u8> = (0u32..(6 << 20)).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let too_long = says("the compressed body is larger than 5242880 bytes");
    let answer = api.ask_with(BATCH, &[("content-encoding", "gzip")], noise);
    assert_eq!((answer.status, answer.json()["error"].as_str()), (413, Some(too_long.as_str())));
    // A gigabyte in a few kilobytes, for each encoding that can do it.
    let bomb = zstd::encode_all(std::io::Read::take(std::io::repeat(b' '), 1 << 30), 1).unwrap();
    assert!(bomb.len() < 200_000, "{}", bomb.len());
    assert_eq!(api.ask_with(BATCH, &[("content-encoding", "zstd")], bomb).status, 413);
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    let api = Api::new();
    let check = |body: &[u8], code: &str, place: (&str, u64)| {
        let answer = api.ask_with(BATCH, &[], body.to_vec());
        let error = &answer.json()["error"];
        let one = &error["errors"][0];
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert_eq!((&error["stored"], &one["index"]), (&0.into(), &serde_json::Value::Null));
        assert_eq!((&one["code"], &one[place.0]), (&code.into(), &place.1.into()), "{}", answer.body);
        assert_eq!(one["message"], error["message"]);
    };
    check(b"", "invalid_json", ("position", 0));
    check(b"[{\"a\":1", "invalid_json", ("position", 7));
    check(b"[{},\n oops]", "invalid_json", ("position", 6));
    check(b"{}", "not_an_array", ("position", 0));
    check(format!("[{}]", vec!["{}"; 101].join(",")).as_bytes(), "too_many_messages", ("count", 101));
    check("[".repeat(10_000).as_bytes(), "invalid_json", ("position", 10_000));
    let whole = r#"400 {"error":{"message":"the body is not JSON at byte 6 (line 2, column 2); correct it there and send it again","stored":0,"errors":[{"index":null,"code":"invalid_json","instancePath":"","message":"the body is not JSON at byte 6 (line 2, column 2); correct it there and send it again","position":6}]}}"#;
    api.check(BATCH, "[{},\n oops]", whole);
    assert_eq!(api.read("/resources/refused")["results"], serde_json::json!([]), "nothing was set aside");
    assert_eq!(api.ask("POST /analytics/v1/user", "nonsense").json()["error"]["errors"][0]["position"], 1);
}

#[test]
fn a_mark_before_the_text_and_a_wrong_content_type_are_harmless() {
    let api = Api::new();
    let answer = api.ask_with(BATCH, &[("content-type", "text/plain")], format!("\u{feff}{GOOD}"));
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn strange_messages_are_refused_alone() {
    let api = Api::new();
    let good = r#"{"type":"account","accountId":"good","messageId":"1"}"#;
    let deep = format!(
        r#"{{"type":"account","accountId":"deep","messageId":"1","traits":{{"x":{}{}}}}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let half = r#"{"type":"account","accountId":"\ud83d","messageId":"1"}"#;
    let nul = r#"{"type":"account","accountId":"a\u0000","messageId":"1"}"#;
    let body = [
        b"[".as_slice(),
        deep.as_bytes(),
        b",{\"type\":\"account\",\"accountId\":\"\xff\",\"messageId\":\"1\"},",
        half.as_bytes(),
        b",",
        nul.as_bytes(),
        b",",
        good.as_bytes(),
        b"]",
    ]
    .concat();
    let answer = api.ask_with(BATCH, &[], body);
    let error = &answer.json()["error"];
    let codes: Vec<&str> =
        error["errors"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!((answer.status, codes), (400, vec!["too_deep", "invalid_utf8", "invalid_id", "invalid_id"]));
    assert_eq!(error["stored"], 1);
    assert_eq!(api.page("/resources/accounts").0, ["good"]);
    // The list of what was set aside can be read by anything, whatever is in it.
    let page = api.read("/resources/refused");
    let by_code = |code: &str| page["results"].as_array().unwrap().iter().find(|one| one["code"] == code).unwrap();
    assert_eq!(by_code("too_deep")["body"], deep);
    let spoiled = by_code("invalid_utf8");
    assert_eq!(spoiled["body"], "{\"type\":\"account\",\"accountId\":\"\u{fffd}\",\"messageId\":\"1\"}");
    assert_eq!(spoiled["bodyBase64"], "eyJ0eXBlIjoiYWNjb3VudCIsImFjY291bnRJZCI6Iv8iLCJtZXNzYWdlSWQiOiIxIn0=");
}

#[test]
fn half_surrogates_in_values_are_kept_and_shown_mended() {
    let api = Api::new();
    api.send(r#"[{"type":"account","accountId":"a","messageId":"1","traits":{"k\ud83d":"v\ude00","name":"\u0000x"}}]"#);
    let account = api.read("/resources/accounts/a");
    assert_eq!(account["traits"]["k\u{fffd}"], "v\u{fffd}");
    assert_eq!(account["name"], "\0x");
}

#[test]
fn of_a_key_given_twice_the_last_one_counts() {
    let api = Api::new();
    api.send(r#"[{"type":"account","accountId":"no","accountId":"yes","messageId":"1","traits":{"a":1,"a":2}}]"#);
    assert_eq!(api.page("/resources/accounts").0, ["yes"]);
    assert_eq!(api.read("/resources/accounts/yes")["traits"]["a"], 2);
}
