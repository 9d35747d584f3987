//! `muster delete` and `muster receipts`: gone for every way of reading at once, not brought back by any way of sending, and
//! deleted again in a backup from before.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::harness::cluster;
use super::harness::command::{Outcome, run, run_with};
use super::harness::home::Home;
use super::harness::http::Client;
use super::harness::server::{Launch, TOKEN};

/// How long a receipt may take to be sealed on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);
const SECRET: &str = "nobody-may-read-this";

fn sent() -> Vec<Value> {
    let at = "2025-01-01T00:00:00Z";
    let mut messages = vec![
        json!({"type": "account", "accountId": "acme", "timestamp": at, "traits": {"plan": "pro"}}),
        json!({"type": "user", "userId": "stays", "accountId": "acme", "timestamp": at}),
        json!({"type": "user", "userId": "follows", "accountId": "acme", "timestamp": at, "traits": {"note": SECRET}}),
        json!({"type": "user", "userId": "goes", "accountId": "acme", "timestamp": at, "traits": {"email": format!("{SECRET}@example.com")}}),
    ];
    for (user, count) in [("goes", 30), ("stays", 20)] {
        messages.extend((0..count).map(|n| {
            json!({"type": "track", "userId": user, "event": format!("{user} did"), "messageId": format!("{user}-{n}"), "timestamp": at,
                "properties": {"note": if user == "goes" { SECRET } else { "" }}})
        }));
    }
    messages
}

