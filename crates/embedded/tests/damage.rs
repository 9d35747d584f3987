//! Flipped bits and missing files: found, reported, never served.

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
};

use muster_embedded::{Embedded, OpenError, Options, Severity, examine};
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
    let files = muster_history::disk::files_below(dir).unwrap();
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

/// Every file below the parts of a directory that hold messages.
fn kept(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let parts = ["history", "journal"].map(|part| muster_history::disk::files_below(&dir.join(part)).unwrap());
    parts.into_iter().flatten().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// A start that is refused, and leaves what it finds; an examination calls it a fault.
fn refused(dir: &Path) -> String {
    let before = kept(dir);
    let what = match Embedded::open(options(dir), support::NOW).err() {
        Some(OpenError::Damaged { what }) => what,
        other => panic!("{other:?}"),
    };
    assert!(kept(dir) == before, "a refused start changed files: {what}");
    let findings = examine(dir, &mut |_| {}).unwrap();
    assert!(findings.iter().any(|finding| finding.severity == Severity::Fault), "{findings:?}");
    assert!(kept(dir) == before, "an examination changed files");
    what
}

/// Whatever is missing, the history stays, and is whole again once what was missing is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_without_its_state_is_refused_and_loses_nothing() {
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fill(dir.path()).await;
    assert!(!files(&dir.path().join("history"), "parquet").is_empty());
    let swap = |part: &str, away: bool| {
        let (here, there) = (dir.path().join(part), elsewhere.path().join(part));
        let (from, to) = if away { (here, there) } else { (there, here) };
        fs::rename(from, to).unwrap();
    };
    swap("state", true);
    let what = refused(dir.path());
    assert!(what.contains("has no state, but") && what.contains("nothing was changed"), "{what}");
    assert!(!dir.path().join("state").exists(), "no state is made");
    swap("journal", true);
    fs::create_dir(dir.path().join("journal")).unwrap();
    refused(dir.path());
    // A state and a journal of a store in which nothing was stored yet.
    let fresh = tempfile::tempdir().unwrap();
    open(fresh.path()).0.close().await.unwrap();
    for part in ["state", "journal"] {
        let _ = fs::remove_dir_all(dir.path().join(part));
        copy_dir_into(&fresh.path().join(part), &dir.path().join(part));
    }
    let what = refused(dir.path());
    assert!(what.contains("nothing was ever stored"), "{what}");
    for part in ["state", "journal"] {
        fs::remove_dir_all(dir.path().join(part)).unwrap();
        swap(part, false);
    }
    let (engine, workspace) = engine(dir.path()).await;
    assert_eq!(events(&engine, workspace, RecordKind::Account, "a").await.len(), 300);
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_state_is_refused_and_newer_history_stays() {
    let (dir, older) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fill(dir.path()).await;
    copy_dir_into(&dir.path().join("state"), &older.path().join("state"));
    // Files that the older state names are not merged, so that nothing but the journal tells.
    let options = Options { compaction_files_min: 1_000, ..options(dir.path()) };
    let (engine, _) = Embedded::open(options, support::NOW).unwrap();
    let workspace = support::workspace(&engine, support::WORKSPACE).await;
    for number in 1_000..1_010 {
        let track = format!(r#"{{"type":"track","userId":"u1","event":"later","messageId":"{number}"}}"#);
        send(&engine, workspace, &[&track]).await;
    }
    engine.close().await.unwrap();
    drop(engine);
    fs::rename(dir.path().join("state"), older.path().join("newer")).unwrap();
    copy_dir_into(&older.path().join("state"), &dir.path().join("state"));
    let what = refused(dir.path());
    assert!(what.contains("acknowledged messages are missing"), "{what}");
    fs::remove_dir_all(dir.path().join("state")).unwrap();
    fs::rename(older.path().join("newer"), dir.path().join("state")).unwrap();
    let (engine, _) = open(dir.path());
    assert_eq!(events(&engine, workspace, RecordKind::User, "u1").await.len(), 43 + 10);
    engine.close().await.unwrap();
}

/// As a crash leaves them between a file's name and its commit, or before merged files are removed.
#[tokio::test(flavor = "multi_thread")]
async fn left_over_files_go_where_state_and_journal_belong_together() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    let path = files(&dir.path().join("history"), "parquet").pop().expect("a history file");
    let left = [path.with_file_name("000000999998.parquet"), path.with_file_name("000000999999.part")];
    for left in &left {
        fs::copy(&path, left).unwrap();
    }
    let findings = examine(dir.path(), &mut |_| {}).unwrap();
    assert!(findings.iter().all(|finding| finding.severity != Severity::Fault), "{findings:?}");
    let (engine, recovery) = open(dir.path());
    assert_eq!(recovery.removed_files.len(), 2);
    assert!(left.iter().all(|left| !left.exists()) && path.exists());
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
    for path in muster_history::disk::files_below(&state).unwrap() {
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

fn copy_dir_into(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    copy_dir(from, to);
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
