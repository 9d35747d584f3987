//! Disks and clocks that fail under the running program: full, over quota, broken, read-only, slow to say so.
//!
//! Each case lets something fail while senders are busy, waits until the program says so (`/readyz`, its log, `503` with
//! `Retry-After`), sees to it that reads still work, lets it heal, and then expects the program to go on: by itself, or
//! after a restart where `docs/durability.md` says so. At the end everything acknowledged is audited, twice. The shim
//! under it is `faults/shim.c`.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

#[path = "faults/plan.rs"]
#[expect(dead_code, reason = "a disk that is only slow is for the test of overload")]
mod plan;

use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::audit::audit;
use harness::choice::seed;
use harness::home::Home;
use harness::http::Client;
use harness::ledger::Ledger;
use harness::messages::track;
use harness::server::{Launch, Server};
use harness::traffic::{Sender, run_all, until_promised};
use plan::{Call, Part, Plan};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const EDQUOT: i32 = 122;

/// How long anything may take to show.
const PATIENCE: Duration = Duration::from_secs(20);

/// How it goes on after the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Itself,
    Restart,
}

/// A server under a plan, with senders and their ledger.
struct Scene {
    home: Home,
    plan: Plan,
    launch: Launch,
    ledger: Mutex<Ledger>,
    senders: Vec<Sender>,
}

impl Scene {
    fn new() -> Scene {
        let home = Home::new();
        let plan = Plan::new(&home);
        let launch = plan.launch(&home).restless(100).set("MUSTER_STATE__CACHE_BYTES", 1 << 20);
        Scene { home, plan, launch, ledger: Mutex::default(), senders: Sender::several(2, seed()) }
    }

    /// Keeps the senders busy while something happens.
    fn busy(&mut self, server: &Server, meanwhile: impl FnOnce(&Plan, &Mutex<Ledger>)) {
        let (plan, ledger) = (&self.plan, &self.ledger);
        run_all(&mut self.senders, server.address, ledger, || meanwhile(plan, ledger));
    }

    /// Everything promised is there, now and after an orderly stop and a start without the shim.
    fn conclude(mut self, server: Server) {
        // It goes on taking messages.
        self.busy(&server, |_, ledger| until_promised(10, Duration::from_millis(400), ledger));
        let ledger = self.ledger.into_inner().unwrap();
        audit(&mut server.client(), &ledger);
        server.stop();
        let server = Launch::new(&self.home).start();
        println!("{:?}", audit(&mut server.client(), &ledger));
    }
}

/// Waits until `/readyz` has this status; its body then.
#[track_caller]
fn wait_for_readiness(client: &mut Client, status: u16) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = client.get("/readyz").unwrap();
        if answer.status == status {
            return answer.text();
        }
        assert!(Instant::now() < until, "/readyz still answers {} after {PATIENCE:?}", answer.status);
        sleep(Duration::from_millis(20));
    }
}

/// A refusal says when to come again, and that the disk is the reason.
#[track_caller]
fn check_refusal(client: &mut Client, number: usize) {
    let answer = client.batch(&[track("fault-user", "probe", &format!("probe-{number}"))]).unwrap();
    assert_eq!(answer.status, 503, "{}", answer.text());
    let seconds: u64 = answer.header("retry-after").expect("a time to come again").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert!(answer.json()["error"].as_str().is_some_and(|says| says.len() > 30), "{}", answer.text());
}

/// The state store may meet a fault half way through a commit that was tried out before, or in merging its own files when
/// it likes. It takes nothing more until a restart then, and says so.
fn met_by_the_state(faults: &[(Part, Call, i32)], scene: &Scene) -> bool {
    let state = faults.iter().any(|(part, _, _)| *part == Part::State);
    state && scene.home.log_text().contains("reason=\"the state store failed")
}

