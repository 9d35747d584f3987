//! A long life with random restarts, checkpoints, compactions, exports and queries: memory, file handles and disk stay flat
//! apart from data.
//!
//! Rounds of traffic, each ended by an orderly stop, a kill or nothing at all. Beside the traffic, exports and queries are
//! compared with what was acknowledged, and one export is followed through all of it. Between rounds, with the senders silent
//! and the store at rest, the process is looked at: file handles may not grow with the number of rounds, memory not beyond a
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
use harness::exports::{Followed, compare_counts, compare_export};
use harness::files::all_files;
use harness::home::Home;
use harness::http::Client;
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
/// Files that may be kept for a follower that has had everything.
const KEPT_FILES_MAX: usize = 10;
/// How long something in the background may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

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
    let mut followed = Followed::begin(&mut server.client(), &ledger);
    let (mut round, mut exports) = (0, Exports::default());
    while Instant::now() < until {
        round += 1;
        run_all(&mut senders, server.address, &ledger, || {
            sleep(Duration::from_millis(rng.random_range(200..1500)));
            exports.read_some(&mut server.client(), &ledger, &mut followed, rng.random_range(0..8));
        });
        for request in senders.iter().filter_map(Sender::last_answered) {
            audit_request(&mut server.client(), request);
        }
        // What is kept for the follower goes once it says that it has it.
        for _ in 0..2 {
            followed.go_on(&mut server.client(), &ledger);
        }
        wait_until_kept_files_are_gone(&home.data_dir());
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
    let whole = compare_export(&mut server.client(), &ledger, true);
    followed.go_on(&mut server.client(), &ledger);
    let ledger = ledger.into_inner().unwrap();
    println!("{round} rounds, {} sent, {} acknowledged", ledger.sent_count(), ledger.promised_count());
    println!("{exports:?} beside the traffic, {whole} messages in the last one");
    println!("{:?}", audit(&mut server.client(), &ledger));
    server.stop();
}

/// What was read beside the traffic.
#[derive(Debug, Default)]
struct Exports {
    exports: usize,
    messages: usize,
    queries: usize,
    pieces_followed: usize,
}

impl Exports {
    fn read_some(&mut self, client: &mut Client, ledger: &Mutex<Ledger>, followed: &mut Followed, choice: u32) {
        match choice {
            0..3 => {
                self.messages += compare_export(client, ledger, false);
                self.exports += 1;
            }
            3..5 => {
                followed.go_on(client, ledger);
                self.pieces_followed += 1;
            }
            5 => {
                compare_counts(client, ledger);
                self.queries += 1;
            }
            _ => {}
        }
    }
}

fn wait_until_kept_files_are_gone(data_dir: &Path) {
    let until = Instant::now() + PATIENCE;
    while all_files(&data_dir.join("forward")).len() > KEPT_FILES_MAX {
        assert!(Instant::now() < until, "files are kept that the follower has had");
        sleep(Duration::from_millis(20));
    }
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
