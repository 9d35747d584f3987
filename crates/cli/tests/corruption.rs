//! Damage to the files: found, reported, never served as if nothing had happened.
//!
//! Each case damages a copy of a data directory and starts a server on it. The server may refuse to start, or answer
//! the reads concerned with a 5xx and a sentence; what it does answer must be what was there before. `muster doctor`
//! must report whatever the server found. `MUSTER_TEST_SEED` repeats a run's choice of bits.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use harness::choice::seeded;
use harness::command::{Outcome, run};
use harness::files::{all_files, copy_tree, flip_bit, used_bytes};
use harness::home::Home;
use harness::messages::{Collection, track};
use harness::reads::{Snapshot, message_ids};
use harness::server::{Launch, Server};
use rand::Rng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

/// Batches that are sent one after the other, and messages in each.
const BATCHES: usize = 30;
const BATCH_MESSAGES: usize = 20;

/// What a server did with a damaged directory.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// Every read answers as before: the damage lies where nothing is read from.
    Untouched,
    /// Some reads answer 5xx with a reason, all others as before.
    Reported,
    /// It did not start, and said why.
    Refused(String),
}

/// Sends the batches; every message of batch `n` has a `messageId` that starts with `n-`.
fn fill(server: &Server) {
    let mut client = server.client();
    for batch in 0..BATCHES {
        let mut messages: Vec<Value> = (2..BATCH_MESSAGES)
            .map(|at| track(&format!("user-{}", at % 5), "opened", &format!("{batch}-{at}")))
            .collect();
        let (id, at) = (format!("{batch}-state"), "2024-05-01T10:00:00Z");
        messages.push(json!({
            "type": "account", "accountId": format!("account-{batch}"), "organizationId": format!("organization-{}", batch % 3),
            "traits": {"name": format!("Account {batch}"), "plan": "large"}, "messageId": id, "timestamp": at,
        }));
        messages.push(json!({
            "type": "user", "userId": format!("user-{}", batch % 5), "accountId": format!("account-{batch}"),
            "traits": {"name": format!("User {batch}")}, "messageId": id, "timestamp": at,
        }));
        client.batch(&messages).unwrap().expect_success();
    }
}

/// A directory with everything still in the journal, as a kill leaves it.
fn only_journal(home: &Home) -> Snapshot {
    let quiet = Launch::new(home)
        .set("MUSTER_CHECKPOINT__ROWS_MAX", 1_000_000)
        .set("MUSTER_CHECKPOINT__INTERVAL_SECONDS", 3600);
    let server = quiet.start();
    fill(&server);
    let before = Snapshot::take(&mut server.client());
    server.kill();
    before
}

/// A directory with everything in history and state, as an orderly stop leaves it.
fn checkpointed(home: &Home) -> Snapshot {
    let server = Launch::new(home).restless(100).start();
    fill(&server);
    let before = Snapshot::take(&mut server.client());
    server.stop();
    before
}

/// A copy of the home's data directory, removed with the home.
fn copy(home: &Home, number: usize) -> PathBuf {
    let to = home.path().join(format!("copy-{number}"));
    copy_tree(&home.data_dir(), &to);
    to
}

/// Starts a server on a damaged directory and reads everything that could be read before.
fn judge(home: &Home, data_dir: &Path, before: &Snapshot, damage: &str) -> Verdict {
    let server = match Launch::at(data_dir, &home.log()).spawn().ready() {
        Ok(server) => server,
        Err(failure) => {
            let status = failure.status.unwrap_or_else(|| panic!("{damage}: neither ready nor gone:\n{}", failure.log));
            assert!(
                status.code().is_some_and(|code| code != 0 && code != 101),
                "{damage}: ended with {status}:\n{}",
                failure.log
            );
            assert!(failure.log.contains("error: "), "{damage}: it ended without a report:\n{}", failure.log);
            return Verdict::Refused(failure.log);
        }
    };
    let mut client = server.client();
    let mut verdict = Verdict::Untouched;
    for read in &before.reads {
        let answer = client.get(&read.target).unwrap_or_else(|error| panic!("{damage}: {}: {error}", read.target));
        if answer.status >= 500 {
            let sentence = answer.json()["error"].to_string();
            assert!(sentence.len() > 20, "{damage}: {}: {sentence}", read.target);
            verdict = Verdict::Reported;
            continue;
        }
        let same = answer.status == read.status && answer.text() == read.body;
        assert!(
            same,
            "{damage}: {} was served in silence as {}:\n{}\ninstead of:\n{}",
            read.target,
            answer.status,
            answer.text(),
            read.body
        );
    }
    verdict
}

