//! Operating the executable: starting, stopping, keys, sending files, looking after a data directory.
//!
//! Commands are judged by their exit codes (documented in `docs/operations.md`), their data on stdout, and by what the
//! server then answers.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

/// Keys: made, listed and revoked, beside a running server and without one.
#[path = "operate/keys.rs"]
mod keys;

/// `muster destinations`: beside a running server and without one.
#[path = "operate/destinations.rs"]
mod destinations;

/// `muster team`: beside a running server and without one.
#[path = "operate/team.rs"]
mod team;

/// `muster query`: beside a running server and without one.
#[path = "operate/query.rs"]
mod query;

/// `muster export` and `muster import`: everything out of one server and into another.
#[path = "operate/import_export.rs"]
mod import_export;

/// `muster import` that is cut short, and goes on.
#[path = "operate/import_goes_on.rs"]
mod import_goes_on;

/// `muster import` of streams and of another server that is cut short, and goes on.
#[path = "operate/import_streams.rs"]
mod import_streams;

/// `muster export --follow`: what is stored afterwards.
#[path = "operate/follow.rs"]
mod follow;

/// `muster import` of what others kept.
#[path = "operate/import_forms.rs"]
mod import_forms;

/// `muster delete` and `muster receipts`.
#[path = "operate/deletion.rs"]
mod deletion;

/// `muster demo`: what it makes, and that it makes it once.
#[path = "operate/demo.rs"]
mod demo;

/// `muster send`: batch files and NDJSON, and what is refused.
#[path = "operate/send.rs"]
mod send;

use std::fs;
use std::io::{BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::audit::audit;
use harness::command::{run, run_with};
use harness::home::Home;
use harness::http::{connect, read_answer};
use harness::ledger::Ledger;
use harness::messages::{Collection, track};
use harness::reads::{Snapshot, message_ids};
use harness::server::{Launch, TOKEN};
use harness::traffic::{Sender, run_all, until_promised};
use serde_json::{Value, json};

/// Exit codes of the contract.
const IN_USE: i32 = 4;
const SETTINGS: i32 = 3;

#[test]
fn a_restart_reads_the_same_bytes() {
    let home = Home::new();
    let launch = Launch::new(&home).restless(100);
    let ledger = Mutex::new(Ledger::default());
    let mut senders = Sender::several(2, 7);
    let server = launch.start();
    run_all(&mut senders, server.address, &ledger, || until_promised(100, Duration::from_millis(800), &ledger));
    let before = Snapshot::take(&mut server.client());
    assert!(before.results() > 20, "there is something to read");
    server.stop();
    let server = launch.start();
    before.assert_same(&Snapshot::take(&mut server.client()));
    server.kill();
    let server = launch.start();
    before.assert_same(&Snapshot::take(&mut server.client()));
}

#[test]
fn a_stop_under_load_keeps_what_was_acknowledged() {
    let home = Home::new();
    let ledger = Mutex::new(Ledger::default());
    let mut senders = Sender::several(4, 11);
    for _ in 0..3 {
        let server = Launch::new(&home).restless(200).start();
        let address = server.address;
        run_all(&mut senders, address, &ledger, || {
            sleep(Duration::from_millis(300));
            let begin = Instant::now();
            server.stop();
            assert!(begin.elapsed() < Duration::from_secs(20), "stopping took {:?}", begin.elapsed());
        });
    }
    let server = Launch::new(&home).start();
    audit(&mut server.client(), &ledger.into_inner().unwrap());
}

#[test]
fn a_request_under_way_is_finished_before_the_end() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    let body = json!([track("u", "opened", "late")]).to_string();
    let head = format!(
        "POST /analytics/v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {TOKEN}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = connect(server.address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body.as_bytes()[..10]).unwrap();
    // A second request, answered, shows that the server has had time to see the first one.
    server.client().get("/healthz").unwrap().expect(200);
    server.ask_to_stop();
    sleep(Duration::from_millis(100));
    stream.write_all(&body.as_bytes()[10..]).unwrap();
    read_answer(&mut BufReader::new(&stream)).unwrap().expect_success();
    drop(stream);
    assert!(server.wait().success());
    let server = Launch::new(&home).start();
    assert_eq!(message_ids(&mut server.client(), Collection::Users, "u"), ["late"]);
}

#[test]
fn a_hang_up_ends_nothing_and_is_told() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    server.hang_up();
    let until = Instant::now() + Duration::from_secs(30);
    while !home.log_text().contains("SIGHUP changes nothing") {
        assert!(Instant::now() < until, "the log says what became of it: {}", home.log_text());
        sleep(Duration::from_millis(20));
    }
    server.client().batch(&[track("u", "opened", "one")]).unwrap().expect_success();
    server.stop();
}

