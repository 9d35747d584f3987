//! Bodies that break a rule, the same for every kind of record.

use serde_json::{Value, json};

use crate::harness::Api;

#[track_caller]
fn check(api: &Api, line: &str, body: &str, expected: &[(&str, &str, Value, &str)]) {
    let answer = api.ask(line, body);
    assert_eq!((answer.status, &answer.json()["error"]["message"]), (400, &json!("validation failed")), "{body}");
    let expected: Vec<Value> = expected
        .iter()
        .map(|(path, keyword, params, message)| {
            json!({"instancePath": path, "keyword": keyword, "params": params, "message": message})
        })
        .collect();
    assert_eq!(answer.json()["error"]["errors"], Value::from(expected), "{line} {body}");
}

#[test]
fn each_is_named_with_its_place() {
    let api = Api::new();
    let numeric = r#"400 {"error":{"message":"validation failed","errors":[{"instancePath":"/externalId","keyword":"type","params":{"type":"string"},"message":"must be string"}]}}"#;
    for path in ["organizations", "accounts", "users"] {
        let line = format!("POST /resources/{path}");
        api.check(&line, r#"{"externalId":7}"#, numeric);
        let missing = json!({"missingProperty": "externalId"});
        check(&api, &line, "{}", &[("", "required", missing, "must have required property 'externalId'")]);
        check(&api, &line, "[]", &[("", "type", json!({"type": "object"}), "must be object")]);
        let fewer = "must NOT have fewer than 1 characters";
        check(&api, &line, r#"{"externalId":" "}"#, &[("/externalId", "minLength", json!({"limit": 1}), fewer)]);
        let long = format!(r#"{{"externalId":"{}"}}"#, "x".repeat(257));
        let more = "must NOT have more than 256 bytes";
        check(&api, &line, &long, &[("/externalId", "maxLength", json!({"limit": 256}), more)]);
        let additional = json!({"additionalProperty": "nmae"});
        check(
            &api,
            &line,
            r#"{"externalId":"x","nmae":"y"}"#,
            &[("", "additionalProperties", additional, "must NOT have additional properties")],
        );
        assert_eq!(api.ask(&format!("GET /resources/{path}/x"), "").status, 404, "nothing was stored");
    }
}

/// A number that no double holds was once sent back as it came, and strict readers refused the page. Among the traits it is a
/// text, and sent back in that form it is what was read.
#[test]
fn a_number_beyond_all_bounds_is_none() {
    let api = Api::new();
    let broken = ("/mrr", "format", json!({"format": "double"}), "must match format \"double\"");
    check(&api, "POST /resources/accounts", r#"{"externalId":"a","mrr":1e999}"#, &[broken]);
    api.send(r#"[{"type":"account","accountId":"a","messageId":"1","traits":{"mrr":1e999}}]"#);
    let page = api.ask("GET /resources/accounts", "").body;
    assert!(page.contains(r#""traits":{"mrr":"1e999"}"#) && page.contains(r#""mrr":null,"#), "{page}");
    api.pass_seconds(1);
    assert_eq!(api.ask("PUT /resources/accounts/a", r#"{"traits":{"mrr":"1e999"}}"#).status, 200);
    let page = api.ask("GET /resources/accounts", "").body;
    assert!(page.contains(r#""traits":{"mrr":"1e999"}"#) && page.contains(r#""mrr":null,"#), "{page}");
    // Wherever it stands in what was sent.
    api.send(
        r#"[{"type":"track","userId":"u","event":"e","messageId":"2","properties":{"far":[{"n":-2.5E+400}],"near":1e308}}]"#,
    );
    let page = api.ask("GET /resources/users/u/events", "").body;
    assert!(page.contains(r#""properties":{"far":[{"n":"-2.5E+400"}],"near":1e308}"#), "{page}");
}

#[test]
fn all_of_them_are_named_at_once() {
    let api = Api::new();
    check(
        &api,
        "POST /resources/users",
        r#"{"externalId":"u","name":1,"traits":[1],"joinDate":"soon","accountIds":"a","organizationIds":[1,"o",""]}"#,
        &[
            ("/traits", "type", json!({"type": "object"}), "must be object"),
            ("/name", "type", json!({"type": "string,null"}), "must be string or null"),
            ("/joinDate", "format", json!({"format": "date-time"}), "must match format \"date-time\""),
            ("/accountIds", "type", json!({"type": "array"}), "must be array"),
            ("/organizationIds/0", "type", json!({"type": "string"}), "must be string"),
            ("/organizationIds/2", "minLength", json!({"limit": 1}), "must NOT have fewer than 1 characters"),
        ],
    );
    check(
        &api,
        "POST /resources/accounts",
        r#"{"externalId":"a","mrr":"12","organizationId":4}"#,
        &[
            ("/organizationId", "type", json!({"type": "string,null"}), "must be string or null"),
            ("/mrr", "type", json!({"type": "number,null"}), "must be number or null"),
        ],
    );
    let ids = vec!["\"a\""; 1_001].join(",");
    check(
        &api,
        "POST /resources/users",
        &format!(r#"{{"externalId":"u","accountIds":[{ids}]}}"#),
        &[("/accountIds", "maxItems", json!({"limit": 1000}), "must NOT have more than 1000 items")],
    );
}

#[test]
fn what_cannot_be_read_is_said_in_a_sentence() {
    let api = Api::new();
    let line = "POST /resources/accounts";
    let empty = r#"400 {"error":"the body is empty: it ends at byte 0; send JSON"}"#;
    api.check(line, "", empty);
    let cut =
        r#"400 {"error":"the body is not JSON: it ends at byte 15 in the middle of a value; send the whole of it"}"#;
    api.check(line, r#"{"externalId":"#, &cut.replace("15", "14"));
    let answer = api.ask_with(line, &[], b"{\"externalId\":\"\xff\"}".to_vec());
    assert_eq!((answer.status, answer.body.contains("not UTF-8")), (400, true), "{}", answer.body);
    let deep = format!(r#"{{"externalId":"a","traits":{{"x":{}1{}}}}}"#, "[".repeat(70), "]".repeat(70));
    let answer = api.ask(line, &deep).json();
    assert_eq!(answer["error"]["errors"][0]["params"]["message"], "too_deep");
    let large = format!(r#"{{"externalId":"a","traits":{{"x":"{}"}}}}"#, "y".repeat(1_200_000));
    assert_eq!(api.ask(line, &large).status, 413);
    assert_eq!(api.ask("GET /resources/accounts/a", "").status, 404);
}

#[test]
fn bodies_may_be_compressed() {
    use std::io::Write;
    let api = Api::new();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(br#"{"externalId":"a","name":"A"}"#).unwrap();
    let answer = api.ask_with("POST /resources/accounts", &[("content-encoding", "gzip")], encoder.finish().unwrap());
    assert_eq!((answer.status, &answer.json()["name"]), (200, &json!("A")));
}