fn doctor(home: &Home, data_dir: &Path) -> Outcome {
    run(home.path(), &["doctor", "--data-dir", data_dir.to_str().unwrap()])
}

/// The file of the journal that was written last.
fn journal_file(data_dir: &Path) -> PathBuf {
    let logs = all_files(&data_dir.join("journal"));
    let mut used =
        logs.into_iter().filter(|path| path.extension().is_some_and(|end| end == "log") && used_bytes(path) > 0);
    used.next_back().expect("the journal has a file with something in it")
}

#[test]
fn a_flipped_bit_in_the_journal() {
    let home = Home::new();
    let mut rng = seeded();
    let before = only_journal(&home);
    let file = journal_file(&home.data_dir());
    let used = used_bytes(&file);
    assert!(used > BATCHES * BATCH_MESSAGES * 50, "{} holds only {used} bytes", file.display());
    let mut found = 0;
    for number in 0..10 {
        let damaged = copy(&home, number);
        let (at, bit) = (rng.random_range(0..used * 8 / 10), rng.random_range(0..8));
        flip_bit(&journal_file(&damaged), at, bit);
        let damage = format!("bit {bit} of byte {at} of {used} in the journal");
        let report = doctor(&home, &damaged);
        let verdict = judge(&home, &damaged, &before, &damage);
        println!("{damage}: {}", name(&verdict));
        if verdict == Verdict::Untouched {
            continue;
        }
        found += 1;
        let said = report.failed();
        assert!(said.contains("journal"), "{damage}: the doctor names the journal: {said}");
        if let Verdict::Refused(log) = verdict {
            assert!(log.contains("journal"), "{damage}: names the journal:\n{log}");
        }
    }
    assert!(found >= 8, "only {found} of 10 flipped bits were found");
}

#[test]
fn a_torn_journal_tail() {
    let home = Home::new();
    only_journal(&home);
    let whole: Vec<String> = (0..5).map(|user| format!("user-{user}")).collect();
    for (number, lost) in [1, 7, 40, 300].into_iter().enumerate() {
        let damaged = copy(&home, number);
        let file = journal_file(&damaged);
        let (used, length) = (used_bytes(&file), fs::metadata(&file).unwrap().len() as usize);
        let mut content = fs::read(&file).unwrap();
        if used == length {
            content.truncate(used - lost);
        } else {
            content[used - lost..used].fill(0);
        }
        fs::write(&file, content).unwrap();

        let launch = Launch::at(&damaged, &home.path().join(format!("log-{number}")));
        let server = launch.start();
        let mut client = server.client();
        let ids: Vec<String> =
            whole.iter().flat_map(|user| message_ids(&mut client, Collection::Users, user)).collect();
        let of_batch = |batch: usize| ids.iter().filter(|id| id.starts_with(&format!("{batch}-"))).count();
        for batch in 0..BATCHES - 1 {
            assert_eq!(of_batch(batch), BATCH_MESSAGES - 2, "{lost} bytes off the tail cost messages of batch {batch}");
        }
        let last = of_batch(BATCHES - 1);
        assert!(last == 0 || last == BATCH_MESSAGES - 2, "{last} messages of the last batch are there");
        client.batch(&[track("user-0", "opened", "afterwards")]).unwrap().expect_success();
        let said = fs::read_to_string(home.path().join(format!("log-{number}"))).unwrap().to_lowercase();
        let reported = ["torn", "incomplete", "cut"].iter().any(|word| said.contains(word));
        assert!(reported && said.contains("journal"), "{lost} bytes were dropped without a word:\n{said}");
        server.kill();
        let server = launch.start();
        let again = message_ids(&mut server.client(), Collection::Users, "user-0");
        assert!(again.contains(&"afterwards".to_owned()), "what came after the repair is durable");
    }
}