/// What a server and a backup make is for their user alone; what was there keeps its permissions, and is warned of.
#[test]
fn others_of_the_machine_cannot_read_what_is_kept() {
    let home = Home::new();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let data_dir = home.data_dir();
    let server = Launch::new(&home).start();
    assert_eq!(mode(&data_dir), 0o700);
    let copy = home.path().join("copy");
    let in_data = ["--data-dir", data_dir.to_str().unwrap()];
    run(home.path(), &[&["backup", copy.to_str().unwrap()][..], &in_data].concat()).succeeded();
    assert_eq!(mode(&copy), 0o700);
    server.stop();
    let open = |path: &std::path::Path| fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    open(&data_dir);
    let doctor = || run(home.path(), &[&["doctor"][..], &in_data].concat()).said();
    assert!(!doctor().contains("can be read by"), "nobody else comes through the directory above");
    open(home.path());
    assert!(doctor().contains("can be read by every user"), "{}", doctor());
    Launch::new(&home).start().stop();
    assert_eq!(mode(&data_dir), 0o755, "a start leaves it as it is");
}

#[test]
fn a_second_server_leaves_the_first_alone() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    server.client().batch(&[track("u", "opened", "one")]).unwrap().expect_success();
    let local = fs::read(server.local_file()).unwrap();
    let data_dir = home.data_dir();
    let second = ["serve", "--listen", "127.0.0.1:0", "--data-dir", data_dir.to_str().unwrap()];
    let outcome = run(home.path(), &second);
    assert_eq!(outcome.status.code(), Some(IN_USE), "{}", outcome.said());
    let said = outcome.failed();
    assert!(said.contains(data_dir.to_str().unwrap()), "names the directory: {said}");
    let elsewhere = home.path().join("second");
    let listen = |address: &str| {
        run(home.path(), &["serve", "--listen", address, "--data-dir", elsewhere.to_str().unwrap()]).failed()
    };
    assert!(listen(&server.address.to_string()).contains("is another server running there?"));
    let said = listen("192.0.2.1:8080");
    assert!(said.contains("no such address") && !said.contains("another server"), "{said}");
    let file = home.file("no-directory", "");
    let said = run(home.path(), &["serve", "--data-dir", file.to_str().unwrap()]).failed();
    assert!(said.contains(file.to_str().unwrap()), "names what is in the way: {said}");
    assert_eq!(fs::read(server.local_file()).unwrap(), local, "the first is still announced");
    server.client().batch(&[track("u", "opened", "two")]).unwrap().expect_success();
    assert_eq!(message_ids(&mut server.client(), Collection::Users, "u").len(), 2);
}

#[test]
fn the_first_start_shows_a_key_once() {
    let home = Home::new();
    let data_dir = home.data_dir();
    let launch = Launch::new(&home).unset("MUSTER_BOOTSTRAP_TOKEN");
    let server = launch.start();
    let said = home.log_text();
    let (_, curl) = said.split_once("curl").unwrap_or_else(|| panic!("no ready request: {said}"));
    let (_, token) = curl.split_once("Basic ").unwrap_or_else(|| panic!("no token in it: {curl}"));
    let token: String = token.chars().take_while(|c| !c.is_whitespace() && !"'\"".contains(*c)).collect();
    assert!(token.len() >= 16, "{token:?} can be guessed");
    server.client_of(&token).batch(&[track("u", "opened", "one")]).unwrap().expect_success();
    assert_eq!(fs::metadata(server.local_file()).unwrap().permissions().mode() & 0o777, 0o600);
    server.stop();
    assert!(!data_dir.join("local.json").exists(), "a stopped server is announced no longer");
    let server = launch.start();
    assert_eq!(home.log_text().matches(&token).count(), said.matches(&token).count(), "shown again");
    assert_eq!(message_ids(&mut server.client_of(&token), Collection::Users, "u"), ["one"]);
}

