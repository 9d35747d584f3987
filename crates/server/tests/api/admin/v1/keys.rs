//! Made, listed, ended.

use muster_store::credentials::Scopes;
use serde_json::{Value, json};

use crate::harness::{Api, OPERATOR, now};

const KEYS: &str = "/admin/v1/keys";

fn as_token(token: &str) -> String {
    format!("Bearer {token}")
}

fn names(answer: &Value) -> Vec<String> {
    let results = answer["results"].as_array().unwrap().iter();
    results.map(|key| format!("{}/{}", key["workspace"].as_str().unwrap(), key["name"].as_str().unwrap())).collect()
}

#[test]
fn a_key_is_made_and_its_token_shown_once() {
    let api = Api::new();
    let answer = api.ask(&format!("POST {KEYS}"), r#"{"name":"web app","scopes":["write","read"]}"#);
    let made = answer.json();
    let token = made["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("mk_") && token.len() == 43, "{token}");
    let now = now().to_millis_text();
    let shown = format!(
        r#"{{"id":2,"workspace":"default","name":"web app","scopes":["write","read"],"createdAt":"{now}","revokedAt":null"#
    );
    assert_eq!(format!("{} {}", answer.status, answer.body), format!(r#"200 {shown},"token":"{token}"}}"#));
    let header = as_token(&token);
    assert_eq!(api.ask_with("GET /resources/users", &[("authorization", &header)], "").status, 200);
    assert_eq!(api.ask_with(&format!("GET {KEYS}"), &[("authorization", &header)], "").status, 403);
    let list = api.ask(&format!("GET {KEYS}"), "");
    assert!(list.body.contains(&shown) && !list.body.contains(&token), "{}", list.body);
    assert_eq!(names(&list.json()), ["default/test", "default/web app"]);
}

#[test]
fn an_ended_key_opens_nothing() {
    let api = Api::new();
    let made = api.ask(&format!("POST {KEYS}"), r#"{"scopes":"read"}"#).json();
    let header = as_token(made["token"].as_str().unwrap());
    let read = || api.ask_with("GET /resources/users", &[("authorization", &header)], "").status;
    assert_eq!(read(), 200);
    api.pass_seconds(1);
    for _ in 0..2 {
        api.check(&format!("DELETE {KEYS}/2"), "", "204");
        assert_eq!(read(), 401);
    }
    assert_eq!(api.read(KEYS)["results"][1]["revokedAt"], "2026-01-01T00:00:01.000Z");
    api.check(&format!("DELETE {KEYS}/7"), "", r#"404 {"error":"there is no key 7 in this workspace"}"#);
    api.check(&format!("DELETE {KEYS}/x"), "", r#"404 {"error":"there is no key x in this workspace"}"#);
}

#[test]
fn a_key_manages_its_workspace_and_the_operator_all() {
    let api = Api::new();
    api.key("other", "token-of-another", Scopes::ALL);
    let other_makes = r#"{"scopes":["read"],"workspace":"other"}"#;
    let forbidden =
        r#"403 {"error":"a key manages the keys of its own workspace only; use an admin key of the other workspace"}"#;
    api.check(&format!("POST {KEYS}"), other_makes, forbidden);
    assert_eq!(api.ask(&format!("POST {KEYS}"), r#"{"scopes":["read"],"workspace":"default"}"#).status, 200);
    assert_eq!(api.ask(&format!("DELETE {KEYS}/2"), "").status, 404, "a key of another workspace");
    assert_eq!(names(&api.read(KEYS)), ["default/test", "default/"]);
    let operator = as_token(OPERATOR);
    let operator = [("authorization", operator.as_str())];
    let third =
        api.ask_with(&format!("POST {KEYS}"), &operator, r#"{"scopes":["admin"],"workspace":"third","name":"n"}"#);
    assert_eq!((third.status, &third.json()["workspace"]), (200, &json!("third")));
    let all = api.ask_with(&format!("GET {KEYS}"), &operator, "");
    assert_eq!(names(&all.json()), ["default/test", "other/test", "default/", "third/n"]);
    assert!(all.header("ratelimit-limit").is_empty(), "the operator is not limited");
    assert_eq!(api.ask_with(&format!("DELETE {KEYS}/2"), &operator, "").status, 204);
}

#[test]
fn a_wish_that_breaks_a_rule_is_explained() {
    let api = Api::new();
    let check = |body: &str, path: &str, keyword: &str, says: &str| {
        let answer = api.ask(&format!("POST {KEYS}"), body);
        let error = answer.json()["error"].clone();
        assert_eq!((answer.status, &error["message"]), (400, &json!("validation failed")), "{body}");
        let one = &error["errors"][0];
        assert_eq!((&one["instancePath"], &one["keyword"]), (&json!(path), &json!(keyword)), "{body}");
        assert!(one["message"].as_str().unwrap().contains(says), "{one}");
    };
    check("", "", "type", "JSON object");
    check("[]", "", "type", "JSON object");
    check("{}", "/scopes", "type", "must be an array");
    check(r#"{"scopes":[]}"#, "/scopes", "enum", "at least one");
    check(r#"{"scopes":["root"]}"#, "/scopes", "enum", "root is no scope");
    check(r#"{"scopes":[1]}"#, "/scopes", "type", "must be an array");
    check(r#"{"scopes":["read"],"name":1}"#, "/name", "type", "must be a string");
    check(r#"{"scopes":["read"],"workspace":1}"#, "/workspace", "type", "must be string");
    check(r#"{"scope":["read"]}"#, "", "additionalProperties", "scope is no field of a key");
    let operator = as_token(OPERATOR);
    let wrong = r#"{"scopes":["read"],"workspace":"No Spaces"}"#;
    let says = r#"400 {"error":"a workspace's name has 1 to 64 lower-case letters, digits, hyphens and underscores"}"#;
    api.check_with(&format!("POST {KEYS}"), &[("authorization", &operator)], wrong, says);
}
