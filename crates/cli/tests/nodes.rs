//! Nodes of a cluster, as their operator meets them: what each role answers, what one takes and another shows, and what is
//! said to those who ask a cluster for what only a data directory has.
//!
//! Needs the servers of `scripts/servers`. What the program promises anywhere is held to in the other files, which run on a
//! cluster with `MUSTER_TEST_CLUSTER=1`.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::cluster;
use harness::command::run;
use harness::files::{all_files, flip_bit};
use harness::home::Home;
use harness::messages::track;
use harness::server::{Launch, Server};
use serde_json::json;

/// A home whose programs are on a cluster.
fn home() -> Home {
    cluster::wanted();
    Home::new()
}

fn node(home: &Home, name: &str, role: &str) -> Server {
    let launch = Launch::at(&home.path().join(name), &home.path().join(format!("{name}.log")));
    launch.set("MUSTER_CLUSTER__ROLE", role).start()
}

#[test]
fn what_one_node_takes_every_other_shows_at_once() {
    let home = home();
    let roles = [("one", "intake"), ("two", "apply"), ("three", "console"), ("four", "intake,apply,console")];
    let nodes = roles.map(|(name, role)| node(&home, name, role));
    let [mut intake, mut apply, mut console, mut all] = [0, 1, 2, 3].map(|at: usize| nodes[at].client());
    for n in 0..20 {
        let user = format!("u{n}");
        let sent = [json!({"type": "user", "userId": user, "accountId": "a", "traits": {"n": n}, "messageId": user})];
        [&mut intake, &mut all][n % 2].batch(&sent).unwrap().expect_success();
        for reader in [&mut console, &mut all] {
            assert_eq!(reader.read(&format!("/resources/users/{user}"))["traits"]["n"], n);
        }
    }
    // Each says which role to look for, and all say how they are.
    let one = [json!({"type": "user", "userId": "x", "accountId": "a", "messageId": "x"})];
    let said = console.batch(&one).unwrap().expect(404).text();
    assert!(said.contains("roles include intake"), "{said}");
    for client in [&mut intake, &mut apply] {
        let said = client.get("/resources/users/u1").unwrap().expect(404).text();
        assert!(said.contains("roles include console"), "{said}");
    }
    for client in [&mut intake, &mut apply, &mut console, &mut all] {
        for path in ["/healthz", "/readyz", "/metrics"] {
            client.get(path).unwrap().expect(200);
        }
    }
    for node in nodes {
        node.stop();
    }
}

#[test]
fn another_node_takes_over_when_one_dies() {
    let home = home();
    let first = node(&home, "one", "apply");
    let (second, intake) = (node(&home, "two", "apply,console"), node(&home, "three", "intake"));
    let send = |n: usize| {
        let sent = [json!({"type": "user", "userId": format!("u{n}"), "accountId": "a", "messageId": format!("m{n}")})];
        intake.client().batch(&sent).unwrap().expect_success();
    };
    (0..5).for_each(send);
    first.kill();
    (5..10).for_each(send);
    for n in 0..10 {
        second.client().read(&format!("/resources/users/u{n}"));
    }
}

#[test]
fn the_doctor_reads_every_file_of_the_bucket() {
    let home = home();
    let launch = Launch::new(&home).restless(10);
    let server = launch.start();
    let messages: Vec<_> = (0..40).map(|n| track("u", "looked", &format!("m{n}"))).collect();
    server.client().batch(&messages).unwrap().expect_success();
    let bucket = cluster::bucket_of(home.path()).expect("a node has started");
    let files = || all_files(&bucket).into_iter().filter(|file| file.extension().is_some_and(|kind| kind == "parquet"));
    let until = Instant::now() + Duration::from_secs(60);
    while files().next().is_none() {
        assert!(Instant::now() < until, "nothing is filed");
        sleep(Duration::from_millis(50));
    }
    server.stop();
    let data = home.data_dir();
    let doctor = || run(home.path(), &["doctor", "--data-dir", data.to_str().unwrap()]);
    let said = doctor().succeeded();
    assert!(said.contains("files of the history are whole"), "{said}");
    // Of all files, as those that count no more are not looked at.
    for file in files() {
        flip_bit(&file, 100, 3);
    }
    let outcome = doctor();
    assert_eq!(outcome.status.code(), Some(8), "{}", outcome.said());
    assert!(outcome.said().contains("does not match its checksum"), "{}", outcome.said());
}

#[test]
fn commands_are_nodes_themselves_and_keep_nothing_in_a_directory() {
    let home = home();
    let there = ["--data-dir", "nowhere"];
    let muster = |arguments: &[&str]| run(home.path(), &[arguments, &there].concat());
    assert!(run(home.path(), &["migrate"]).succeeded().contains("already"));
    muster(&["keys", "create"]).succeeded();
    home.file("a.ndjson", json!({"type": "user", "userId": "u", "accountId": "a", "messageId": "m"}).to_string());
    muster(&["import", "a.ndjson"]).succeeded();
    let counted = muster(&["query", "select count(*) from messages", "--format", "csv"]).succeeded();
    assert_eq!(counted, "count(*)\r\n1\r\n");
    assert_eq!(muster(&["export"]).succeeded().lines().count(), 1);
    let said = muster(&["doctor"]).succeeded();
    assert!(said.contains("all that was accepted is folded in"), "{said}");
    let said = muster(&["backup", "copy"]).succeeded();
    assert!(said.contains("copy: 1 history files"), "{said}");
    assert!(home.path().join("copy/state").is_dir());
    let outcome = muster(&["bench", "--messages", "1000"]);
    assert_eq!(outcome.status.code(), Some(2), "{}", outcome.said());
    assert!(outcome.said().contains("--url"), "{}", outcome.said());
    assert!(fs::metadata(home.path().join("nowhere")).is_err());
}
