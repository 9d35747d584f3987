//! The console in a real browser, with data in it that people could have, and some that nobody should.
//!
//! A server is filled with `muster demo` and with names that are markup, scripts and worse; then Chromium opens every page
//! that the navigation leads to, and does what people do. What the browser complains about fails the test: errors, broken
//! policies, missing files, pages wider than a phone, and what `axe-core` finds grave. The versions of what drives the
//! browser are pinned in `console/node`. With `MUSTER_TEST_SCREENSHOTS` every page is kept as a picture in that directory.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

/// Installing what is pinned, once.
#[path = "senders/packages.rs"]
#[expect(dead_code, reason = "nothing of Python is needed here")]
mod packages;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::command::{create_key, run};
use harness::files::of_tests;
use harness::home::{Home, tail};
use harness::server::{Launch, Server, TOKEN};
use serde_json::{Value, json};

/// How long a whole visit may take.
const PATIENCE: Duration = Duration::from_secs(150);

fn source(path: &str) -> PathBuf {
    of_tests("console").join(path)
}

/// A server with something to look at.
struct Scene {
    home: Home,
    server: Server,
    /// The tokens of a workspace in which nothing is, of a key that may only read, and of an operator's.
    others: [String; 3],
}

impl Scene {
    fn new() -> Scene {
        let home = Home::new();
        let server = Launch::new(&home).set("MUSTER_LOG__LEVEL", "warn").start();
        let data_dir = home.data_dir();
        run(home.path(), &["demo", "--accounts", "20", "--data-dir", data_dir.to_str().expect("a path that is text")])
            .succeeded();
        let (good, bad) = hostile();
        server.client().batch(&good).expect("the server answers").expect_success();
        server.client().batch(&bad).expect("the server answers").expect(400);
        let key = |workspace, scope, name| create_key(home.path(), &data_dir, workspace, scope, name);
        let empty = key("empty", "write,read,admin", "empty");
        let others = [empty, key("default", "read", "reads"), key("default", "read,operator", "operations")];
        Scene { home, server, others }
    }

    #[track_caller]
    fn visit(&self, program: &str) {
        visit(program, &format!("http://{}", self.server.address), &self.home, &self.others);
    }
}

/// Runs one of the programs beside this file in a browser; fails with what it found.
#[track_caller]
fn visit(program: &str, origin: &str, home: &Home, others: &[String]) {
    let modules = packages::node();
    let said = home.path().join("visit.log");
    let file = File::create(&said).expect("a log file");
    let mut command = Command::new("node");
    command.arg(source(program)).arg(origin).arg(TOKEN).arg(home.path()).args(others);
    command.env("NODE_PATH", modules).env("HOME", home.path()).stdin(Stdio::null());
    command.stdout(file.try_clone().expect("a second handle")).stderr(file);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => panic!("node cannot be run ({error}); `scripts/test packages` installs what is missing"),
    };
    let until = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait().expect("a child can be waited for") {
            None if Instant::now() < until => sleep(Duration::from_millis(20)),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            status => break status,
        }
    };
    let said = fs::read_to_string(said).unwrap_or_default();
    assert!(status.is_some_and(|status| status.success()), "{program} ({status:?}):\n{}", tail(&said, 100));
    println!("{said}");
}

/// Messages in which every text is one that a page could trip over, and some that are refused.
fn hostile() -> (Vec<Value>, Vec<Value>) {
    let text = fs::read_to_string(source("hostile.json")).expect("a file of this test's own");
    let names: BTreeMap<String, String> = serde_json::from_str(&text).expect("names");
    let all: Vec<&String> = names.values().collect();
    let traits: serde_json::Map<String, Value> = all
        .iter()
        .enumerate()
        .map(|(at, name)| ((*name).clone(), json!([all[(at + 1) % all.len()], {"in": name}])))
        .collect();
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (at, (which, name)) in names.iter().enumerate() {
        // Once with an ordinary id, once with one that is hostile itself.
        for id in [format!("hostile-{which}"), name.clone()] {
            let of = |kind: &str| format!("{kind} {at} {id}");
            let mut traits = traits.clone();
            traits.insert("name".to_owned(), json!(name));
            traits.insert("email".to_owned(), json!(format!("{name}@example.com")));
            let mut say = |message: Value| good.push(message);
            say(json!({"type": "organization", "organizationId": id, "traits": traits, "messageId": of("o")}));
            say(
                json!({"type": "account", "accountId": id, "organizationId": id, "traits": traits, "messageId": of("a")}),
            );
            say(json!({"type": "user", "userId": id, "accountId": id, "traits": traits, "messageId": of("u")}));
            say(json!({"type": "track", "event": name, "userId": id, "properties": traits, "messageId": of("t")}));
        }
        bad.push(json!({"type": name, "userId": name, "traits": traits, "messageId": format!("bad {at}")}));
        bad.push(json!({"type": "user", "userId": name, "traits": traits, "messageId": format!("alone {at}")}));
    }
    (good, bad)
}

/// Nothing that follows could fail if the browser's complaints were not heard.
#[test]
fn what_is_wrong_with_a_page_is_heard() {
    visit("ears.cjs", "", &Home::new(), &[]);
}

#[test]
fn every_page_is_sound_in_light_in_dark_and_on_a_phone() {
    Scene::new().visit("pages.cjs");
}

#[test]
fn people_find_their_way_and_no_name_does_harm() {
    Scene::new().visit("flows.cjs");
}
