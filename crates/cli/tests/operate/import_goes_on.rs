//! `muster import` that is cut short: the importer killed, the server killed, again and again. It goes on where it was, under
//! the same number; nothing is lost, nothing is doubled, and neither is the file of refused messages.

use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::harness::cluster;
use super::harness::command::{run, run_with};
use super::harness::home::Home;
use super::harness::http::Client;
use super::harness::messages::track;
use super::harness::server::{Launch, Server, TOKEN, muster};

const PATIENCE: Duration = Duration::from_secs(60);
const LINES: u64 = 30_000;
/// Every so many lines one is no message, one is no JSON, and one is the same as another.
const REFUSED_EVERY: u64 = 997;
const BROKEN_EVERY: u64 = 1_009;
const SAME_EVERY: u64 = 1_013;

/// The lines of a file, and those that are refused.
fn lines(has_receipts: bool) -> (Vec<String>, Vec<String>) {
    let mut refused = Vec::new();
    let lines = (1..=LINES).map(|n| {
        let of = if n % SAME_EVERY == 0 { n - 1 } else { n };
        let line = match (n % REFUSED_EVERY, n % BROKEN_EVERY) {
            (0, _) => json!({"type": "user", "n": n}).to_string(),
            (_, 0) => format!("{{\"n\": {n}"),
            _ => track(&format!("u{}", of % 700), "opened", &format!("m{of}")).to_string(),
        };
        // What is received first does not stand first.
        let second = (n * 7_919) % 86_400;
        let received =
            format!("2024-03-{:02}T{:02}:{:02}:{:02}Z", 1 + n % 28, second / 3_600, second / 60 % 60, second % 60);
        let line = match has_receipts && n % BROKEN_EVERY != 0 {
            true => format!("{{\"receivedAt\":\"{received}\",\"message\":{line}}}"),
            false => line,
        };
        if n % REFUSED_EVERY == 0 || n % BROKEN_EVERY == 0 {
            refused.push(line.clone());
        }
        line
    });
    let lines = lines.collect();
    (lines, refused)
}

/// How the lines come.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Come {
    AsFile,
    AsStream,
}

fn spawn(home: &Home, server: &Server, come: Come, more: &[&str]) -> Child {
    let url = format!("http://{}", server.address);
    let mut command = muster(home.path());
    let (source, input) = match come {
        Come::AsFile => ("all.ndjson", Stdio::null()),
        Come::AsStream => ("-", Stdio::from(File::open(home.path().join("all.ndjson")).unwrap())),
    };
    command.args([&["import", source, "--refused", "faults.ndjson", "--url", &url], more].concat());
    command.env("MUSTER_TOKEN", TOKEN).stdin(input).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().expect("the muster executable starts")
}

fn imports(client: &mut Client) -> Vec<Value> {
    client.read("/admin/v1/imports")["results"].as_array().expect("a list").clone()
}

/// Waits until the newest import has read so many messages, or is over.
fn wait_for(client: &mut Client, read: u64) {
    let until = Instant::now() + PATIENCE;
    while !imports(client).first().is_some_and(|one| one["read"].as_u64() >= Some(read) || one["state"] == "complete") {
        assert!(Instant::now() < until, "the import does not come to {read}");
        sleep(Duration::from_millis(2));
    }
}

