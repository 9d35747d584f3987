//! SIGKILL at random moments, many times over one data directory, then an audit of every message.
//!
//! Kills fall into plain traffic, into checkpoints and compactions (the test watches the history directory and strikes
//! when a file comes or goes) and into start-up with its recovery. In some rounds the traffic is about a crowd of users, so
//! that a checkpoint ingests their places in lists before its commit; then most kills fall between the two, `muster doctor`
//! examines the directory as the kill left it, and after the next start lists must agree with the records; after a stop
//! nothing may be left over of what was ingested and never committed. What the
//! machine's page cache holds survives a kill; `power_loss.rs` is about the rest.
//!
//! On a cluster, which has neither history files nor checkpoints, kills fall into traffic and start-up.
//!
//! `MUSTER_TEST_SEED` repeats a run's choices, `MUSTER_TEST_KILLS` changes the number of kills.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::audit::{audit, audit_request};
use harness::choice::{number_from, seed};
use harness::cluster;
use harness::command::run;
use harness::files::all_files;
use harness::home::{COMMITTED, Home};
use harness::http::Client;
use harness::ledger::Ledger;
use harness::lists::audit_lists;
use harness::server::Launch;
use harness::traffic::{Sender, run_all};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

/// How long something in the background may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// Every so many kills most of the traffic is about a crowd of users, whose places in lists a checkpoint ingests: in a run
/// of the gate, whose time is short, and in a long one.
const CROWD_EVERY: [u64; 2] = [16, 4];
/// Kills of a long run.
const LONG: u64 = 100;
/// After so many crowds an orderly stop follows, after which no place may be missing.
const STOP_EVERY: u64 = 4;
/// What the server logs: all that its store says, no requests.
const LEVELS: &str = "info,muster::request=warn,muster_embedded=debug";
/// What it says when it has ingested places in lists.
const INGESTED: &str = "places in lists were ingested";

/// When to strike.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// At some time, whatever the server is doing.
    Traffic,
    /// When a file appears in the history: a checkpoint or a compaction is at work.
    HistoryGrows,
    /// When a file disappears from the history: a compaction has just been committed.
    HistoryShrinks,
    /// When a checkpoint has ingested what changes in lists: its commit is next.
    PlacesIngested,
    /// Between the start of the process and some time after it is usually ready.
    Startup,
}

/// What happens before one kill.
#[derive(Clone, Copy, Debug)]
struct Round {
    crowded: bool,
    rows_max: u64,
    moment: Moment,
}

impl Round {
    fn choose(crowded: bool, rng: &mut StdRng) -> Round {
        let rows_max = if crowded { &[1000, 2000][..] } else { &[50, 200, 1000, 5000] };
        let rows_max = rows_max[rng.random_range(0..rows_max.len())];
        let moment = match rng.random_range(0..10) {
            0..8 if cluster::is_on() => Moment::Traffic,
            _ if cluster::is_on() => Moment::Startup,
            0..6 if crowded => Moment::PlacesIngested,
            8.. if crowded => Moment::HistoryGrows,
            0..4 => Moment::Traffic,
            4..6 => Moment::HistoryGrows,
            6..8 => Moment::HistoryShrinks,
            _ => Moment::Startup,
        };
        Round { crowded, rows_max, moment }
    }

    fn launch(self, home: &Home) -> Launch {
        let launch = Launch::new(home).restless(self.rows_max).set("MUSTER_LOG__LEVEL", LEVELS);
        // On a machine that is busy a second brings too few rows of a crowd.
        if self.crowded { launch.set("MUSTER_CHECKPOINT__INTERVAL_SECONDS", 60) } else { launch }
    }
}

/// What was seen of checkpoints that ingest places in lists.
#[derive(Debug, Default)]
struct Ingested {
    checkpoints: usize,
    /// Kills before such a checkpoint said that it was done.
    cut: usize,
    /// How often the directory was examined, and how often there were places that no record asks for or that are not there yet.
    examined: usize,
    uneven: usize,
    /// How many users stood in lists when these were read last.
    listed: usize,
}

impl Ingested {
    /// Looks at what a server said that was killed.
    fn count(&mut self, said: &str) {
        self.checkpoints += said.matches(INGESTED).count();
        self.cut += usize::from(said.rfind(INGESTED).is_some_and(|at| !said[at..].contains(COMMITTED)));
    }