/// Waits until the server is ready again by itself; `false` when it says that its state store wants a restart.
#[track_caller]
fn recovers(client: &mut Client, faults: &[(Part, Call, i32)], scene: &Scene) -> bool {
    let until = Instant::now() + PATIENCE;
    let mut looked_again = false;
    loop {
        let answer = client.get("/readyz").unwrap();
        if answer.status == 200 && looked_again {
            return true;
        }
        if answer.status == 200 {
            // What the state store met by itself is noticed a moment later.
            let by_itself = faults.iter().any(|(part, _, _)| *part == Part::State);
            sleep(Duration::from_millis(if by_itself { 1200 } else { 0 }));
            looked_again = true;
            continue;
        }
        if answer.text().contains("stopped") && met_by_the_state(faults, scene) {
            return false;
        }
        assert!(Instant::now() < until, "/readyz still answers {}", answer.text());
        sleep(Duration::from_millis(20));
    }
}

/// The whole course of a fault that stops writes.
fn check(faults: &[(Part, Call, i32)], log: &str, after: After) {
    let mut scene = Scene::new();
    let server = scene.launch.start();
    let mut client = server.client();
    client.batch(&[track("reader", "opened", "before")]).unwrap().expect_success();
    let mut status = String::new();
    scene.busy(&server, |plan, ledger| {
        until_promised(20, Duration::from_millis(500), ledger);
        plan.fail(faults);
        status = wait_for_readiness(&mut server.client(), 503);
    });
    assert!(scene.plan.failed() > 0, "the fault was met");
    let by_the_state = status.contains("stopped") && met_by_the_state(faults, &scene);
    let (after, log) = if by_the_state { (After::Restart, "the state store failed") } else { (after, log) };
    let expected = if after == After::Itself { "hindered" } else { "stopped" };
    assert!(status.contains(expected), "{faults:?}: {status}");
    (0..3).for_each(|number| check_refusal(&mut client, number));
    assert_eq!(client.read("/resources/users/reader")["externalId"], "reader");
    let said = scene.home.log_text();
    assert!(said.contains(log), "the log says {log:?}:\n{said}");

    scene.plan.heal();
    let server = match after {
        After::Itself if recovers(&mut client, faults, &scene) => {
            assert!(scene.home.log_text().contains("is gone"), "the log says that it is over");
            server
        }
        After::Itself => {
            server.kill();
            scene.launch.start()
        }
        After::Restart => {
            sleep(Duration::from_millis(1500));
            check_refusal(&mut client, 4);
            server.kill();
            scene.launch.start()
        }
    };
    scene.conclude(server);
}

#[test]
fn a_journal_that_cannot_be_written() {
    for error in [ENOSPC, EDQUOT, EIO] {
        let faults = [(Part::Journal, Call::Write, error), (Part::Journal, Call::Name, error)];
        check(&faults, "reason=\"the journal", After::Itself);
    }
}

#[test]
fn a_file_system_that_becomes_read_only() {
    let faults: Vec<_> =
        Part::ALL.iter().flat_map(|part| [(*part, Call::Write, EROFS), (*part, Call::Name, EROFS)]).collect();
    check(&faults, "Read-only file system", After::Itself);
}

#[test]
fn a_history_that_cannot_be_written() {
    for (call, error) in [(Call::Write, ENOSPC), (Call::Name, EDQUOT), (Call::Sync, EIO)] {
        check(&[(Part::History, call, error)], "a checkpoint failed", After::Itself);
    }
}

/// What the commit may need is tried out first, so that a state store never meets a full disk half way.
#[test]
fn no_room_for_a_commit() {
    let faults: Vec<_> = [Part::State, Part::Other]
        .iter()
        .flat_map(|part| [(*part, Call::Write, ENOSPC), (*part, Call::Name, ENOSPC)])
        .collect();
    check(&faults, "no room for the state store", After::Itself);
    // A quota that the trial did not show ends the part of the commit that may be repeated.
    check(&[(Part::State, Call::Write, EDQUOT)], "no room for the state store", After::Itself);
}

#[test]
fn a_journal_that_cannot_be_synced() {
    check(&[(Part::Journal, Call::Sync, EIO)], "reason=\"the journal", After::Restart);
}

