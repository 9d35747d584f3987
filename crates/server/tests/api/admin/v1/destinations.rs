//! Destinations: made, changed, removed, each workspace for itself.

use muster_store::credentials::Scopes;
use serde_json::{Value, json};

use crate::harness::{Api, OPERATOR, now};

const PATH: &str = "/admin/v1/destinations";
const ONE: &str = r#"{"name":"crm","kind":"vitally","secret":"sk_1","types":["user","account"]}"#;

fn names(answer: &Value) -> Vec<&str> {
    answer["results"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[test]
fn a_destination_is_shown_without_its_secret() {
    let api = Api::new();
    let made = api.ask(&format!("POST {PATH}"), ONE);
    let at = now().to_millis_text();
    let expected = json!({
        "name": "crm", "kind": "vitally", "url": "https://api.vitally.io", "types": ["user", "account"], "events": [],
        "accounts": [], "messagesPerSecond": 1_000, "timeoutSeconds": 30, "paused": false, "origin": "api",
        "createdAt": at, "state": "stopped", "reason": null, "pending": 0, "lagSeconds": 0, "deadLetters": 0,
    });
    assert_eq!((made.status, made.json()), (200, expected.clone()));
    assert_eq!(api.read(PATH), json!({"results": [expected]}));
    let changed = api.ask(&format!("PATCH {PATH}/crm"), r#"{"paused":true,"events":["e"],"secret":"sk_2"}"#).json();
    assert_eq!(
        (&changed["paused"], &changed["state"], &changed["events"]),
        (&json!(true), &json!("paused"), &json!(["e"]))
    );
    assert_eq!(changed["types"], json!(["user", "account"]), "what is not said stays");
    assert!(!api.read(&format!("{PATH}/crm")).to_string().contains("sk_"));
    let hook = api.ask(&format!("POST {PATH}"), r#"{"name":"hook","kind":"webhook","url":"https://x.example"}"#).json();
    assert!(hook["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!(api.read(&format!("{PATH}/hook")).get("secret"), None);
    api.check(&format!("DELETE {PATH}/crm"), "", "204");
    let unknown = r#"404 {"error":"there is no such destination in this workspace"}"#;
    api.check(&format!("DELETE {PATH}/crm"), "", unknown);
    api.check(&format!("PATCH {PATH}/crm"), "{}", unknown);
    api.check(&format!("GET {PATH}/crm/dead-letters"), "", unknown);
    api.check(&format!("POST {PATH}/crm/dead-letters/resend"), "", unknown);
    let letters = r#"200 {"results":[],"next":null,"atEnd":true}"#;
    api.check(&format!("GET {PATH}/hook/dead-letters"), "", letters);
    api.check(&format!("DELETE {PATH}/hook/dead-letters"), "", r#"200 {"count":0}"#);
    let none = r#"404 {"error":"the destination has no such dead letter"}"#;
    api.check(&format!("DELETE {PATH}/hook/dead-letters/7"), "", none);
    api.check(&format!("POST {PATH}/hook/dead-letters/resend?letter={}", "0".repeat(48)), "", none);
}

#[test]
fn workspaces_have_destinations_of_their_own() {
    let api = Api::new();
    api.key("other", "token-of-another", Scopes::ALL);
    api.key("default", "token-of-a-reader", Scopes::READ);
    let (other, reader) = (("authorization", "Bearer token-of-another"), ("authorization", "Bearer token-of-a-reader"));
    api.ask(&format!("POST {PATH}"), ONE);
    assert_eq!(api.ask_with(&format!("GET {PATH}"), &[reader], "").status, 403);
    assert_eq!(names(&api.ask_with(&format!("GET {PATH}"), &[other], "").json()), [""; 0]);
    assert_eq!(api.ask_with(&format!("GET {PATH}/crm"), &[other], "").status, 404);
    assert_eq!(api.ask_with(&format!("POST {PATH}"), &[other], ONE).status, 200, "the name is free there");
    assert_eq!(api.ask_with(&format!("DELETE {PATH}/crm?workspace=default"), &[other], "").status, 403);
    let operator = format!("Bearer {OPERATOR}");
    let operator = ("authorization", operator.as_str());
    for workspace in ["default", "other"] {
        let listed = api.ask_with(&format!("GET {PATH}?workspace={workspace}"), &[operator], "").json();
        assert_eq!(names(&listed), ["crm"], "{workspace}");
    }
}
