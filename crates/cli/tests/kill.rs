//! SIGKILL at random moments, many times over one data directory, then an audit of every message.
//!
//! Kills fall into plain traffic, into checkpoints and compactions (the test watches the history directory and strikes
//! when a file comes or goes) and into start-up with its recovery. What the machine's page cache holds survives a kill;
//! `power_loss.rs` is about the rest.
//!
//! `MUSTER_TEST_SEED` repeats a run's choices, `MUSTER_TEST_KILLS` changes the number of kills.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

use std::path::Path;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::audit::{audit, audit_request};
use harness::choice::{number_from, seed};
use harness::command::run;
use harness::files::all_files;
use harness::home::Home;
use harness::http::Client;
use harness::ledger::Ledger;
use harness::server::Launch;
use harness::traffic::{Sender, run_all};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

/// How long removing bytes may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// When to strike.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// At some time, whatever the server is doing.
    Traffic,
    /// When a file appears in the history: a checkpoint or a compaction is at work.
    HistoryGrows,
    /// When a file disappears from the history: a compaction has just been committed.
    HistoryShrinks,
    /// Between the start of the process and some time after it is usually ready.
    Startup,
}

impl Moment {
    fn choose(rng: &mut StdRng) -> Moment {
        match rng.random_range(0..10) {
            0..4 => Moment::Traffic,
            4..6 => Moment::HistoryGrows,
            6..8 => Moment::HistoryShrinks,
            _ => Moment::Startup,
        }
    }
}

#[test]
fn acknowledged_messages_outlive_the_process() {
    let (seed, kills) = (seed(), number_from("MUSTER_TEST_KILLS").unwrap_or(50));
    let mut rng = StdRng::seed_from_u64(seed);
    let home = Home::new();
    let ledger = Mutex::new(Ledger::default());
    let mut senders = Sender::several(4, seed);
    let mut startup = Duration::from_millis(300);

    for kill in 1..=kills {
        let rows = [50, 200, 1000, 5000][rng.random_range(0..4)];
        let launch = Launch::new(&home).restless(rows);
        let moment = Moment::choose(&mut rng);
        if matches!(moment, Moment::Startup) {
            let starting = launch.spawn();
            sleep(startup.mul_f64(rng.random_range(0.0..1.3)));
            starting.kill();
            continue;
        }
        let begin = Instant::now();
        let server = launch.start();
        startup = begin.elapsed();
        check_last(&senders, &mut server.client());
        let (address, history) = (server.address, home.data_dir().join("history"));
        run_all(&mut senders, address, &ledger, || {
            wait_for(moment, &history, &mut rng);
            server.kill();
        });
        println!("kill {kill}: {moment:?}, {rows} rows a checkpoint, ready after {startup:?}");
    }

    let ledger = ledger.into_inner().unwrap();
    println!("{} sent, {} acknowledged", ledger.sent_count(), ledger.promised_count());
    assert!(ledger.promised_count() as u64 > 20 * kills, "too little was acknowledged for the audit to mean much");
    let server = Launch::new(&home).restless(1000).start();
    println!("after the last kill: {:?}", audit(&mut server.client(), &ledger));
    server.stop();
    let server = Launch::new(&home).start();
    println!("after an orderly stop: {:?}", audit(&mut server.client(), &ledger));
}

/// Deletions among the traffic: one that was answered holds through every kill after it, one that was not happened or did
/// not, and what was not deleted is all there.
#[test]
fn deletions_outlive_the_process_too() {
    let mut rng = StdRng::seed_from_u64(seed());
    let home = Home::new();
    let ledger = Mutex::new(Ledger::default());
    let mut senders = Sender::several(2, seed());
    let mut gone: Vec<String> = Vec::new();
    for round in 0..12 {
        let server = Launch::new(&home).restless([50, 400, 2_000][rng.random_range(0..3)]).start();
        let mut client = server.client();
        client.batch(&[json!({"type": "account", "accountId": "theirs", "messageId": "t"})]).unwrap().expect_success();
        check_gone(&gone, &mut client);
        let address = server.address;
        run_all(&mut senders, address, &ledger, || {
            for n in 0..rng.random_range(1..6) {
                let user = format!("deleted-{round}-{n}");
                let of_user = [
                    json!({"type": "user", "userId": user, "accountId": "theirs", "timestamp": "2024-01-01T00:00:00Z"}),
                    json!({"type": "track", "userId": user, "event": "was here", "timestamp": "2024-01-01T00:00:00Z"}),
                ];
                client.batch(&of_user).unwrap().expect_success();
                let answer = client.request("DELETE", &format!("/resources/users/{user}"), &[], b"").unwrap();
                assert_eq!(answer.status, 204, "{}", answer.text());
                gone.push(user);
            }
            sleep(Duration::from_millis(rng.random_range(0..400)));
            server.kill();
        });
    }
    let ledger = ledger.into_inner().unwrap();
    let server = Launch::new(&home).restless(1_000).start();
    check_gone(&gone, &mut server.client());
    println!("after {} deletions: {:?}", gone.len(), audit(&mut server.client(), &ledger));
    let until = Instant::now() + PATIENCE;
    while server.client().read("/resources/deletions?limit=100").to_string().contains("\"erasing\"") {
        assert!(Instant::now() < until, "what was deleted is still on disk");
        sleep(Duration::from_millis(50));
    }
    server.stop();
    let data_dir = home.data_dir();
    let said = run(home.path(), &["doctor", "--data-dir", data_dir.to_str().unwrap()]).succeeded();
    assert!(!said.contains("FAULT"), "{said}");
}

fn check_gone(users: &[String], client: &mut Client) {
    for user in users {
        client.get(&format!("/resources/users/{user}")).unwrap().expect(404);
    }
    if !users.is_empty() {
        let events = client.read("/resources/accounts/theirs/events?limit=1000");
        assert_eq!(events["results"], json!([]), "{events}");
    }
}

/// The last acknowledged request of each sender is the one that a careless server loses.
fn check_last(senders: &[Sender], client: &mut Client) {
    for request in senders.iter().filter_map(Sender::last_answered) {
        audit_request(client, request);
    }
}

/// Waits for the moment, at most a second and a half, and a little beyond it.
fn wait_for(moment: Moment, history: &Path, rng: &mut StdRng) {
    let until = Instant::now() + Duration::from_millis(1500);
    // Some traffic first, so that every round adds to the ledger.
    sleep(Duration::from_millis(rng.random_range(20..600)));
    let mut before = all_files(history).len();
    while Instant::now() < until {
        let now = all_files(history).len();
        let struck = match moment {
            Moment::Traffic | Moment::Startup => true,
            Moment::HistoryGrows => now > before,
            Moment::HistoryShrinks => now < before,
        };
        if struck {
            break;
        }
        before = now;
        sleep(Duration::from_micros(300));
    }
    sleep(Duration::from_micros(rng.random_range(0..8000)));
}