#[test]
fn a_state_store_that_fails_in_a_commit() {
    for (call, error) in [(Call::Sync, EIO), (Call::Write, EIO)] {
        check(&[(Part::State, call, error)], "the state store failed", After::Restart);
    }
}

#[test]
fn writes_that_stop_half_way_cost_nothing() {
    let mut scene = Scene::new();
    scene.plan.write_short();
    let server = scene.launch.start();
    scene.busy(&server, |_, ledger| until_promised(50, Duration::from_millis(1500), ledger));
    scene.conclude(server);
}

/// Reads that fail are told to those who asked; whatever else could not go on is told too, and nothing is lost.
#[test]
fn what_cannot_be_read() {
    for part in [Part::History, Part::State] {
        let mut scene = Scene::new();
        let server = scene.launch.start();
        scene.busy(&server, |_, ledger| until_promised(100, Duration::from_millis(1200), ledger));
        server.stop();
        // A fresh start has nothing in memory that could stand in for what cannot be read.
        let server = scene.launch.start();
        scene.plan.fail(&[(part, Call::Read, EIO)]);
        let mut failed = 0;
        scene.busy(&server, |_, _| {
            let mut client = server.client();
            for user in 0..4 {
                let answer = client.get(&format!("/resources/users/user-s0-{user}/events?limit=1000")).unwrap();
                assert!(matches!(answer.status, 200 | 404 | 500), "{}", answer.text());
                failed += usize::from(answer.status == 500);
            }
            sleep(Duration::from_millis(300));
        });
        assert!(failed > 0 && scene.plan.failed() > 0, "reads of {part:?} failed");
        assert!(scene.home.log_text().contains("Input/output error"), "and the log says so");
        scene.plan.heal();
        let mut client = server.client();
        let until = Instant::now() + PATIENCE;
        let stopped = loop {
            let answer = client.get("/readyz").unwrap();
            let stopped = answer.text().contains("stopped");
            if answer.status == 200 || stopped {
                break stopped;
            }
            assert!(Instant::now() < until, "/readyz still answers {}", answer.text());
            sleep(Duration::from_millis(50));
        };
        println!("{part:?} could not be read: {}", if stopped { "restarted" } else { "went on" });
        let server = if stopped {
            server.kill();
            scene.launch.start()
        } else {
            server
        };
        scene.conclude(server);
    }
}

/// Times of receipt jump; identities, order and links do not care. It never falls behind what the messages say of
/// themselves: those would count as received then, by contract.
#[test]
fn a_clock_that_jumps() {
    let day = 86_400;
    let mut scene = Scene::new();
    let mut server = scene.launch.start();
    for (round, offset) in [400 * day, -400 * day, 0, -500 * day, 30 * 365 * day, 0].into_iter().enumerate() {
        scene.busy(&server, |plan, _| {
            plan.set_clock(offset);
            sleep(Duration::from_millis(300));
        });
        assert_eq!(server.client().get("/readyz").unwrap().status, 200);
        if round % 2 == 1 {
            server.kill();
            server = scene.launch.start();
        }
    }
    scene.conclude(server);
}

/// The disk fills up beyond what is to stay free, before anything fails; then there is room again.
#[test]
fn a_disk_that_fills_up_is_met_early() {
    let home = Home::new();
    let server = Launch::new(&home).set("MUSTER_DISK__FREE_BYTES_MIN", 1u64 << 40).start_unready();
    let mut client = server.client();
    assert!(wait_for_readiness(&mut client, 503).contains("hindered"));
    check_refusal(&mut client, 0);
    let said = home.log_text();
    assert!(said.contains("are free on the disk"), "{said}");
    assert_eq!(client.get("/resources/users").unwrap().status, 200, "reads go on");
    server.stop();
    let server = Launch::new(&home).start();
    server.client().batch(&[track("user", "opened", "afterwards")]).unwrap().expect_success();
}
