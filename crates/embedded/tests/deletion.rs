//! Deletion on disk: nothing is left of what was deleted, intake goes on meanwhile, and a crash at any point only means
//! that the work begins again.

mod support;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use muster_embedded::{Embedded, Severity, examine};
use muster_model::{
    deletion::DeletionId,
    id::WorkspaceId,
    kind::RecordKind,
    rejection::{Code, Rejection},
    time::Micros,
};
use muster_store::{
    batch::BatchBuilder,
    deletion::{Covered, Decree, Delete, Deletions, Stage, cover},
    journal::Journal,
    profiles::Profiles,
    receipt::Outcome,
    refused::{Refused, Way},
    status::Status,
};
use support::{NOW, crash, engine, events, files_with, id, open, send};

const MARKER: &str = "Zq7x-marker-9Kd2-of-the-deleted";

async fn delete(engine: &Embedded, workspace: WorkspaceId, kind: RecordKind, name: &str, at: Micros) -> DeletionId {
    let root = (kind, id(kind, name));
    let Covered { subjects, parts, latest } = cover(engine, workspace, root).await.expect("the record is there");
    let (deletion, at) = (DeletionId::of(root, at), at.max(latest));
    let mut batch = BatchBuilder::new(workspace, 0);
    batch.decree(&Decree::Delete(Delete { id: deletion, root, requested_at: at, key_id: 1, at, subjects, parts }));
    engine.append(batch.build()).await.expect("the deletion is taken");
    deletion
}

async fn refuse(engine: &Embedded, workspace: WorkspaceId, body: &str) {
    let rejection = Rejection::new(Code::MissingField, "/x", "missing");
    let mut batch = BatchBuilder::new(workspace, 0);
    batch.refused(&Refused::new(&rejection, Way::Batch, 1, NOW, body.as_bytes()));
    engine.append(batch.build()).await.expect("an acknowledgement");
}