    /// The real command finds no fault in the directory of a server that ended like this. A missing place is one, unless the
    /// journal will bring it. What kills left over is gone after a stop.
    fn examine(&mut self, home: &Home, stopped: bool) {
        let data_dir = home.data_dir();
        let said = run(home.path(), &["doctor", "--data-dir", data_dir.to_str().unwrap()]).said();
        if cluster::is_on() {
            assert!(!said.contains("FAULT"), "{said}");
            return;
        }
        assert!(said.contains("places in lists") && !said.contains("FAULT"), "{said}");
        assert!(!stopped || !said.contains("belong to no record"), "{said}");
        self.examined += 1;
        self.uneven += usize::from(["are not there yet", "belong to no record"].iter().any(|what| said.contains(what)));
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
    let crowd_every = CROWD_EVERY[usize::from(kills >= LONG)];
    let (mut ingested, mut crowds, mut lists_wait) = (Ingested::default(), 0, false);

    for kill in 1..=kills {
        let round = Round::choose(kill.is_multiple_of(crowd_every) && !cluster::is_on(), &mut rng);
        let launch = round.launch(&home);
        if matches!(round.moment, Moment::Startup) {
            let starting = launch.spawn();
            sleep(startup.mul_f64(rng.random_range(0.0..1.3)));
            starting.kill();
            continue;
        }
        let before = home.log_bytes();
        let begin = Instant::now();
        let mut server = launch.start();
        startup = begin.elapsed();
        check_last(&senders, &mut server.client());
        if std::mem::take(&mut lists_wait) {
            ingested.listed = audit_lists(&mut server.client(), &ledger.lock().unwrap());
            if crowds % STOP_EVERY == 0 {
                server.stop();
                ingested.examine(&home, true);
                server = launch.start();
            }
        }
        senders.iter_mut().for_each(|sender| sender.set_crowded(round.crowded));
        let address = server.address;
        run_all(&mut senders, address, &ledger, || {
            wait_for(round.moment, (&home, before), &mut rng);
            server.kill();
        });
        ingested.count(&home.log_since(before));
        if round.crowded {
            ingested.examine(&home, false);
            (crowds, lists_wait) = (crowds + 1, true);
        }
        println!("kill {kill}: {round:?}, ready after {startup:?}");
    }
    let ledger = ledger.into_inner().unwrap();
    println!("{} sent, {} acknowledged", ledger.sent_count(), ledger.promised_count());
    assert!(ledger.promised_count() as u64 > 20 * kills, "too little was acknowledged for the audit to mean much");
    audit_all(&home, &ledger, &mut ingested);
    println!("{ingested:?}");
    assert!(
        cluster::is_on() || kills < crowd_every || ingested.checkpoints > 0,
        "no checkpoint ingested places in lists"
    );
}

/// Everything, as the last kill left it and as an orderly stop does.
fn audit_all(home: &Home, ledger: &Ledger, ingested: &mut Ingested) {
    let server = Launch::new(home).restless(1000).start();
    println!("after the last kill: {:?}", audit(&mut server.client(), ledger));
    server.stop();
    ingested.examine(home, true);
    let server = Launch::new(home).start();
    println!("after an orderly stop: {:?}", audit(&mut server.client(), ledger));
    ingested.listed = audit_lists(&mut server.client(), ledger);
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

/// Waits for the moment, at most a second and a half, and a little beyond it. The log is that of `home`, from a place on. For
/// a checkpoint that ingests places it waits longer on a machine that is busy: it comes as long as somebody sends.
fn wait_for(moment: Moment, (home, log_from): (&Home, u64), rng: &mut StdRng) {
    let until =
        Instant::now() + if matches!(moment, Moment::PlacesIngested) { PATIENCE } else { Duration::from_millis(1500) };
    // Some traffic first, so that every round adds to the ledger.
    sleep(Duration::from_millis(rng.random_range(20..600)));
    let history = home.data_dir().join("history");
    let ingested = || home.log_since(log_from).matches(INGESTED).count();
    let (mut files_before, ingested_before) = (all_files(&history).len(), ingested());
    while Instant::now() < until {
        let files = all_files(&history).len();
        let struck = match moment {
            Moment::Traffic | Moment::Startup => true,
            Moment::HistoryGrows => files > files_before,
            Moment::HistoryShrinks => files < files_before,
            Moment::PlacesIngested => ingested() > ingested_before,
        };
        if struck {
            break;
        }
        files_before = files;
        sleep(Duration::from_micros(300));
    }
    sleep(Duration::from_micros(rng.random_range(0..8000)));
}
