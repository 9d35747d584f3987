//! What is kept for followers on disk: files of the journal until they have had them, within a bound, without what was
//! deleted; and a follower that is away costs nobody anything.

mod support;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use muster_embedded::{Embedded, Options, Severity, examine};
use muster_model::{deletion::DeletionId, id::WorkspaceId, kind::RecordKind, time::Micros};
use muster_store::{
    backup::Backups,
    batch::BatchBuilder,
    deletion::{Decree, Delete, cover},
    follow::{FollowerId, Followers, Letter, NewFollower, PageLimit, Start},
    journal::Journal,
    record,
    status::Status,
};
use support::{NOW, crash, engine, files_with, open, options, send};

const LIMIT: PageLimit = PageLimit { messages: 7, bytes: 1 << 20 };
/// How long something in the background may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

async fn add(engine: &Embedded, workspace: WorkspaceId, name: &str, start: Start) -> FollowerId {
    let new = NewFollower { workspace, name: name.to_owned(), settings: vec![], start, created_at: NOW };
    engine.add_follower(new).await.expect("a follower").id
}

/// The `messageId`s that a follower gets until nothing is left.
fn take(engine: &Embedded, id: FollowerId) -> Vec<String> {
    let mut following = engine.follow(id).unwrap();
    let mut taken = Vec::new();
    loop {
        let page = following.read(LIMIT).unwrap();
        let called = |bytes: &Vec<u8>| record::decode(bytes).unwrap().message_id.unwrap().into_owned();
        taken.extend(page.records.iter().map(called));
        following.settle(page.records.len(), vec![], true).unwrap();
        if !page.more {
            return taken;
        }
    }
}