/// Every way of reading, and whether any of them tells of the user.
fn check_gone(home: &Home, client: &mut Client) {
    for path in ["", "/events", "/traits/email/history", "?asOf=2025-06-01T00:00:00Z"] {
        let answer = client.get(&format!("/resources/users/goes{path}")).unwrap();
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
    }
    let mut texts = vec![
        client.read("/resources/users").to_string(),
        client.read("/resources/accounts/acme/users").to_string(),
        client.read("/resources/accounts/acme/events?limit=1000").to_string(),
        client.read("/resources/events/names").to_string(),
        client.read("/resources/users?search=nobody").to_string(),
        client.read(&format!("/resources/users/search?email={SECRET}@example.com")).to_string(),
    ];
    let data_dir = home.data_dir();
    let asked = |arguments: &[&str]| {
        run(home.path(), &[arguments, &["--data-dir", data_dir.to_str().unwrap()]].concat()).succeeded()
    };
    for sql in [
        "select * from users",
        "select * from events",
        "select * from messages",
        "select * from traits",
        "select * from links",
        "select day, event, events, users from daily",
    ] {
        texts.push(asked(&["query", sql, "--format", "csv"]));
    }
    texts.push(asked(&["export"]));
    for text in texts {
        for word in [SECRET, "\"goes\"", "goes did", ",goes,"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
    assert_eq!(asked(&["query", "select count(*) from events", "--format", "csv"]).trim().lines().last(), Some("20"));
    assert_eq!(asked(&["query", "select sum(events) from daily", "--format", "csv"]).trim().lines().last(), Some("20"));
}

fn with_token(home: &Home, arguments: &[&str]) -> Outcome {
    let data_dir = home.data_dir();
    let arguments = [arguments, &["--data-dir", data_dir.to_str().unwrap()]].concat();
    run_with(home.path(), &arguments, &[("MUSTER_TOKEN", TOKEN)])
}

/// Waits until every byte is gone; the receipts as they are then.
fn finished(home: &Home) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let receipts = with_token(home, &["receipts"]).succeeded();
        if receipts.lines().all(|line| line.contains("\"status\":\"finished\"")) && !receipts.is_empty() {
            return receipts;
        }
        assert!(Instant::now() < until, "not finished: {receipts}");
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_is_deleted_is_gone_everywhere_and_stays_so() {
    let home = Home::new();
    // Files and state hold it, memory too: the deletion meets all of them.
    let server = Launch::new(&home).restless(40).start();
    let mut client = server.client();
    client.batch(&sent()).unwrap().expect_success();
    client.batch(&[json!({"type": "user", "userId": "goes", "traits": {"note": SECRET}})]).unwrap().expect(400);
    let data_dir = home.data_dir();
    let backup = home.path().join("backup");
    run(home.path(), &["backup", backup.to_str().unwrap(), "--data-dir", data_dir.to_str().unwrap()]).succeeded();
    // Programs that run on a cluster look there, whatever directory they are given.
    let looks_there = !cluster::is_on();
    let exported = run(home.path(), &["export", "--data-dir", data_dir.to_str().unwrap()]).succeeded();

    let said = with_token(&home, &["delete", "user", "nobody"]).failed();
    assert!(said.contains("404"), "{said}");
    let receipt: Value = serde_json::from_str(&with_token(&home, &["delete", "user", "goes"]).succeeded()).unwrap();
    assert!(["erasing", "finished"].contains(&receipt["status"].as_str().unwrap()), "{receipt}");
    with_token(&home, &["delete", "user", "follows"]).succeeded();
    check_gone(&home, &mut client);
    let receipts = finished(&home);
    let each: Vec<Value> = receipts.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(each.len(), 2, "one a line: {receipts}");
    let receipt = &each[1];
    assert_eq!((&receipt["removed"]["users"], &receipt["removed"]["messages"]), (&json!(1), &json!(31)), "{receipt}");
    assert_eq!(receipt["removed"]["refusedMessages"], json!(1), "{receipt}");
    assert!(!receipts.contains(SECRET), "{receipts}");
    check_gone(&home, &mut client);

    // The same messages come once more, by every way there is.
    client.batch(&sent()).unwrap().expect_success();
    let call = json!({"type": "track", "userId": "goes", "event": "goes did", "messageId": "c", "timestamp": "2025-01-01T00:00:00Z"});
    client.post("/v1/batch", json!({"batch": [call]}).to_string().as_bytes()).unwrap().expect(200);
    home.file("exported.ndjson", &exported);
    run(home.path(), &["import", "exported.ndjson", "--data-dir", data_dir.to_str().unwrap()]).succeeded();
    check_gone(&home, &mut client);
    server.stop();
    home.file("receipts.ndjson", &receipts);
    home.file("changed.ndjson", receipts.replacen("\"messages\":31", "\"messages\":30", 1));
    let doctor = |data_dir: &Path, kept: &str| {
        let data_dir = data_dir.to_str().unwrap();
        run(home.path(), &["doctor", "--data-dir", data_dir, "--receipts", kept]).said()
    };
    let said = doctor(&data_dir, "receipts.ndjson");
    assert!(said.contains("2 receipts of receipts.ndjson") && said.contains("has each of them"), "{said}");
    assert!(!said.contains("FAULT"), "{said}");
    let said = doctor(&data_dir, "changed.ndjson");
    assert!(said.contains("FAULT") && said.contains("line 2 of changed.ndjson is not as it was printed"), "{said}");
    if looks_there {
        let said = doctor(&backup, "receipts.ndjson");
        assert!(said.contains("FAULT") && said.contains("2 of the 2 receipts of receipts.ndjson are not in"), "{said}");
    }
    let server = Launch::new(&home).start();
    check_gone(&home, &mut server.client());
    // Messages about the time after begin the record anew.
    server
        .client()
        .batch(&[json!({"type": "user", "userId": "goes", "accountId": "acme", "messageId": "anew"})])
        .unwrap()
        .expect_success();
    assert_eq!(server.client().read("/resources/users/goes")["traits"], json!({}));
    server.stop();
    if looks_there {
        brought_back(&home, &backup, &receipts);
    }
}

/// A backup from before brings it back, and its receipt deletes it again.
fn brought_back(home: &Home, backup: &Path, receipts: &str) {
    let server = Launch::at(backup, &home.path().join("log-of-backup")).start();
    assert!(server.client().read("/resources/users/goes").to_string().contains(SECRET));
    let carried = server.client().post("/resources/deletions", receipts.as_bytes()).unwrap().expect(200).json();
    assert_eq!(carried["carriedOut"], json!(2), "{carried}");
    server.client().get("/resources/users/goes").unwrap().expect(404);
    server.client().get("/resources/users/follows").unwrap().expect(404);
    let again = server.client().post("/resources/deletions", receipts.as_bytes()).unwrap().expect(200).json();
    assert_eq!((&again["carriedOut"], &again["known"]), (&json!(0), &json!(2)), "{again}");
}

/// It once said that a record was gone which was to be deleted in 73 years.
#[test]
fn one_that_is_told_a_day_is_there_until_then() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let mut client = server.client();
    client.batch(&sent()).unwrap().expect_success();
    let later = with_token(&home, &["delete", "user", "stays", "--on", "2099-01-01"]);
    assert!(later.stderr.contains("still there for every reader until 2099-01-01 begins"), "{}", later.stderr);
    let receipt: Value = serde_json::from_str(&later.succeeded()).unwrap();
    assert_eq!(receipt["status"], json!("scheduled"));
    let said = with_token(&home, &["delete", "user", "stays", "--on", ""]).failed();
    assert!(said.contains("deleteOn must be a day"), "{said}");
    assert_eq!(client.get("/resources/users/stays").unwrap().status, 200);
    let now = with_token(&home, &["delete", "user", "stays"]);
    assert!(now.stderr.contains("gone for every reader"), "{}", now.stderr);
    let receipts = with_token(&home, &["receipts"]).succeeded();
    assert!(receipts.contains("\"status\":\"cancelled\"") && !receipts.contains("scheduled"), "{receipts}");
    server.stop();
}