#[tokio::test]
async fn no_byte_of_it_is_left_in_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, workspace) = engine(dir.path()).await;
    for round in 0..3 {
        let user = format!(
            r#"{{"type":"user","userId":"{MARKER}","accountId":"a","messageId":"u{round}","traits":{{"email":"{MARKER}@example.com","n":{round}}}}}"#
        );
        let track = format!(
            r#"{{"type":"track","event":"e","userId":"{MARKER}","messageId":"t{round}","properties":{{"p":"{MARKER}"}}}}"#
        );
        let other =
            format!(r#"{{"type":"track","event":"e","userId":"other","accountId":"a","messageId":"o{round}"}}"#);
        send(&engine, workspace, &[&user, &track, &other]).await;
        refuse(&engine, workspace, &format!(r#"{{"userId":"{MARKER}","round":{round}}}"#)).await;
        if round < 2 {
            engine.checkpoint().await;
        }
    }
    assert!(files_with(dir.path(), MARKER).len() >= 3, "it is in history, state and journal before");
    let deletion = delete(&engine, workspace, RecordKind::User, MARKER, NOW.plus_micros(1)).await;
    assert!(events(&engine, workspace, RecordKind::Account, "a").await.iter().all(|event| event.properties.is_empty()));
    engine.checkpoint().await;
    assert_eq!(files_with(dir.path(), MARKER), [""; 0]);
    let found = engine.deletion(workspace, deletion).await.unwrap().expect("a receipt");
    let Stage::Finished(erasure, seal) = &found.stage else { panic!("{found:?}") };
    assert_eq!((erasure.removed.users, erasure.removed.messages, erasure.removed.refused), (1, 6, 3));
    assert_eq!((erasure.removed.identities, seal.number), (6, 1));
    assert_eq!(events(&engine, workspace, RecordKind::Account, "a").await.len(), 3);
    engine.close().await.unwrap();
    drop(engine);
    assert_eq!(files_with(dir.path(), MARKER), [""; 0]);
    let findings = examine(dir.path(), &mut |_| {}).unwrap();
    assert!(findings.iter().all(|finding| finding.severity == Severity::Note), "{findings:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intake_goes_on_while_bytes_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, workspace) = engine(dir.path()).await;
    let engine = Arc::new(engine);
    for user in 0..20 {
        let texts: Vec<String> = (0..50)
            .map(|n| format!(r#"{{"type":"track","event":"e","userId":"u{user}","accountId":"a","messageId":"{n}"}}"#))
            .collect();
        send(&engine, workspace, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    engine.checkpoint().await;
    let (ended, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let sender = tokio::spawn({
        let (engine, ended, sent) = (Arc::clone(&engine), Arc::clone(&ended), Arc::clone(&sent));
        async move {
            while !ended.load(Ordering::Acquire) {
                let number = sent.load(Ordering::Acquire);
                let text =
                    format!(r#"{{"type":"track","event":"e","userId":"late","accountId":"a","messageId":"{number}"}}"#);
                assert_eq!(send(&engine, workspace, &[&text]).await, [Outcome::Stored]);
                sent.fetch_add(1, Ordering::AcqRel);
            }
        }
    });
    for user in 0..10 {
        delete(&engine, workspace, RecordKind::User, &format!("u{user}"), NOW.plus_micros(1)).await;
    }
    engine.checkpoint().await;
    ended.store(true, Ordering::Release);
    sender.await.expect("every message was taken");
    let left = events(&engine, workspace, RecordKind::User, "u15").await.len();
    assert_eq!(left, 50);
    for user in 0..10 {
        let gone =
            engine.profile(workspace, RecordKind::User, id(RecordKind::User, &format!("u{user}"))).await.unwrap();
        assert_eq!(gone, None);
    }
    let kept = events(&engine, workspace, RecordKind::User, "late").await.len();
    assert_eq!(kept, sent.load(Ordering::Acquire).min(1_000));
    let page = engine.deletions(workspace, None, 100).await.unwrap();
    assert!(page.deletions.iter().all(|deletion| deletion.seal().is_some()), "{page:?}");
}

#[tokio::test]
async fn a_crash_anywhere_in_it_only_begins_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut engine, workspace) = engine(dir.path()).await;
    for round in 0..6 {
        let user = format!("u{round}");
        let texts: Vec<String> = (0..30)
            .map(|n| format!(r#"{{"type":"track","event":"{MARKER}{round}","userId":"{user}","accountId":"a","messageId":"{n}"}}"#))
            .collect();
        send(&engine, workspace, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
        engine.checkpoint().await;
        delete(&engine, workspace, RecordKind::User, &user, NOW.plus_micros(1 + round)).await;
        // At another point of the pass each time.
        tokio::time::sleep(Duration::from_millis(15 * round as u64)).await;
        engine = crash(engine, dir.path()).await;
        let gone = engine.profile(workspace, RecordKind::User, id(RecordKind::User, &user)).await.unwrap();
        assert_eq!(gone, None, "round {round}");
    }
    engine.checkpoint().await;
    let page = engine.deletions(workspace, None, 100).await.unwrap();
    let counts: Vec<u64> =
        page.deletions.iter().filter_map(|deletion| Some(deletion.erasure()?.removed.messages)).collect();
    assert_eq!(counts, [30; 6]);
    assert!(page.deletions.iter().all(|deletion| deletion.seal().is_some()));
    assert_eq!(files_with(dir.path(), MARKER), [""; 0]);
    engine.close().await.unwrap();
    drop(engine);
    let (engine, _) = open(dir.path());
    assert_eq!(engine.deletions(workspace, None, 100).await.unwrap(), page);
}

/// Journal files of a directory, oldest first.
fn journal(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(dir.join("journal")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn of_the_deleted(n: usize) -> String {
    format!(r#"{{"type":"track","event":"e","userId":"{MARKER}","accountId":"a","messageId":"{n}"}}"#)
}

/// A receipt says that nothing is left, so it waits for a journal file that cannot be removed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_is_not_sealed_while_the_journal_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, workspace) = engine(dir.path()).await;
    send(&engine, workspace, &[&of_the_deleted(1)]).await;
    let [held] = &journal(dir.path())[..] else { panic!("one journal file") };
    // The open file goes on under another name; what has its name now is no file that could be removed.
    let aside = dir.path().join("aside");
    std::fs::rename(held, &aside).unwrap();
    std::fs::create_dir(held).unwrap();
    let deletion = delete(&engine, workspace, RecordKind::User, MARKER, NOW.plus_micros(1)).await;
    let waited = tokio::time::timeout(Duration::from_secs(1), engine.checkpoint()).await;
    assert!(waited.is_err(), "what cannot be done is not done");
    let found = engine.deletion(workspace, deletion).await.unwrap().expect("a receipt");
    assert!(matches!(found.stage, Stage::Erasing(_)), "{found:?}");
    std::fs::remove_dir(held).unwrap();
    std::fs::rename(&aside, held).unwrap();
    engine.checkpoint().await;
    let found = engine.deletion(workspace, deletion).await.unwrap().expect("a receipt");
    assert!(matches!(found.stage, Stage::Finished(..)), "{found:?}");
    assert_eq!(files_with(dir.path(), MARKER), [""; 0]);
}

/// A file that the state covers is read by no start, and by whoever looks for what was deleted.
#[tokio::test]
async fn what_is_left_in_a_covered_journal_file_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, workspace) = engine(dir.path()).await;
    send(&engine, workspace, &[&of_the_deleted(1), &of_the_deleted(2)]).await;
    let [held] = &journal(dir.path())[..] else { panic!("one journal file") };
    let kept = std::fs::read(held).unwrap();
    delete(&engine, workspace, RecordKind::User, MARKER, NOW.plus_micros(1)).await;
    engine.checkpoint().await;
    engine.close().await.unwrap();
    drop(engine);
    let faults = || {
        let findings = examine(dir.path(), &mut |_| {}).unwrap();
        findings.into_iter().filter(|finding| finding.severity == Severity::Fault).map(|finding| finding.what)
    };
    assert_eq!(faults().count(), 0);
    // As a loss of power brings back the name of a file that was removed.
    std::fs::write(held, kept).unwrap();
    assert_eq!(faults().collect::<Vec<_>>(), ["2 messages in the journal name deleted records"]);
    // A start removes it, as the advice says.
    let (engine, _) = open(dir.path());
    send(&engine, workspace, &[r#"{"type":"track","event":"e","userId":"other","messageId":"1"}"#]).await;
    engine.checkpoint().await;
    engine.close().await.unwrap();
    drop(engine);
    assert_eq!(faults().count(), 0);
}
