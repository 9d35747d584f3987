//! Flipped bits and missing files: found, reported, never served.

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
};

use muster_embedded::{OpenError, Severity, examine};
use muster_model::kind::RecordKind;
use muster_store::{
    error::ReadError,
    history::{EventsQuery, History},
    profiles::Profiles,
    status::Status,
};
use support::{engine, events, id, open, options, send};

/// Enough that every kind of file has something in it.
async fn fill(dir: &Path) {
    let (engine, workspace) = engine(dir).await;
    for number in 0..300 {
        let track = format!(
            r#"{{"type":"track","userId":"u{}","event":"e","messageId":"{number}","timestamp":"2024-01-0{}T00:00:00Z","properties":{{"n":{number}}}}}"#,
            number % 7,
            number % 9 + 1
        );
        let user = format!(
            r#"{{"type":"user","userId":"u{}","accountId":"a","messageId":"{number}","traits":{{"n":{number}}}}}"#,
            number % 7
        );
        send(&engine, workspace, &[&track, &user]).await;
    }
    engine.close().await.expect("a clean close");
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let files = muster_embedded::disk::files_below(dir).unwrap();
    files.into_iter().filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_a_history_file_is_an_error_and_not_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    let path = files(dir.path(), "parquet").pop().expect("a history file");
    let whole = fs::read(&path).unwrap();
    let truth = {
        let (engine, workspace) = engine(dir.path()).await;
        let truth = events(&engine, workspace, RecordKind::Account, "a").await;
        engine.close().await.unwrap();
        truth
    };
    assert_eq!(truth.len(), 300);
    for at in (0..whole.len()).step_by(whole.len() / 40) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&path, &flipped).unwrap();
        let (engine, workspace) = engine(dir.path()).await;
        let query = EventsQuery {
            subject: (RecordKind::Account, id(RecordKind::Account, "a")),
            event: None,
            after: None,
            before: None,
            from: None,
            limit: 1_000,
        };
        match engine.events(workspace, query).await {
            Err(ReadError::Damaged { what }) => assert!(what.contains("parquet"), "{what}"),
            other => panic!("byte {at}: {other:?}"),
        }
        engine.close().await.unwrap();
        let findings = examine(dir.path(), &mut |_| {}).unwrap();
        assert!(findings.iter().any(|finding| finding.severity == Severity::Fault), "byte {at}: {findings:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_cut_history_file_stops_the_opening() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    let path = files(dir.path(), "parquet").pop().expect("a history file");
    let whole = fs::read(&path).unwrap();
    let stopped = || {
        let opened = muster_embedded::Embedded::open(options(dir.path()), support::NOW);
        matches!(opened.err(), Some(OpenError::Damaged { what }) if what.contains("history file"))
    };
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert!(stopped());
    fs::remove_file(&path).unwrap();
    assert!(stopped());
    fs::write(&path, &whole).unwrap();
    let (engine, _) = open(dir.path());
    engine.close().await.unwrap();
}

/// Every profile read is either right or an error, whatever bit of the state store's tables is flipped.
#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_the_state_is_never_served() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    // Opened and closed again so that the state store has flushed what its own log held.
    let (first, workspace) = engine(dir.path()).await;
    let truth = profiles(&first, workspace).await.expect("undamaged reads");
    first.close().await.unwrap();
    // Until then the state store may merge its tables.
    drop(first);
    let state = dir.path().join("state");
    for path in muster_embedded::disk::files_below(&state).unwrap() {
        let whole = fs::read(&path).unwrap();
        let used = whole.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        if used == 0 || path.file_name().is_some_and(|name| name == "lock") {
            continue;
        }
        for at in (0..used).step_by((used / 12).max(1)) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            let copy = tempfile::tempdir().unwrap();
            copy_dir(dir.path(), copy.path());
            fs::write(copy.path().join(path.strip_prefix(dir.path()).unwrap()), &flipped).unwrap();
            let copy_path = copy.path().to_owned();
            let opened = tokio::task::spawn_blocking(move || {
                std::panic::catch_unwind(|| muster_embedded::Embedded::open(options(&copy_path), support::NOW))
            });
            let Ok(Ok((engine, _))) = opened.await.unwrap() else { continue };
            if let Ok(found) = profiles(&engine, workspace).await {
                assert_eq!(found, truth, "byte {at} of {}", path.display());
            }
            let _ = engine.close().await;
            drop(engine);
        }
    }
}

async fn profiles(
    engine: &muster_embedded::Embedded,
    workspace: muster_model::id::WorkspaceId,
) -> Result<String, ReadError> {
    let mut text = String::new();
    for (kind, name) in
        (0..7).map(|n| (RecordKind::User, format!("u{n}"))).chain([(RecordKind::Account, "a".to_owned())])
    {
        let profile = engine.profile(workspace, kind, id(kind, &name)).await?;
        text.push_str(&format!("{profile:?}\n"));
    }
    Ok(text)
}

fn copy_dir(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}
