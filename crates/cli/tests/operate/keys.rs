//! Keys: made, listed and revoked, beside a running server and without one.
//!
//! A token is shown once and stored hashed: the whole data directory is searched for it.

use std::fs;

use serde_json::Value;

use super::harness::command::{create_key, run};
use super::harness::files::all_files;
use super::harness::home::Home;
use super::harness::messages::{Collection, track};
use super::harness::reads::message_ids;
use super::harness::server::{Launch, TOKEN};

/// The listed key of this name.
#[track_caller]
fn listed(home: &Home, name: &str) -> Option<Value> {
    let data_dir = home.data_dir();
    let stdout = run(home.path(), &["keys", "list", "--json", "--data-dir", data_dir.to_str().unwrap()]).succeeded();
    let list: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"));
    let keys = list.as_array().or(list["keys"].as_array()).unwrap_or_else(|| panic!("no list of keys: {list}"));
    keys.iter().find(|key| key["name"] == name).cloned()
}

fn revoke(home: &Home, key: &Value) -> super::harness::command::Outcome {
    let data_dir = home.data_dir();
    run(home.path(), &["keys", "revoke", &key["id"].to_string(), "--data-dir", data_dir.to_str().unwrap()])
}

#[test]
fn beside_a_running_server() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let token = create_key(home.path(), &home.data_dir(), "default", "write,read", "beside");
    let mut client = server.client_of(&token);
    client.batch(&[track("u", "opened", "one")]).unwrap().expect_success();
    let key = listed(&home, "beside").expect("the new key is listed");
    assert!(!key.to_string().contains(&token), "a token is shown once: {key}");
    revoke(&home, &key).succeeded();
    client.get("/resources/users").unwrap().expect(401);
    client.hang_up();
    client.batch(&[track("u", "opened", "two")]).unwrap().expect(401);
    assert_eq!(message_ids(&mut server.client(), Collection::Users, "u"), ["one"]);
    server.kill();
    let server = Launch::new(&home).start();
    server.client_of(&token).get("/resources/users").unwrap().expect(401);
}

#[test]
fn without_a_server() {
    let home = Home::new();
    // Also before the first start: the directory is made.
    let token = create_key(home.path(), &home.data_dir(), "default", "write,read", "first");
    let server = Launch::new(&home).start();
    server.client_of(&token).batch(&[track("u", "opened", "one")]).unwrap().expect_success();
    // A stale announcement of a killed server must not confuse what comes next.
    server.kill();
    let second = create_key(home.path(), &home.data_dir(), "other", "read", "second");
    let key = listed(&home, "first").expect("listed without a server");
    revoke(&home, &key).succeeded();
    let unknown = serde_json::json!({"id": 999_999});
    revoke(&home, &unknown).failed();
    let server = Launch::new(&home).start();
    server.client_of(&token).get("/resources/users").unwrap().expect(401);
    assert_eq!(server.client_of(&second).read("/resources/users")["results"], serde_json::json!([]));
}

#[test]
fn a_wrong_scope_or_name_is_explained() {
    let home = Home::new();
    let data_dir = home.data_dir();
    let check = |arguments: &[&str], names: &str| {
        let all = [&["keys", "create", "--data-dir", data_dir.to_str().unwrap()], arguments].concat();
        let said = run(home.path(), &all).failed();
        assert!(said.contains(names), "{arguments:?}: {said}");
    };
    check(&["--scope", "write,fly"], "fly");
    check(&["--workspace", ""], "workspace");
}

#[test]
fn tokens_are_not_on_disk() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let token = create_key(home.path(), &home.data_dir(), "default", "read", "hidden");
    server.stop();
    let files = all_files(&home.data_dir());
    assert!(!files.is_empty(), "there are files to search");
    for path in files {
        let content = fs::read(&path).unwrap();
        for secret in [token.as_str(), TOKEN] {
            let found = content.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds a token", path.display());
        }
    }
}
