//! `muster team`: beside a running server and without one.

use serde_json::{Value, json};

use super::harness::cluster;
use super::harness::command::{Outcome, run};
use super::harness::home::Home;
use super::harness::server::Launch;

fn team(home: &Home, arguments: &[&str]) -> Outcome {
    let data_dir = home.data_dir();
    run(home.path(), &[&["team"], arguments, &["--data-dir", data_dir.to_str().unwrap()]].concat())
}

#[track_caller]
fn emails(home: &Home) -> Vec<String> {
    let listed: Value = serde_json::from_str(&team(home, &["list", "--json"]).succeeded()).unwrap();
    listed.as_array().unwrap().iter().map(|one| one["email"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn members_are_managed_with_and_without_a_server() {
    let home = Home::new();
    let before = team(&home, &["list"]).failed();
    assert!(before.contains(if cluster::is_on() { "no workspace default" } else { "no data directory" }), "{before}");
    let server = Launch::new(&home).start();
    team(&home, &["add", "ada@example.com", "--name", "Ada"]).succeeded();
    assert!(team(&home, &["add", "ADA@example.com"]).failed().contains("already"));
    assert!(team(&home, &["add", "nobody"]).failed().contains("@"));
    let found = server.client().read("/resources/admins/search?email=ada@example.com");
    assert_eq!((&found["name"], &found["licenseStatus"]), (&json!("Ada"), &json!("active")));
    // Durable when the command has ended, also if the server dies.
    server.kill();
    assert_eq!(emails(&home), ["ada@example.com"]);
    team(&home, &["add", "bea@example.com"]).succeeded();
    team(&home, &["remove", "Ada@example.com"]).succeeded();
    assert!(team(&home, &["remove", "ada@example.com"]).failed().contains("muster team list"));
    assert!(team(&home, &["list", "--workspace", "nowhere"]).failed().contains("no workspace nowhere"));
    let server = Launch::new(&home).start();
    assert_eq!(emails(&home), ["bea@example.com"]);
    let listed = server.client().read("/resources/admins");
    assert_eq!(listed["results"][0]["email"], "bea@example.com");
    team(&home, &["remove", listed["results"][0]["id"].as_str().unwrap()]).succeeded();
    assert_eq!(server.client().read("/resources/admins")["results"], json!([]));
}
