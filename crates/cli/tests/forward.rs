//! Forwarding to destinations: to a second server, to receivers that fail in every way, through kills of either side; and
//! what a destination does costs intake nothing.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

#[path = "forward/receiver.rs"]
mod receiver;

#[path = "forward/failures.rs"]
mod failures;

#[path = "forward/letters.rs"]
mod letters;

#[path = "forward/forms.rs"]
mod forms;

use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::choice::seed;
use harness::command::run;
use harness::home::Home;
use harness::http::Client;
use harness::ledger::Ledger;
use harness::reads::Snapshot;
use harness::server::{Launch, Server, TOKEN};
use harness::traffic::{Sender, run_all};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use receiver::{Receiver, Reply};
use serde_json::{Value, json};

/// How long something in the background may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

const DESTINATIONS: &str = "/admin/v1/destinations";

/// A server that tries destinations again soon.
fn launch(home: &Home) -> Launch {
    Launch::new(home).set("MUSTER_FORWARD__RETRY_SECONDS_MAX", 1)
}

/// Makes a destination that speaks Vitally's form.
fn create(client: &mut Client, url: &str, more: &Value) -> Value {
    let mut body = json!({"name": "theirs", "kind": "vitally", "url": url, "secret": TOKEN});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    client.post_json(DESTINATIONS, &body).unwrap().expect(200).json()
}

fn change(client: &mut Client, body: &Value) -> Value {
    let target = format!("{DESTINATIONS}/theirs");
    client.request("PATCH", &target, &[], body.to_string().as_bytes()).unwrap().expect(200).json()
}

fn state(client: &mut Client) -> Value {
    client.read(&format!("{DESTINATIONS}/theirs"))
}

#[track_caller]
fn wait_for(client: &mut Client, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let state = state(client);
        if holds(&state) {
            return state;
        }
        assert!(Instant::now() < until, "{what}: {state}");
        sleep(Duration::from_millis(20));
    }
}

fn caught_up(state: &Value) -> bool {
    state["pending"] == 0 && state["state"] == "delivering"
}

fn track(n: usize) -> Value {
    harness::messages::track(&format!("user-{}", n % 3), "clicked", &format!("m-{n}"))
}

fn ids(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("m-{n}")).collect()
}

/// Either side is killed at any moment, and the second server comes back at another address each time.
#[test]
fn a_second_server_ends_with_the_same_state() {
    let mut rng = StdRng::seed_from_u64(seed());
    let (home, other) = (Home::new(), Home::new());
    let ledger = Mutex::new(Ledger::default());
    let mut senders = Sender::several(3, seed());
    let mut second: Server = Launch::new(&other).start();
    let mut first = launch(&home).start();
    // Something from before the destination is there.
    let address = first.address;
    run_all(&mut senders, address, &ledger, || sleep(Duration::from_millis(500)));
    create(&mut first.client(), &format!("http://{}", second.address), &json!({"from": "start"}));
    for round in 0..8 {
        let restart_second = rng.random_bool(0.5);
        run_all(&mut senders, first.address, &ledger, || {
            sleep(Duration::from_millis(rng.random_range(100..900)));
            if restart_second {
                sleep(Duration::from_millis(rng.random_range(0..300)));
            }
            first.kill();
        });
        if restart_second {
            second.kill();
            second = Launch::new(&other).restless([50, 1_000][round % 2]).start();
        }
        first = launch(&home).restless([40, 300, 2_000][rng.random_range(0..3)]).start();
        change(&mut first.client(), &json!({"url": format!("http://{}", second.address)}));
    }
    let mut client = first.client();
    let stands = wait_for(&mut client, "the second server does not catch up", caught_up);
    assert_eq!(stands["deadLetters"], 0, "{stands}");
    let ours = Snapshot::take(&mut client).without_times_of_receipt();
    let theirs = ours.again(&mut second.client()).without_times_of_receipt();
    let mut compared = 0;
    // Lists are in the order of receipt, which is each server's own.
    let single = |target: &str| !target.contains("?limit=100") || target.contains("/events");
    for (one, two) in ours.reads.iter().zip(&theirs.reads).filter(|(read, _)| single(&read.target)) {
        assert_eq!(one, two, "the second server has something else");
        compared += 1;
    }
    assert!(compared > 50, "{compared}");
    println!("{compared} reads are the same; {} messages", ledger.into_inner().unwrap().promised_count());
    first.stop();
    second.stop();
}

/// A receiver that never answers keeps nobody waiting, and what is kept for it is bounded.
#[test]
fn a_dead_destination_does_not_slow_intake() {
    let home = Home::new();
    let receiver = Receiver::new(|_, _| Reply::Hang(Duration::from_secs(600)));
    let launch = launch(&home).restless(2_000).set("MUSTER_FORWARD__KEPT_BYTES_MAX", 600_000);
    let server = launch.start();
    let mut client = server.client();
    let send = |client: &mut Client, from: usize| {
        let started = Instant::now();
        for batch in 0..60 {
            let batch: Vec<Value> = (0..100).map(|n| track(from + batch * 100 + n)).collect();
            client.batch(&batch).unwrap().expect_success();
        }
        started.elapsed()
    };
    let alone = send(&mut client, 0);
    create(&mut client, &receiver.url(), &json!({"timeoutSeconds": 300}));
    let beside = send(&mut client, 6_000);
    println!("60 batches took {alone:?} alone and {beside:?} beside a dead destination");
    assert!(beside < alone * 4 + Duration::from_secs(2), "{alone:?}, {beside:?}");
    let stands = state(&mut client);
    assert_eq!(stands["pending"], 6_000, "{stands}");
    let until = Instant::now() + PATIENCE;
    let kept = || harness::files::all_files(&home.data_dir().join("forward"));
    let bytes = || kept().iter().filter_map(|file| file.metadata().ok()).map(|about| about.len()).sum::<u64>();
    while bytes() > 600_000 {
        assert!(Instant::now() < until, "{} bytes are kept", bytes());
        sleep(Duration::from_millis(50));
    }
    // A stop does not wait for the receiver either.
    server.stop();
    let server = launch.start();
    receiver.answer(|_, _| Reply::ok());
    let mut client = server.client();
    wait_for(&mut client, "what was dropped comes from the history", caught_up);
    let mut took = receiver.took();
    took.sort_unstable_by_key(|id| id.strip_prefix("m-").and_then(|number| number.parse::<usize>().ok()));
    took.dedup();
    let late: Vec<String> = took.into_iter().filter(|id| id[2..].parse::<usize>().unwrap() >= 6_000).collect();
    assert_eq!(late, ids(6_000..12_000));
    server.stop();
}