fn track(n: usize) -> String {
    format!(r#"{{"type":"track","event":"e","userId":"u{}","messageId":"{n}"}}"#, n % 5)
}

async fn send_numbers(engine: &Embedded, workspace: WorkspaceId, numbers: std::ops::Range<usize>) {
    for n in numbers {
        send(engine, workspace, &[&track(n)]).await;
    }
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

fn sorted(mut taken: Vec<String>) -> Vec<String> {
    taken.sort_by_key(|number| number.parse::<usize>().unwrap());
    taken.dedup();
    taken
}

fn kept(dir: &Path) -> usize {
    fs::read_dir(dir.join("forward")).unwrap().count()
}

/// Through checkpoints and crashes each message comes once, in order, and what everybody has had is gone.
#[tokio::test]
async fn files_are_kept_until_all_have_had_them() {
    let dir = tempfile::tempdir().unwrap();
    let (mut engine, workspace) = engine(dir.path()).await;
    let (quick, slow) =
        (add(&engine, workspace, "quick", Start::Now).await, add(&engine, workspace, "slow", Start::Now).await);
    for round in 0..4 {
        send_numbers(&engine, workspace, round * 10..round * 10 + 10).await;
        engine.checkpoint().await;
        assert_eq!(kept(dir.path()), round + 1);
        assert_eq!(take(&engine, quick), numbers(round * 10..round * 10 + 10));
        engine = crash(engine, dir.path()).await;
    }
    assert_eq!(engine.follow(slow).unwrap().standing().unwrap().pending, 40);
    assert_eq!(take(&engine, slow), numbers(0..40));
    assert_eq!(kept(dir.path()), 0, "both have had everything");
    engine.remove_follower(quick).await.unwrap();
    send_numbers(&engine, workspace, 40..45).await;
    engine.checkpoint().await;
    assert_eq!(kept(dir.path()), 1);
    engine.remove_follower(slow).await.unwrap();
    assert_eq!(kept(dir.path()), 0, "nobody is left");
}

/// Whoever is too far behind gets the rest from the history: some again, none never, and other workspaces' not at all.
#[tokio::test]
async fn what_does_not_fit_comes_from_the_history() {
    let dir = tempfile::tempdir().unwrap();
    let (first, workspace) = engine(dir.path()).await;
    first.close().await.unwrap();
    drop(first);
    let tight = Options { forward_bytes_max: 3_000, ..options(dir.path()) };
    let engine = Embedded::open(tight, NOW).unwrap().0;
    let other = support::workspace(&engine, "other").await;
    send_numbers(&engine, workspace, 0..5).await;
    let id = add(&engine, workspace, "away", Start::Now).await;
    let mut following = engine.follow(id).unwrap();
    send_numbers(&engine, workspace, 10..13).await;
    let page = following.read(LIMIT).unwrap();
    assert_eq!(page.records.len(), 3);
    for round in 0..6 {
        send_numbers(&engine, workspace, (10 + round * 10).max(13)..20 + round * 10).await;
        send_numbers(&engine, other, 1_000..1_003).await;
        engine.checkpoint().await;
    }
    let until = Instant::now() + PATIENCE;
    while muster_history::disk::bytes_below(&dir.path().join("forward")) > 3_000 {
        assert!(Instant::now() < until, "what is kept stays beyond its bound");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The place from which it read is not its place any more.
    following.settle(page.records.len(), vec![], true).unwrap();
    drop(following);
    let engine = crash(engine, dir.path()).await;
    assert!(engine.follow(id).unwrap().standing().unwrap().pending >= 60);
    let taken = take(&engine, id);
    // What was received in the same instant as something dropped comes again: here that is everything of one instant.
    assert_eq!(sorted(taken)[5..], numbers(10..70));
    send_numbers(&engine, workspace, 70..75).await;
    assert_eq!(take(&engine, id), numbers(70..75));
}

/// A file that is missing, for whatever reason, is made up for.
#[tokio::test]
async fn a_lost_file_is_made_up_for_by_the_history() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, workspace) = engine(dir.path()).await;
    let id = add(&engine, workspace, "theirs", Start::Now).await;
    send_numbers(&engine, workspace, 0..10).await;
    engine.checkpoint().await;
    send_numbers(&engine, workspace, 10..20).await;
    engine.close().await.unwrap();
    drop(engine);
    for file in fs::read_dir(dir.path().join("forward")).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    let engine = open(dir.path()).0;
    assert_eq!(sorted(take(&engine, id)), numbers(0..20));
    assert_eq!(take(&engine, id), [""; 0]);
}

/// A backup has what followers have not had.
#[tokio::test]
async fn a_backup_holds_what_is_kept() {
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (engine, workspace) = engine(dir.path()).await;
    let id = add(&engine, workspace, "theirs", Start::Now).await;
    send_numbers(&engine, workspace, 0..10).await;
    engine.checkpoint().await;
    send_numbers(&engine, workspace, 10..12).await;
    let into = elsewhere.path().join("backup");
    engine.backup(into.clone()).await.unwrap();
    assert_eq!(take(&engine, id), numbers(0..12));
    let restored = open(&into).0;
    assert_eq!(take(&restored, id), numbers(0..12), "each once");
}

/// What was deleted leaves what is kept, letters too, before the receipt is sealed; everything else comes as before.
#[tokio::test]
async fn deletions_reach_what_is_kept() {
    const MARKER: &str = "Zq7x-marker-of-the-deleted";
    let dir = tempfile::tempdir().unwrap();
    let (engine, workspace) = engine(dir.path()).await;
    let id = add(&engine, workspace, "theirs", Start::Now).await;
    let theirs = |n: &str| format!(r#"{{"type":"track","event":"e","userId":"{MARKER}","messageId":"{n}"}}"#);
    send(&engine, workspace, &[&theirs("0"), &track(1)]).await;
    let mut following = engine.follow(id).unwrap();
    let page = following.read(LIMIT).unwrap();
    let letter = |at: usize| {
        let record = page.records[at].clone();
        let identity = record::peek(&record).unwrap().identity;
        Letter::new(record, identity, "no", NOW)
    };
    following.settle(2, vec![letter(0), letter(1)], true).unwrap();
    send(&engine, workspace, &[&track(2), &theirs("3"), &track(4), &theirs("5")]).await;
    assert_eq!(following.read(LIMIT).unwrap().records.len(), 4);
    following.settle(1, vec![], true).unwrap();
    engine.checkpoint().await;
    assert_eq!(kept(dir.path()), 1);
    let root = (RecordKind::User, support::id(RecordKind::User, MARKER));
    let covered = cover(&engine, workspace, root).await.unwrap();
    let (subjects, parts) = (covered.subjects, covered.parts);
    let at: Micros = NOW.plus_micros(1);
    let deletion = DeletionId::of(root, at);
    let mut batch = BatchBuilder::new(workspace, 0);
    batch.decree(&Decree::Delete(Delete { id: deletion, root, requested_at: at, key_id: 1, at, subjects, parts }));
    engine.append(batch.build()).await.unwrap();
    let now = following.read(LIMIT).unwrap();
    assert_eq!(now.records.len(), 1, "gone at once, for followers too");
    engine.checkpoint().await;
    assert_eq!(files_with(dir.path(), MARKER), [""; 0]);
    drop(following);
    assert_eq!(engine.letter_count(id), 1);
    let engine = crash(engine, dir.path()).await;
    assert_eq!(take(&engine, id), ["4"], "the place within the group is what it was");
    let left = engine.letters(id, None, 9).await.unwrap().letters;
    assert_eq!(record::decode(&left[0].record).unwrap().message_id.as_deref(), Some("1"));
    engine.close().await.unwrap();
    drop(engine);
    let findings = examine(dir.path(), &mut |_| {}).unwrap();
    assert!(findings.iter().all(|finding| finding.severity == Severity::Note), "{findings:?}");
}
