//! Backups: taken under traffic and without a server, and everything acknowledged before is in them.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use harness::audit::audit;
use harness::choice::seed;
use harness::command::{Outcome, run};
use harness::files::all_files;
use harness::home::{COMMITTED, Home};
use harness::ledger::Ledger;
use harness::reads::Snapshot;
use harness::server::Launch;
use harness::traffic::{Sender, run_all, until_promised};
use serde_json::Value;

fn backup(home: &Home, into: &Path) -> Outcome {
    let data = home.data_dir();
    run(home.path(), &["backup", into.to_str().unwrap(), "--json", "--data-dir", data.to_str().unwrap()])
}

/// Every backup holds what was acknowledged before it began, whole, and nothing that was never sent.
#[test]
fn a_backup_under_traffic_is_a_data_directory_of_its_own() {
    let home = Home::new();
    let ledger = Mutex::new(Ledger::default());
    let mut senders = Sender::several(3, seed());
    let server = Launch::new(&home).restless(100).start();
    let mut promised = Vec::new();
    run_all(&mut senders, server.address, &ledger, || {
        // The first one is to have files of the history, too.
        while !home.log_text().contains(COMMITTED) {
            until_promised(1, Duration::from_millis(20), &ledger);
        }
        for number in 0..4 {
            until_promised(100, Duration::from_millis(400), &ledger);
            promised.push(ledger.lock().unwrap().as_of_now());
            let taken: Value =
                serde_json::from_str(&backup(&home, &home.path().join(format!("backup-{number}"))).succeeded())
                    .unwrap();
            assert!(taken["entries"].as_u64().unwrap() > 100 && taken["historyFiles"].as_u64().unwrap() > 0, "{taken}");
        }
    });
    server.kill();
    let everything = ledger.into_inner().unwrap();
    for (number, promised) in promised.iter().enumerate() {
        let copy = home.path().join(format!("backup-{number}"));
        let said = run(home.path(), &["doctor", "--data-dir", copy.to_str().unwrap()]).said();
        assert!(!said.contains("FAULT"), "{said}");
        let server = Launch::at(&copy, &home.path().join(format!("log-{number}"))).start();
        println!("{:?}", audit(&mut server.client(), &everything.with_promises_of(promised)));
        // It is a store like any other: what was in flight can be sent again.
        server.stop();
    }
    // The directory that was copied is none the worse for it.
    let server = Launch::new(&home).start();
    audit(&mut server.client(), &everything);
}

#[test]
fn without_a_server_the_command_copies_the_directory_itself() {
    let home = Home::new();
    let ledger = Mutex::new(Ledger::default());
    let mut senders = Sender::several(2, seed());
    let server = Launch::new(&home).restless(100).start();
    run_all(&mut senders, server.address, &ledger, || until_promised(100, Duration::from_millis(600), &ledger));
    let before = Snapshot::take(&mut server.client());
    server.kill();
    let copy = home.path().join("copy");
    backup(&home, &copy).succeeded();
    let server = Launch::at(&copy, &home.log()).start();
    before.assert_same(&before.again(&mut server.client()));
}

#[test]
fn a_place_that_cannot_be_used_is_named_and_left_alone() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let full = home.path().join("full");
    fs::create_dir(&full).unwrap();
    home.file("full/mine", "mine");
    let inside = home.data_dir().join("inside");
    let nowhere = home.path().join("no/such/place");
    for (place, says) in [(&full, "not empty"), (&inside, "within the data directory"), (&nowhere, "must be there")] {
        let said = backup(&home, place).failed();
        assert!(said.contains(says), "{said}");
    }
    assert_eq!(fs::read_to_string(full.join("mine")).unwrap(), "mine");
    let answer = server.client().post("/admin/v1/backups", br#"{"directory":"/tmp/x"}"#).unwrap().expect(403);
    assert!(answer.text().contains("local operator"), "a key of a workspace takes no backups: {}", answer.text());
    // An empty directory may be there already.
    let empty = home.path().join("empty");
    fs::create_dir(&empty).unwrap();
    backup(&home, &empty).succeeded();
    assert!(all_files(&empty).iter().any(|path| path.ends_with("version")));
    assert!(all_files(&home.data_dir()).iter().all(|path| !path.to_string_lossy().contains("backup.tmp")));
    server.stop();
}
