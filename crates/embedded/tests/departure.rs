//! Handing everything out while the engine goes on: nothing that was acknowledged is left out, and what cannot be handed over waits.

mod support;

use std::collections::BTreeSet;

use muster_embedded::{Embedded, Options, transfer::departure::Departure};
use muster_model::{deletion::DeletionId, id::WorkspaceId};
use muster_store::{
    batch::{Batch, BatchBuilder, Entry},
    deletion::Decree,
    error::{AdminError, AppendError},
    follow::{FollowerId, Followers, NewFollower, PageLimit, Start},
    journal::Journal,
    record,
    status::Status,
    transfer::{Piece, TransferError},
};
use support::{NOW, batch, engine, options, send, workspace};

fn track(n: usize) -> String {
    format!(r#"{{"type":"track","event":"e","userId":"u","messageId":"{n}"}}"#)
}

async fn send_numbers(engine: &Embedded, workspace: WorkspaceId, numbers: std::ops::Range<usize>) {
    for n in numbers {
        send(engine, workspace, &[&track(n)]).await;
    }
}

fn number(bytes: &[u8]) -> usize {
    record::decode(bytes).unwrap().message_id.unwrap().parse().unwrap()
}

/// The numbers of what came since, of a workspace, and which workspaces are said to be there.
fn later(departure: &mut Departure, of: WorkspaceId) -> Result<(Vec<usize>, BTreeSet<String>), TransferError> {
    let (mut numbers, mut names) = (Vec::new(), BTreeSet::new());
    departure.registered(&mut |piece| {
        if let Piece::Workspace(workspace) = piece {
            names.insert(workspace.name);
        }
        Ok(())
    })?;
    let count = departure.later(&mut |batch: &Batch| {
        let messages =
            batch.entries().filter_map(|entry| if let Entry::Message(bytes) = entry { Some(bytes) } else { None });
        numbers.extend(messages.filter(|_| batch.workspace() == of).map(number));
        Ok(())
    })?;
    assert!(count >= numbers.len() as u64);
    Ok((numbers, names))
}

async fn follower(engine: &Embedded, workspace: WorkspaceId, name: &str) -> Result<FollowerId, AdminError> {
    let (name, settings, start) = (name.to_owned(), Vec::new(), Start::Now);
    Ok(engine.add_follower(NewFollower { workspace, name, settings, start, created_at: NOW }).await?.id)
}

fn decree(workspace: WorkspaceId) -> Batch {
    let mut batch = BatchBuilder::new(workspace, 0);
    batch.decree(&Decree::Cancel { id: DeletionId(1), at: NOW, by: None });
    batch.build()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_and_what_came_since_is_handed_out_once() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, of) = engine(dir.path()).await;
    let slow = follower(&engine, of, "slow").await.unwrap();
    send_numbers(&engine, of, 0..10).await;
    let mut following = engine.follow(slow).unwrap();
    let page = following.read(PageLimit { messages: 3, bytes: 1 << 20 }).unwrap();
    following.settle(page.records.len(), vec![], true).unwrap();

    let (source, mut departure) = engine.depart().await.unwrap();
    send_numbers(&engine, of, 10..15).await;
    let mut first = Vec::new();
    source
        .each(&mut |piece| {
            if let Piece::Message(_, bytes) = &piece {
                first.push(number(bytes));
            }
            Ok(())
        })
        .unwrap();
    drop(source);
    first.sort_unstable();
    assert_eq!(first, (0..10).collect::<Vec<_>>());
    // Through a checkpoint, which lets go of files of the journal that nobody needs.
    engine.checkpoint().await;
    assert_eq!(later(&mut departure, of).unwrap().0, (10..15).collect::<Vec<_>>());
    let other = workspace(&engine, "other").await;
    send_numbers(&engine, other, 100..103).await;
    send_numbers(&engine, of, 15..17).await;
    let (numbers, names) = later(&mut departure, of).unwrap();
    assert_eq!((numbers, names.contains("other")), (vec![15, 16], true));
    assert_eq!(later(&mut departure, of).unwrap().0, Vec::<usize>::new());

    // What is more than messages waits, and a second departure does too.
    let busy = engine.append(decree(of)).await;
    assert!(matches!(busy, Err(AppendError::Busy { .. })), "{busy:?}");
    assert!(matches!(follower(&engine, of, "late").await, Err(AdminError::Busy(_))));
    assert!(matches!(engine.remove_follower(slow).await, Err(AdminError::Busy(_))));
    assert!(matches!(engine.depart().await, Err(TransferError::Busy(_))));

    // A follower is as much further as it has had messages of its workspace: three before, and these since.
    let page = following.read(PageLimit { messages: 9, bytes: 1 << 20 }).unwrap();
    following.settle(page.records.len(), vec![], true).unwrap();
    assert_eq!(departure.had_since().unwrap().get(&slow), Some(&9));

    // In the end nothing is taken, and what was is handed out.
    send_numbers(&engine, of, 17..20).await;
    departure.stop(&engine).await;
    assert_eq!(engine.append(batch(of, &[&track(20)])).await, Err(AppendError::Closing));
    assert_eq!(later(&mut departure, of).unwrap().0, vec![17, 18, 19]);

    // If nothing comes of it, everything is as ever.
    drop(departure);
    send_numbers(&engine, of, 20..22).await;
    engine.append(decree(of)).await.unwrap();
    follower(&engine, of, "late").await.unwrap();
    engine.close().await.unwrap();
}

/// Whoever is stopped is stopped: of messages that many senders send at that moment, all that are acknowledged are handed out.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_behind_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, of) = engine(dir.path()).await;
    let engine = std::sync::Arc::new(engine);
    for round in 0..10 {
        let (source, mut departure) = engine.depart().await.unwrap();
        drop(source);
        let send = |sender: usize| {
            let engine = std::sync::Arc::clone(&engine);
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for n in 0..10_000 {
                    let number = (round * 8 + sender) * 10_000 + n;
                    match engine.append(batch(of, &[&track(number)])).await {
                        Ok(_) => acknowledged.push(number),
                        Err(error) => {
                            assert_eq!(error, AppendError::Closing);
                            return acknowledged;
                        }
                    }
                }
                panic!("nobody stopped it");
            })
        };
        let senders: Vec<_> = (0..8).map(send).collect();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let mut handed = later(&mut departure, of).unwrap().0;
        departure.stop(&engine).await;
        handed.extend(later(&mut departure, of).unwrap().0);
        let handed: BTreeSet<usize> = handed.into_iter().collect();
        for sender in senders {
            let acknowledged = sender.await.unwrap();
            assert!(acknowledged.iter().all(|number| handed.contains(number)), "round {round}");
        }
    }
}

/// What is kept for it is bounded as what is kept for followers is.
#[tokio::test(flavor = "multi_thread")]
async fn it_ends_when_more_comes_than_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (first, of) = engine(dir.path()).await;
    first.close().await.unwrap();
    drop(first);
    let engine = Embedded::open(Options { forward_bytes_max: 3_000, ..options(dir.path()) }, NOW).unwrap().0;
    let (source, mut departure) = engine.depart().await.unwrap();
    drop(source);
    for round in 0..6 {
        send_numbers(&engine, of, round * 10..round * 10 + 10).await;
        engine.checkpoint().await;
    }
    let error = later(&mut departure, of).unwrap_err().to_string();
    assert!(error.contains("forward.kept_bytes_max"), "{error}");
    drop(departure);
    let (_, mut departure) = engine.depart().await.unwrap();
    send_numbers(&engine, of, 60..62).await;
    assert_eq!(later(&mut departure, of).unwrap().0, vec![60, 61]);
}