/// What the last run printed.
fn finish(home: &Home, server: &Server, come: Come) -> Value {
    let child = spawn(home, server, come, &["--json"]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(6), "some are refused");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn check(home: &Home, server: &Server, refused: &[String]) {
    let mut client = server.client();
    let all = imports(&mut client);
    assert_eq!(all.len(), 1, "one import, whatever happened to it: {all:?}");
    let one = &all[0];
    let same = LINES / SAME_EVERY;
    let refused_count = refused.len() as u64;
    assert_eq!(one["state"], "complete", "{one}");
    assert_eq!(one["read"], LINES, "{one}");
    assert_eq!((&one["refused"], &one["duplicates"]), (&json!(refused_count), &json!(same)), "{one}");
    assert_eq!(one["stored"], LINES - same - refused_count, "{one}");
    let mut kept: Vec<String> =
        fs::read_to_string(home.path().join("faults.ndjson")).unwrap().lines().map(str::to_owned).collect();
    let mut wanted = refused.to_vec();
    kept.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(kept, wanted, "the file of refused messages has each of them once");
    let counted = client.read("/resources/events/names");
    assert!(counted.to_string().contains(&(LINES - same - refused_count).to_string()), "{counted}");
}

fn file(home: &Home, has_receipts: bool) -> Vec<String> {
    let (lines, refused) = lines(has_receipts);
    home.file("all.ndjson", lines.join("\n"));
    refused
}

#[test]
fn an_importer_that_was_killed_goes_on_where_it_was() {
    for (come, has_receipts) in
        [(Come::AsFile, false), (Come::AsFile, true), (Come::AsStream, false), (Come::AsStream, true)]
    {
        let home = Home::new();
        let refused = file(&home, has_receipts);
        let server = Launch::new(&home).restless(2_000).start();
        let mut client = server.client();
        for read in [4_000, 9_000, 15_000] {
            let mut child = spawn(&home, &server, come, &[]);
            wait_for(&mut client, read);
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let said = finish(&home, &server, come);
        assert_eq!(said["import"], 1, "{come:?}");
        let resumed = said["resumed_at"].as_u64().unwrap();
        assert!(resumed > 0, "{said}");
        assert_eq!(said["messages"].as_u64().unwrap() + resumed, LINES);
        check(&home, &server, &refused);
    }
}

#[test]
fn a_server_that_was_killed_counts_nothing_twice() {
    let home = Home::new();
    let refused = file(&home, false);
    let launch = Launch::new(&home).restless(2_000);
    let mut server = launch.start();
    let launch = launch.listening_on(server.address);
    let child = spawn(&home, &server, Come::AsStream, &["--json"]);
    for read in [3_000, 8_000, 14_000, 20_000] {
        wait_for(&mut server.client(), read);
        server.kill();
        server = launch.start();
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(6), "{}", String::from_utf8_lossy(&output.stdout));
    check(&home, &server, &refused);
}

#[test]
fn what_is_imported_anew_is_another_import() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let data_dir = home.data_dir();
    let at = ["--data-dir", data_dir.to_str().unwrap()];
    let message = |n: u32| track("u", "e", &format!("m{n}"));
    home.file("a.ndjson", format!("{}\n{}\n", message(1), message(2)));
    let import = |more: &[&str]| {
        let outcome = run(home.path(), &[&["import", "a.ndjson", "--json"], more, &at].concat());
        let first = outcome.stderr.lines().next().unwrap_or_default().to_owned();
        (first, serde_json::from_str::<Value>(&outcome.succeeded()).unwrap())
    };
    let (first, said) = import(&[]);
    assert_eq!((first.as_str(), &said["stored"]), ("import 1", &json!(2)));
    // A complete one is not gone on with, and trying it out is no import.
    let (first, said) = import(&[]);
    assert_eq!((first.as_str(), &said["duplicates"]), ("import 2", &json!(2)));
    let (_, said) = import(&["--dry-run"]);
    assert_eq!(said["import"], Value::Null);
    let listed = run(home.path(), &[&["import", "list"][..], &at].concat()).succeeded();
    assert_eq!(listed.lines().count(), 3);
    assert!(listed.contains("complete") && listed.contains("a.ndjson"), "{listed}");
    // One that is only begun is gone on with; or not.
    let mut client = server.client();
    let begun = |client: &mut Client, more: Value| {
        let mut body = json!({"format": "muster", "fingerprint": "0123456789abcdef0123456789abcdef"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client.request("POST", "/admin/v1/imports", &[], body.to_string().as_bytes()).unwrap().expect(200).json()["id"]
            .as_u64()
    };
    assert_eq!(begun(&mut client, json!({})), Some(3));
    assert_eq!(begun(&mut client, json!({})), Some(3));
    assert_eq!(begun(&mut client, json!({"again": true})), Some(4));
    assert_eq!(begun(&mut client, json!({"format": "segment"})), Some(5));
    assert_eq!(begun(&mut client, json!({})), Some(4), "the newest one counts");
    let lone = Home::new();
    Launch::new(&lone).start().stop();
    let dir = lone.data_dir();
    let file = home.path().join("a.ndjson");
    let alone = run(lone.path(), &["import", file.to_str().unwrap(), "--data-dir", dir.to_str().unwrap()]);
    assert_eq!(alone.stderr.lines().next(), Some("import 1"));
    alone.succeeded();
    let url = format!("http://{}", server.address);
    let said = run_with(home.path(), &["import", "a.ndjson", "--url", &url], &[("MUSTER_TOKEN", "mk_wrong")]).failed();
    assert!(said.contains("401"), "{said}");
}

/// What was not sent otherwise is gone, however often the server is killed meanwhile; and may come again.
#[test]
fn what_is_taken_back_is_gone_whatever_is_killed() {
    const ALL: u64 = 6_000;
    let home = Home::new();
    let launch = Launch::new(&home).restless(1_500);
    let mut server = launch.start();
    let launch = launch.listening_on(server.address);
    let message = |n: u64| track(&format!("u{}", n % 500), "opened", &format!("m{n}"));
    let lines: Vec<String> = (0..ALL).map(|n| message(n).to_string()).collect();
    home.file("all.ndjson", lines.join("\n"));
    let own: Vec<Value> = (0..ALL).filter(|n| n % 10 == 0).map(message).collect();
    let send = |server: &Server, messages: &[Value]| {
        for batch in messages.chunks(100) {
            server.client().batch(batch).unwrap().expect_success();
        }
    };
    // Some are there before, some come after.
    send(&server, &own[..300]);
    let url = format!("http://{}", server.address);
    let muster = |arguments: &[&str]| run_with(home.path(), arguments, &[("MUSTER_TOKEN", TOKEN)]);
    muster(&["import", "all.ndjson", "--url", &url]).succeeded();
    send(&server, &own[300..]);
    let asked = server.client().request("POST", "/admin/v1/imports/1/undo", &[], b"").unwrap().expect(202).json();
    // A cluster does it in one transaction.
    assert!(asked["state"] == "undoing" || (cluster::is_on() && asked["state"] == "undone"), "{asked}");
    for pause in [0, 5, 20, 50, 100, 200, 400] {
        sleep(Duration::from_millis(pause));
        server.kill();
        server = launch.start();
    }
    let said = muster(&["import", "undo", "1", "--url", &url]).succeeded();
    assert_eq!(said, format!("import 1: {} messages were taken back\n", ALL - own.len() as u64));
    let exported = |server: &Server| {
        let lines = server.client().get("/export").unwrap().expect(200).text();
        let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["message"]["messageId"].clone();
        let mut ids: Vec<String> = lines.lines().map(|line| id(line).to_string()).collect();
        ids.sort_unstable();
        ids
    };
    let mut expected: Vec<String> = own.iter().map(|message| message["messageId"].to_string()).collect();
    expected.sort_unstable();
    assert_eq!(exported(&server), expected, "what was sent otherwise stays, once");
    let mut client = server.client();
    assert_eq!(client.get("/resources/users/u3").unwrap().status, 404, "only the import named this user");
    assert_eq!(client.read("/resources/users/u10/events")["results"].as_array().map(Vec::len), Some(12));
    let said = muster(&["import", "all.ndjson", "--url", &url, "--json"]).succeeded();
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["stored"], &said["duplicates"]), (&json!(ALL - own.len() as u64), &json!(own.len())));
    assert_eq!(exported(&server).len(), ALL as usize);
    server.stop();
    let said = run(home.path(), &["doctor", "--data-dir", home.data_dir().to_str().unwrap()]).said();
    assert!(!said.contains("FAULT"), "{said}");
}
