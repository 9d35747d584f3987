//! A long life with random restarts, checkpoints and compactions: memory, file handles and disk stay flat apart from data.
//!
//! Rounds of traffic, each ended by an orderly stop, a kill or nothing at all. Between rounds, with the senders silent and
//! the store at rest, the process is looked at: file handles may not grow with the number of rounds, memory not beyond a
//! bound that does not depend on it, and no file may lie in the data directory that is not in use. `MUSTER_TEST_SEED`
//! repeats a run's choices, `MUSTER_TEST_SOAK_SECONDS` changes how long it lasts.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::audit::{audit, audit_request};
use harness::choice::{number_from, seed};
use harness::files::all_files;
use harness::home::Home;
use harness::ledger::Ledger;
use harness::server::{Launch, Server};
use harness::traffic::{Sender, run_all};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Beyond these a life of this kind has no reason to grow, however long it lasts.
const MEMORY_BYTES_MAX: u64 = 400 << 20;
const HANDLES_MAX: usize = 250;
/// Files that are neither history nor tables of the state: journals, manifests, locks.
const OTHER_FILES_MAX: usize = 120;
const JOURNAL_BYTES_MAX: u64 = 32 << 20;

#[test]
fn what_is_not_data_stays_as_it_is() {
    let (seed, seconds) = (seed(), number_from("MUSTER_TEST_SOAK_SECONDS").unwrap_or(12));
    let mut rng = StdRng::seed_from_u64(seed);
    let until = Instant::now() + Duration::from_secs(seconds);
    let home = Home::new();
    let ledger = Mutex::new(Ledger::default());
    let mut senders = Sender::several(3, seed);
    let launch = |rng: &mut StdRng| Launch::new(&home).restless([50, 300, 2000][rng.random_range(0..3)]);
    let mut server = launch(&mut rng).start();
    let mut round = 0;
    while Instant::now() < until {
        round += 1;
        run_all(&mut senders, server.address, &ledger, || sleep(Duration::from_millis(rng.random_range(200..1500))));
        for request in senders.iter().filter_map(Sender::last_answered) {
            audit_request(&mut server.client(), request);
        }
        look(&server, &home.data_dir(), round);
        match rng.random_range(0..10) {
            0..3 => {
                server.stop();
                server = launch(&mut rng).start();
            }
            3..6 => {
                server.kill();
                server = launch(&mut rng).start();
            }
            _ => {}
        }
    }
    let ledger = ledger.into_inner().unwrap();
    println!("{round} rounds, {} sent, {} acknowledged", ledger.sent_count(), ledger.promised_count());
    println!("{:?}", audit(&mut server.client(), &ledger));
    server.stop();
}

fn look(server: &Server, data_dir: &Path, round: usize) {
    let (memory, handles) = (server.memory_bytes(), server.handles());
    let files = all_files(data_dir);
    let is_data = |path: &&std::path::PathBuf| {
        path.extension().is_some_and(|end| end == "parquet")
            || path.components().any(|part| part.as_os_str() == "tables")
    };
    let (data, others): (Vec<_>, Vec<_>) = files.iter().partition(is_data);
    let journal = bytes_of(&data_dir.join("journal"));
    if round.is_multiple_of(10) {
        println!(
            "round {round}: {} MiB, {handles} handles, {} data files with {} KiB, {} others, {journal} bytes of journal",
            memory >> 20,
            data.len(),
            data.iter().filter_map(|path| fs::metadata(path).ok()).map(|about| about.len()).sum::<u64>() >> 10,
            others.len()
        );
    }
    assert!(memory < MEMORY_BYTES_MAX, "round {round}: {memory} bytes of memory");
    assert!(handles < HANDLES_MAX + data.len(), "round {round}: {handles} file handles for {} data files", data.len());
    assert!(others.len() < OTHER_FILES_MAX, "round {round}: {others:?}");
    assert!(journal < JOURNAL_BYTES_MAX, "round {round}: {journal} bytes of journal");
}

fn bytes_of(directory: &Path) -> u64 {
    all_files(directory).iter().filter_map(|path| fs::metadata(path).ok()).map(|about| about.len()).sum()
}
