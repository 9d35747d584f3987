//! Durable means durable: after a power failure every acknowledged message is still there.
//!
//! A SIGKILL loses nothing that was written, so it proves nothing about syncing. Here the server runs under a shim
//! (`power_loss/shim.c`) that lets unsynced writes, and names whose directory was not synced, vanish. Each round kills
//! the server at a random moment, now and then starts it again on what the page cache still held, then cuts the power,
//! starts on what is left and audits everything. Half of the rounds lose all that was unsynced, half lose parts of it.
//!
//! The control tests prove that the shim bites. `MUSTER_TEST_SEED` repeats a run's choices, `MUSTER_TEST_POWER_LOSSES`
//! changes the number of rounds. `MUSTER_TEST_NAMES=with-file` grants that fsync of a new file makes its name durable,
//! as ext4 and XFS do though nobody promises it; the default grants nothing.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

#[path = "power_loss/disk.rs"]
mod disk;

#[path = "power_loss/control.rs"]
mod control;

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::Duration;

use disk::{Disk, Loss, Shim};
use harness::audit::{audit, audit_request};
use harness::choice::{number_from, seed};
use harness::home::Home;
use harness::ledger::Ledger;
use harness::server::Launch;
use harness::traffic::{Sender, run_all, until_promised};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

#[test]
fn acknowledged_messages_outlive_the_power() {
    let (seed, rounds) = (seed(), number_from("MUSTER_TEST_POWER_LOSSES").unwrap_or(12));
    let mut rng = StdRng::seed_from_u64(seed);
    let home = Home::new();
    let shim = Shim::compile(home.path());
    let ledger = Mutex::new(Ledger::default());
    let mut senders = Sender::several(4, seed);
    let mut live = home.path().join("life-0");
    fs::create_dir(&live).unwrap();

    for round in 1..=rounds {
        let disk = new_disk(&shim, &live, &home.path().join(format!("mirror-{round}")));
        let launch = on_disk(&disk, &home).restless([50, 200, 1000][rng.random_range(0..3)]);
        for life in 0..rng.random_range(1..=2) {
            live_once(&launch, &mut senders, &ledger, life == 0, &mut rng);
        }
        if rng.random_bool(0.3) {
            let starting = launch.spawn();
            sleep(Duration::from_millis(rng.random_range(0..400)));
            starting.kill();
        }
        let (bytes, nameless) = disk.at_stake();
        let next = home.path().join(format!("life-{round}"));
        let whole = rng.random_bool(0.5);
        disk.remains(&next, if whole { Loss::Everything } else { Loss::Some(&mut rng) });
        println!("round {round}: {bytes} unsynced bytes and {nameless} unsynced names, all lost: {whole}");
        fs::remove_dir_all(&live).unwrap();
        fs::remove_dir_all(home.path().join(format!("mirror-{round}"))).unwrap();
        live = next;
    }

    let ledger = ledger.into_inner().unwrap();
    println!("{} sent, {} acknowledged", ledger.sent_count(), ledger.promised_count());
    assert!(ledger.promised_count() as u64 > 50 * rounds, "too little was acknowledged for the audit to mean much");
    let server = Launch::at(&live, &home.log()).start();
    println!("after the last failure: {:?}", audit(&mut server.client(), &ledger));
    server.stop();
    let server = Launch::at(&live, &home.log()).start();
    println!("after an orderly stop: {:?}", audit(&mut server.client(), &ledger));
}

/// An orderly stop promises no less than an acknowledgement: nothing may hang on the page cache afterwards.
#[test]
fn an_orderly_stop_leaves_nothing_to_lose() {
    let home = Home::new();
    let shim = Shim::compile(home.path());
    let live = home.path().join("live");
    fs::create_dir(&live).unwrap();
    let disk = new_disk(&shim, &live, &home.path().join("mirror"));
    let ledger = Mutex::new(Ledger::default());
    let mut senders = Sender::several(2, 1);
    let server = on_disk(&disk, &home).restless(200).start();
    run_all(&mut senders, server.address, &ledger, || until_promised(150, Duration::from_millis(700), &ledger));
    server.stop();
    let left = home.path().join("left");
    disk.remains(&left, Loss::Everything);
    let server = Launch::at(&left, &home.log()).start();
    let audited = audit(&mut server.client(), &ledger.into_inner().unwrap());
    assert!(audited.events > 50, "{audited:?}");
}

/// One life of the server: recovery, an audit of everything (or of the latest), traffic, sudden death.
fn live_once(launch: &Launch, senders: &mut [Sender], ledger: &Mutex<Ledger>, full: bool, rng: &mut StdRng) {
    let server = launch.start();
    let mut client = server.client();
    if full {
        audit(&mut client, &ledger.lock().unwrap());
    } else {
        for request in senders.iter().filter_map(Sender::last_answered) {
            audit_request(&mut client, request);
        }
    }
    run_all(senders, server.address, ledger, || {
        sleep(Duration::from_micros(rng.random_range(50_000..900_000)));
        server.kill();
    });
}

fn new_disk(shim: &Shim, live: &Path, mirror: &Path) -> Disk {
    let disk = Disk::new(shim, live, mirror);
    match std::env::var("MUSTER_TEST_NAMES").as_deref() {
        Err(_) | Ok("strict") => disk,
        Ok("with-file") => disk.names_follow_files(),
        Ok(other) => panic!("MUSTER_TEST_NAMES={other}: strict or with-file"),
    }
}

fn on_disk(disk: &Disk, home: &Home) -> Launch {
    disk.environment().into_iter().fold(Launch::at(disk.live(), &home.log()), |launch, (name, value)| {
        launch.set(name, value.into_string().unwrap())
    })
}