#[test]
fn half_a_record_behind_the_last_whole_one_costs_nothing() {
    let home = Home::new();
    let mut rng = seeded();
    let before = only_journal(&home);
    for number in 0..5 {
        let damaged = copy(&home, number);
        let file = journal_file(&damaged);
        let noise: Vec<u8> = (0..rng.random_range(1..200)).map(|_| rng.random_range(0..=255)).collect();
        OpenOptions::new().append(true).open(&file).unwrap().write_all(&noise).unwrap();
        let server = Launch::at(&damaged, &home.log()).start();
        before.assert_same(&before.again(&mut server.client()));
        server.client().batch(&[track("user-0", "opened", "afterwards")]).unwrap().expect_success();
        server.kill();
        let server = Launch::at(&damaged, &home.log()).start();
        assert!(message_ids(&mut server.client(), Collection::Users, "user-0").contains(&"afterwards".to_owned()));
    }
}

#[test]
fn a_flipped_bit_in_the_history() {
    let home = Home::new();
    let mut rng = seeded();
    let before = checkpointed(&home);
    let history = |data_dir: &Path| {
        let mut files = all_files(&data_dir.join("history"));
        files.retain(|path| path.extension().is_some_and(|end| end == "parquet"));
        files
    };
    let count = history(&home.data_dir()).len();
    assert!(count > 0, "a stopped server has put everything into the history");
    let mut found = 0;
    for number in 0..12 {
        let damaged = copy(&home, number);
        let file = &history(&damaged)[rng.random_range(0..count)];
        let (at, bit) = (rng.random_range(0..fs::metadata(file).unwrap().len() as usize), rng.random_range(0..8));
        flip_bit(file, at, bit);
        let name_of_file = file.file_name().unwrap().to_str().unwrap();
        let damage = format!("bit {bit} of byte {at} in {name_of_file}");
        let said = doctor(&home, &damaged).failed();
        assert!(said.contains(name_of_file), "{damage}: the doctor names the file: {said}");
        let verdict = judge(&home, &damaged, &before, &damage);
        println!("{damage}: {}", name(&verdict));
        found += usize::from(verdict != Verdict::Untouched);
    }
    assert!(found > 0, "no flipped bit of the history was noticed by the server itself");
}

#[test]
fn a_missing_history_file() {
    let home = Home::new();
    let before = checkpointed(&home);
    let damaged = copy(&home, 0);
    let file = all_files(&damaged.join("history")).into_iter().next().expect("there is history");
    fs::remove_file(&file).unwrap();
    let said = doctor(&home, &damaged).failed();
    assert!(said.contains(file.file_name().unwrap().to_str().unwrap()), "names the file: {said}");
    assert_ne!(judge(&home, &damaged, &before, "a history file is missing"), Verdict::Untouched);
}

#[test]
fn a_flipped_bit_in_the_state() {
    let home = Home::new();
    let mut rng = seeded();
    let before = checkpointed(&home);
    let state = |data_dir: &Path| {
        let mut files = all_files(&data_dir.join("state"));
        files.retain(|path| used_bytes(path) > 0);
        files
    };
    let sound = state(&home.data_dir());
    assert!(!sound.is_empty(), "a stopped server has put something into the state");
    let mut untouched = 0;
    for number in 0..24 {
        let damaged = copy(&home, number);
        let file = state(&damaged).choose(&mut rng).expect("there are files").clone();
        let (at, bit) = (rng.random_range(0..used_bytes(&file)), rng.random_range(0..8));
        flip_bit(&file, at, bit);
        let relative = file.strip_prefix(&damaged).unwrap().display().to_string();
        let damage = format!("bit {bit} of byte {at} in {relative}");
        let report = doctor(&home, &damaged);
        let verdict = judge(&home, &damaged, &before, &damage);
        println!("{damage}: {}", name(&verdict));
        if verdict == Verdict::Untouched {
            untouched += 1;
        } else {
            let said = report.failed();
            assert!(said.contains("state"), "{damage}: the doctor names the state: {said}");
        }
        fs::remove_dir_all(&damaged).unwrap();
    }
    println!("{untouched} of 24 flipped bits lay where nothing is read from");
}

/// A verdict without the log.
fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Untouched => "reads as before",
        Verdict::Reported => "answered with 5xx",
        Verdict::Refused(_) => "refused to start",
    }
}