/// The place survives a kill: what was taken before is not sent again, but for the last second of it.
#[test]
fn the_place_outlives_the_process() {
    let home = Home::new();
    let receiver = Receiver::new(|_, _| Reply::ok());
    let mut server = launch(&home).start();
    create(&mut server.client(), &receiver.url(), &json!({}));
    for round in 0..4 {
        let batch: Vec<Value> = (0..50).map(|n| track(round * 50 + n)).collect();
        server.client().batch(&batch).unwrap().expect_success();
        wait_for(&mut server.client(), "all is sent", caught_up);
        server.kill();
        server = launch(&home).start();
    }
    wait_for(&mut server.client(), "nothing is left", caught_up);
    server.stop();
    // Once it has nothing more to send, the place is kept at once.
    assert_eq!(receiver.took(), ids(0..200));
}

/// What is deleted while a destination is away never gets there, and leaves no byte.
#[test]
fn what_was_deleted_never_goes() {
    let home = Home::new();
    let receiver = Receiver::new(|_, _| Reply::status(503));
    let server = launch(&home).restless(5).start();
    let mut client = server.client();
    create(&mut client, &receiver.url(), &json!({}));
    let user = |id: &str, n: usize| {
        json!({"type": "user", "userId": id, "accountId": "a", "messageId": format!("m-{n}"), "timestamp": "2024-01-01T00:00:00Z",
               "traits": {"email": format!("{id}@example.com")}})
    };
    client.batch(&[user("gone", 0), user("stays", 1), track(2)]).unwrap().expect_success();
    wait_for(&mut client, "it is tried", |state| state["state"] == "retrying");
    client.request("DELETE", "/resources/users/gone", &[], b"").unwrap().expect(204);
    let until = Instant::now() + PATIENCE;
    while client.read("/resources/deletions?limit=100").to_string().contains("\"erasing\"") {
        assert!(Instant::now() < until, "what was deleted is still on disk");
        sleep(Duration::from_millis(50));
    }
    let before = receiver.heard().len();
    receiver.answer(|_, _| Reply::ok());
    wait_for(&mut client, "the rest is sent", caught_up);
    assert_eq!(receiver.took(), ids(1..3));
    let after = &receiver.heard()[before..];
    assert!(after.iter().all(|(request, _)| !String::from_utf8_lossy(&request.body).contains("gone")));
    server.stop();
    let data_dir = home.data_dir();
    let said = run(home.path(), &["doctor", "--data-dir", data_dir.to_str().unwrap()]).succeeded();
    assert!(!said.contains("FAULT"), "{said}");
}

/// The settings file makes, changes and ends destinations; the API only holds them up.
#[test]
fn destinations_of_the_settings_file() {
    let home = Home::new();
    let (one, two) = (Receiver::new(|_, _| Reply::ok()), Receiver::new(|_, _| Reply::ok()));
    let file = |url: &str| {
        let text =
            format!("[[destinations]]\nname = \"theirs\"\nkind = \"vitally\"\nurl = \"{url}\"\nsecret = \"s\"\n");
        home.file("settings.toml", text);
    };
    let launch = launch(&home).set("MUSTER_CONFIG", home.path().join("settings.toml").display());
    file(&one.url());
    let server = launch.start();
    let mut client = server.client();
    client.batch(&[track(0)]).unwrap().expect_success();
    one.wait("it is sent", |one| one.took() == ids(0..1));
    assert_eq!(state(&mut client)["origin"], "file");
    let refused = client.request("PATCH", &format!("{DESTINATIONS}/theirs"), &[], br#"{"url":"http://x"}"#).unwrap();
    assert!(refused.expect(400).text().contains("settings file"));
    client.request("DELETE", &format!("{DESTINATIONS}/theirs"), &[], b"").unwrap().expect(400);
    change(&mut client, &json!({"paused": true}));
    client.batch(&[track(1)]).unwrap().expect_success();
    server.stop();
    file(&two.url());
    let server = launch.start();
    let mut client = server.client();
    assert_eq!(state(&mut client)["state"], "paused", "a restart does not let it go on");
    change(&mut client, &json!({"paused": false}));
    two.wait("it goes on where it was", |two| two.took() == ids(1..2));
    server.stop();
    home.file("settings.toml", "");
    let server = launch.start();
    assert_eq!(server.client().read(DESTINATIONS)["results"], json!([]));
    server.stop();
    home.file(
        "settings.toml",
        "[[destinations]]\nname = \"a\"\nkind = \"vitally\"\nsecret = \"s\"\nworkspace = \"none\"\n",
    );
    let failure = launch.spawn().ready().err().expect("it does not start");
    assert!(failure.log.contains("there is no workspace none"), "{}", failure.log);
}
