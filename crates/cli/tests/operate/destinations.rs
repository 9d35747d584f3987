//! `muster destinations`: beside a running server and without one.

use serde_json::{Value, json};

use super::harness::command::{Outcome, run};
use super::harness::home::Home;
use super::harness::messages::track;
use super::harness::server::Launch;

fn destinations(home: &Home, arguments: &[&str]) -> Outcome {
    let data_dir = home.data_dir();
    run(home.path(), &[&["destinations"], arguments, &["--data-dir", data_dir.to_str().unwrap()]].concat())
}

#[track_caller]
fn listed(home: &Home) -> Vec<Value> {
    serde_json::from_str(&destinations(home, &["list", "--json"]).succeeded()).unwrap()
}

#[test]
fn destinations_are_managed_with_and_without_a_server() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let key = home.file("key", "sk_live_1\n");
    let key = key.to_str().unwrap();
    destinations(&home, &["create", "crm", "--kind", "vitally", "--to", "http://127.0.0.1:1", "--secret-file", key])
        .succeeded();
    let twice = destinations(&home, &["create", "crm", "--kind", "vitally", "--secret-file", key]).failed();
    assert!(twice.contains("already"), "{twice}");
    let wrong = destinations(&home, &["create", "x", "--kind", "mail", "--secret-file", key]).failed();
    assert!(wrong.contains("/kind: must be vitally, segment or webhook"), "{wrong}");
    server.client().batch(&[track("u", "e", "m-1")]).unwrap().expect_success();
    let shown = destinations(&home, &["pause", "crm"]).succeeded();
    assert!(shown.contains("crm") && !shown.contains("sk_live"), "{shown}");
    server.kill();
    // Without a server, nothing is sent anywhere.
    let one = &listed(&home)[0];
    assert_eq!((&one["state"], &one["pending"]), (&json!("paused"), &json!(1)), "{one}");
    let hook =
        ["create", "hook", "--kind", "webhook", "--to", "http://127.0.0.1:1/x", "--from", "start", "--type", "user"];
    let secret = destinations(&home, &hook).succeeded();
    assert!(secret.trim().starts_with("whsec_"), "{secret}");
    assert_eq!(destinations(&home, &["dead-letters", "hook"]).succeeded(), "");
    assert!(destinations(&home, &["resend", "hook"]).said().contains("0 dead letters"));
    let unknown = destinations(&home, &["drop", "hook", "--letter", "7"]).failed();
    assert!(unknown.contains("no such dead letter"), "{unknown}");
    destinations(&home, &["delete", "crm"]).succeeded();
    assert!(destinations(&home, &["resume", "crm"]).failed().contains("no such destination"));
    assert_eq!(listed(&home).iter().map(|one| &one["name"]).collect::<Vec<_>>(), ["hook"]);
}