#[test]
fn logs_tell_neither_tokens_nor_bodies() {
    let home = Home::new();
    let launch = Launch::new(&home).set("MUSTER_LOG__LEVEL", "debug").restless(10);
    let server = launch.start();
    let mut client = server.client();
    let mut secret = track("person@private.example", "whispered-event", "private-message-id");
    secret["properties"] = json!({"note": "private-note-text"});
    client.batch(&[secret.clone()]).unwrap().expect_success();
    secret["timestamp"] = json!("private-timestamp");
    client.batch(&[secret]).unwrap().expect(400);
    client.post("/analytics/v1/batch", b"private-nonsense").unwrap().expect(400);
    client.get("/resources/users/person%40private.example").unwrap().expect(200);
    server.client_of("private-wrong-token").get("/resources/users").unwrap().expect(401);
    let local: Value = serde_json::from_slice(&fs::read(server.local_file()).unwrap()).unwrap();
    let operator_token = local["token"].as_str().unwrap().to_owned();
    server.stop();
    let said = home.log_text();
    assert!(said.lines().count() > 3, "there is a log to look at: {said}");
    for secret in [TOKEN, &operator_token, "private", "whispered-event"] {
        let line = said.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "the log tells {secret:?}");
    }
}

#[test]
fn settings_show_where_they_come_from() {
    let home = Home::new();
    home.file("muster.toml", "[checkpoint]\nrows_max = 1234\n");
    let settings = [("MUSTER_LISTEN", "127.0.0.1:4711"), ("MUSTER_BOOTSTRAP_TOKEN", TOKEN)];
    let outcome = run_with(home.path(), &["config", "--data-dir", "elsewhere"], &settings);
    let stdout = outcome.succeeded();
    let check = |name: &str, value: &str, origin: &str| {
        let lines = || stdout.lines().filter(|line| line.contains(name));
        let found = lines().any(|line| line.contains(value) && line.contains(origin));
        assert!(found, "{name} = {value} from {origin}:\n{stdout}");
    };
    check("listen", "127.0.0.1:4711", "MUSTER_LISTEN");
    check("rows_max", "1234", "muster.toml");
    check("data_dir", "elsewhere", "--data-dir");
    check("interval_seconds", "", "default");
    assert!(!stdout.contains(TOKEN), "a secret is not shown");

    for (name, value) in
        [("MUSTER_CHECKPOINT__ROWS", "1"), ("MUSTER_CHECKPOINT__ROWS_MAX", "many"), ("MUSTER_LISTEN", "x")]
    {
        let outcome = run_with(home.path(), &["serve"], &[(name, value)]);
        assert_eq!(outcome.status.code(), Some(SETTINGS), "{name}={value}: {}", outcome.said());
        assert!(outcome.failed().contains(name), "names the setting");
    }
    home.file("muster.toml", "[checkpoint]\nrow_max = 1\n");
    let said = run(home.path(), &["config"]).failed();
    assert!(said.contains("row_max") && said.contains("rows_max"), "names the mistake and the nearest: {said}");
}

#[test]
fn the_doctor_finds_nothing_wrong_with_a_sound_directory() {
    let home = Home::new();
    let data_dir = home.data_dir();
    let doctor = ["doctor", "--data-dir", data_dir.to_str().unwrap()];
    let server = Launch::new(&home).restless(20).start();
    let messages: Vec<Value> = (0..100).map(|at| track("u", "opened", &format!("m{at}"))).collect();
    server.client().batch(&messages).unwrap().expect_success();
    run(home.path(), &doctor).succeeded();
    server.kill();
    run(home.path(), &doctor).succeeded();
    Launch::new(&home).start().stop();
    run(home.path(), &doctor).succeeded();
    let missing = run(home.path(), &["doctor", "--data-dir", "no-such-directory"]).failed();
    assert!(missing.contains("no-such-directory"), "{missing}");
    assert!(!home.path().join("no-such-directory").exists(), "looking makes nothing");
}

#[test]
fn a_running_server_explains_itself() {
    let home = Home::new();
    let server = Launch::new(&home).start();
    server.client().batch(&[track("u", "opened", "one")]).unwrap().expect_success();
    let mut anyone = server.client_with(None);
    for path in ["/healthz", "/readyz"] {
        anyone.get(path).unwrap().expect(200);
    }
    let metrics = anyone.get("/metrics").unwrap().expect(200).text();
    assert!(metrics.lines().any(|line| line.starts_with("# TYPE")), "{metrics}");
    let document = anyone.get("/openapi.json").unwrap().expect(200).json();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with('3')), "{document}");
    let kinds = ["organization", "account", "user", "track", "unlink", "customobjectinstance", "batch"];
    let ingest = kinds.map(|kind| format!("/analytics/v1/{kind}"));
    let reads = ["organizations", "accounts", "users"].map(|kind| format!("/resources/{kind}"));
    for path in ingest.iter().chain(&reads).map(String::as_str).chain(["/resources/refused"]) {
        assert!(document["paths"][path].is_object(), "{path} is not described");
    }
    let docs = anyone.get("/docs").unwrap().expect(200);
    assert!(docs.text().contains("/analytics/v1/batch"), "the readable form tells of the batch");
    assert!(docs.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
}
