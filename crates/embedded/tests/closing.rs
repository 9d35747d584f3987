//! What a clean stop leaves for the next start.

#[path = "support/mod.rs"]
mod support;

use std::{
    hash::{BuildHasher, RandomState},
    os::unix::fs::MetadataExt,
    path::Path,
};

use muster_model::kind::RecordKind;
use muster_store::profiles::Profiles;
use support::{engine, id, reopen, send};

/// Users whose traits no compression makes fewer bytes.
const USERS: usize = 700;
const TRAIT_BYTES: usize = 16_000;

/// Stops after which a log must have been begun anew. One that takes too long, as on a machine that is busy, leaves it to the
/// next.
const STOPS_MAX: usize = 10;

/// What a log may hold that was begun anew. The store starts it while it is being filled up, and a piece that was on its way
/// may still go into it.
const LEFT_BYTES_MAX: u64 = 3 << 20;

/// The state store's logs: names, and the bytes written into them. The store may drop one during the look.
fn logs(dir: &Path) -> (Vec<String>, u64) {
    let entries = std::fs::read_dir(dir.join("state")).unwrap().map(Result::unwrap);
    let logs: Vec<_> = entries.filter(|entry| entry.path().extension().is_some_and(|found| found == "jnl")).collect();
    let bytes = logs.iter().map(|entry| entry.metadata().map_or(0, |about| about.blocks() * 512)).sum();
    let mut names: Vec<String> = logs.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    (names, bytes)
}

fn random_text(seed: usize) -> String {
    let random = RandomState::new();
    (0..TRAIT_BYTES / 16).map(|word| format!("{:016x}", random.hash_one((seed, word)))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_of_the_state_store_is_not_left_to_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let (store, workspace) = engine(dir.path()).await;
    for number in 0..USERS {
        let text = random_text(number);
        let user = format!(
            r#"{{"type":"user","userId":"u{number}","accountId":"a","messageId":"m{number}","traits":{{"t":"{text}"}}}}"#
        );
        send(&store, workspace, &[&user]).await;
    }
    store.checkpoint().await;
    let (before, bytes) = logs(dir.path());
    assert!(bytes > 6 << 20, "the log holds {bytes} bytes only");
    let (mut store, mut after, mut bytes) = (store, before.clone(), bytes);
    for _ in 0..STOPS_MAX {
        store = reopen(store, dir.path()).await;
        (after, bytes) = logs(dir.path());
        if bytes < LEFT_BYTES_MAX && after.iter().all(|name| !before.contains(name)) {
            break;
        }
    }
    assert!(
        bytes < LEFT_BYTES_MAX && after.iter().all(|name| !before.contains(name)),
        "{before:?}, {after:?}, {bytes} bytes"
    );
    for number in (0..USERS).step_by(50) {
        let user = store.profile(workspace, RecordKind::User, id(RecordKind::User, &format!("u{number}"))).await;
        assert!(user.unwrap().is_some(), "u{number} is gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_one_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (store, workspace) = engine(dir.path()).await;
    send(&store, workspace, &[r#"{"type":"track","event":"e","userId":"u","messageId":"m"}"#]).await;
    let (before, _) = logs(dir.path());
    let store = reopen(store, dir.path()).await;
    assert_eq!(logs(dir.path()).0, before);
    drop(store);
}
