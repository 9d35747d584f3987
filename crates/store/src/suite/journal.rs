//! Accepting messages durably: kept, told apart, never doubled.

use std::time::Duration;

use futures_util::future::{join, join_all};
use muster_model::{kind::RecordKind, rejection::Code};

use super::{
    Desk, Pace, Sent, Subject,
    desk::workspace_named,
    phrases::{WORLD_CUP, account, does, joins},
    reads::{Times, render},
    sent::KEY_ID,
};
use crate::{
    batch::{Batch, BatchBuilder},
    error::AppendError,
    journal::Journal,
    receipt::Outcome::{Conflict, Duplicate, Stored},
    refused::{Refusals, RefusedId, Way},
    status::Status,
};

async fn everything<S: Subject>(desk: &Desk<'_, S>) -> String {
    render(desk.store(), desk.workspace().id, Times::Shown).await
}

/// A read that starts after the answer sees what was answered.
pub async fn what_is_acknowledged_is_read_at_once<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    for day in 1..=5 {
        let batch = desk.batch_of(&[joins("u", "a", day), does("u", &format!("e{day}"), day)]);
        let receipt = desk.store().append(batch).await.expect("a small batch finds a place");
        assert_eq!(receipt.outcomes, [Stored, Stored]);
        assert_eq!(desk.timeline(RecordKind::Account, "a").await.len(), day as usize);
        desk.pause().await;
        assert_eq!(desk.timeline(RecordKind::Account, "a").await.len(), day as usize);
    }
}

/// However often a message is sent, it counts once, and nothing shows that it came again.
pub async fn a_message_sent_again_changes_nothing<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    assert_eq!(desk.send(&WORLD_CUP).await, [Stored; 4]);
    let before = everything(&desk).await;
    assert_eq!(desk.send(&WORLD_CUP).await, [Duplicate; 4]);
    for text in WORLD_CUP {
        assert_eq!(desk.send(&[text]).await, [Duplicate]);
    }
    let spelled = r#"{"properties" : { "minute": 23 } ,"event":"scored-goal","accountId":null,"userId":32,
        "messageId":"m-1", "timestamp":"2018-05-15T14:31:12.123+02:00","type":"track"}"#;
    assert_eq!(desk.send(&[spelled]).await, [Duplicate], "another spelling of the same message");
    desk.settle().await;
    assert_eq!(desk.send(&WORLD_CUP).await, [Duplicate; 4]);
    desk.reopen().await;
    assert_eq!(desk.send(&WORLD_CUP).await, [Duplicate; 4]);
    assert_eq!(everything(&desk).await, before);
}

/// The check looks at the batch itself, too.
pub async fn a_message_twice_in_one_batch_is_stored_once<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let (one, other) = (does("u", "one", 1), does("u", "other", 1));
    let outcomes = desk.send(&[&one, &one, &other, &one, &other]).await;
    assert_eq!(outcomes, [Stored, Duplicate, Stored, Duplicate, Duplicate]);
    assert_eq!(desk.timeline(RecordKind::User, "u").await.len(), 2);
}

const FIRST: &str =
    r#"{"type":"account","accountId":"a","messageId":"m","timestamp":"2024-01-01","traits":{"plan":"pro"}}"#;
const SECOND: &str =
    r#"{"type":"account","accountId":"a","messageId":"m","timestamp":"2024-01-02","traits":{"plan":"free"},"x":[1]}"#;
const THIRD: &str =
    r#"{"type":"account","accountId":"a","messageId":"m","timestamp":"2024-01-01","traits":{"plan":"none"}}"#;

async fn check_conflict<S: Subject>(desk: &Desk<'_, S>, conflicting: &[&str]) {
    let account = desk.profile(RecordKind::Account, "a").await;
    assert_eq!(account.traits.get("plan"), Some("\"pro\""), "the first message stands");
    let refused = desk.refused(10).await;
    assert_eq!(refused.len(), conflicting.len(), "{refused:?}");
    for text in conflicting {
        let sent = Sent::new(*text, desk.now());
        let message = sent.check(desk.ids()).expect("a conflicting message breaks no rule of its own");
        let id = RefusedId::of_conflict(message.identity, message.content);
        let kept = refused.iter().find(|kept| kept.id == id).expect("a conflict has the id of its content");
        assert_eq!(kept.code, Code::Conflict);
        assert_eq!(kept.way, Way::Batch, "its body states its type");
        assert!(kept.reason.len() > 20, "says what to do: {}", kept.reason);
        let body = String::from_utf8(kept.body.to_vec()).expect("a checked message is text");
        let again = Sent::new(body, desk.now());
        let again = again.check(desk.ids()).expect("what was set aside can be sent again");
        assert_eq!((again.identity, again.content), (message.identity, message.content), "nothing of it is lost");
    }
}

/// Same identity, other content: the first one stands, the second is set aside.
pub async fn the_first_of_two_conflicting_messages_stands<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    assert_eq!(desk.send(&[FIRST]).await, [Stored]);
    assert_eq!(desk.send(&[SECOND]).await, [Conflict]);
    assert_eq!(desk.send(&[FIRST]).await, [Duplicate]);
    check_conflict(&desk, &[SECOND]).await;
    desk.settle().await;
    assert_eq!(desk.send(&[THIRD]).await, [Conflict]);
    desk.reopen().await;
    check_conflict(&desk, &[SECOND, THIRD]).await;
    assert_eq!(desk.send(&[SECOND, THIRD, FIRST]).await, [Conflict, Conflict, Duplicate]);
    check_conflict(&desk, &[SECOND, THIRD]).await;
}

/// Within one batch the order of its elements decides.
pub async fn a_conflict_within_one_batch<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    assert_eq!(desk.send(&[FIRST, SECOND, FIRST, THIRD]).await, [Stored, Conflict, Duplicate, Conflict]);
    check_conflict(&desk, &[SECOND, THIRD]).await;
}

/// A sender that repeats a conflicting message does not fill the list; dropping it there makes room for it again.
pub async fn a_conflict_is_set_aside_once<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[FIRST]).await;
    let first_heard = desk.now();
    assert_eq!(desk.send(&[SECOND, SECOND]).await, [Conflict, Conflict]);
    assert_eq!(desk.send(&[SECOND]).await, [Conflict]);
    let refused = desk.refused(10).await;
    assert_eq!(refused.iter().map(|kept| kept.received_at).collect::<Vec<_>>(), [first_heard]);
    let mut drop = desk.batch();
    drop.forget(refused[0].id);
    desk.append(drop.build()).await;
    assert_eq!(desk.refused(10).await, []);
    assert_eq!(desk.send(&[SECOND]).await, [Conflict], "a dropped conflict is still a conflict");
    check_conflict(&desk, &[SECOND]).await;
}

/// The `messageId` alone decides nothing: kind and identifiers count as well.
pub async fn one_message_id_serves_several_messages<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let track =
        |fields: &str| format!(r#"{{"type":"track","event":"e",{fields},"messageId":"m","timestamp":"2024-01-01"}}"#);
    let texts = [
        track(r#""userId":"1""#),
        track(r#""accountId":"1""#),
        track(r#""organizationId":"1""#),
        track(r#""userId":"1","accountId":"1""#),
        track(r#""userId":"2""#),
        r#"{"type":"account","accountId":"1","messageId":"m","timestamp":"2024-01-01"}"#.to_owned(),
        r#"{"type":"unlink","userId":"1","accountId":"1","messageId":"m","timestamp":"2024-01-01"}"#.to_owned(),
        r#"{"type":"user","userId":"1","accountId":"1","messageId":"m","timestamp":"2024-01-01"}"#.to_owned(),
    ];
    assert_eq!(desk.send(&texts).await, [Stored; 8]);
    assert_eq!(desk.send(&texts).await, [Duplicate; 8]);
}

/// Without a `messageId` two messages are one when everything in them is the same.
pub async fn a_message_without_a_message_id_is_known_by_its_content<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    assert_eq!(desk.send(&[does("u", "e", 1)]).await, [Stored]);
    assert_eq!(
        desk.send(&[does("u", "e", 1), does("u", "e", 2), does("u", "f", 1)]).await,
        [Duplicate, Stored, Stored]
    );
    assert_eq!(desk.timeline(RecordKind::User, "u").await.len(), 3);
    assert_eq!(desk.refused(10).await, [], "without a messageId there are no conflicts");
}

/// The same messages in two workspaces are two messages each, about two records.
pub async fn workspaces_never_meet<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    assert_eq!(desk.send(&WORLD_CUP).await, [Stored; 4]);
    let first = (desk.workspace().clone(), desk.id(RecordKind::Account, "123456"), everything(&desk).await);
    desk.enter("other").await;
    assert_ne!(desk.workspace().id, first.0.id);
    assert!(desk.find(RecordKind::Account, "123456").await.is_none());
    assert!(desk.find_id(RecordKind::Account, first.1).await.is_none());
    assert_eq!(desk.timeline(RecordKind::User, "32").await, [""; 0]);
    assert_eq!(desk.send(&WORLD_CUP).await, [Stored; 4]);
    assert_eq!(desk.send(&[SECOND, FIRST, THIRD]).await, [Stored, Conflict, Conflict]);
    desk.send(&[does("32", "left", 3), account("123456", 3, r#"{"name":null}"#)]).await;
    desk.enter("default").await;
    assert_eq!(everything(&desk).await, first.2);
    assert_eq!(desk.refused(10).await, []);
}

/// What broke a rule is set aside; the rest of its batch is stored all the same.
pub async fn good_and_bad_messages_share_a_batch<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let mut texts: Vec<String> = (1..=20).map(|day| does("u", &format!("e{day}"), day)).collect();
    let (no_parent, no_event) =
        (r#"{"type":"user","userId":"u","messageId":"1"}"#, r#"{"type":"track","userId":"u","messageId":"2"}"#);
    texts.insert(3, no_parent.to_owned());
    texts.push(no_event.to_owned());
    let received_at = desk.now();
    assert_eq!(desk.send(&texts).await, [Stored; 20]);
    assert_eq!(desk.timeline(RecordKind::User, "u").await.len(), 20);
    let refused = desk.refused(10).await;
    assert_eq!(refused.len(), 2);
    for (body, code, pointer) in
        [(no_parent, Code::UserNeedsParent, "/accountId"), (no_event, Code::MissingField, "/event")]
    {
        let kept = refused.iter().find(|kept| kept.body.as_ref() == body.as_bytes()).expect("it was set aside");
        assert_eq!((kept.code, kept.pointer.as_ref()), (code, pointer));
        assert_eq!((kept.received_at, kept.key_id, kept.way), (received_at, KEY_ID, Way::Batch));
        assert_eq!(kept.id, RefusedId::of_body(Way::Batch, body.as_bytes()));
        assert!(kept.reason.len() > 20, "says what to do: {}", kept.reason);
    }
}

/// A batch need not hold a message to be kept.
pub async fn a_batch_of_refused_messages_alone<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    assert_eq!(desk.send(&[r#"{"type":"page"}"#, "7"]).await, []);
    assert_eq!(desk.refused(10).await.len(), 2);
    assert!(desk.find(RecordKind::User, "u").await.is_none());
}

/// A correction and the end of what it corrects are one batch, so that neither is there without the other.
pub async fn a_corrected_message_takes_the_place_of_the_refused_one<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[r#"{"type":"user","userId":"u","messageId":"1"}"#, r#"{"type":"page"}"#]).await;
    let wrong = RefusedId::of_body(Way::Batch, br#"{"type":"user","userId":"u","messageId":"1"}"#);
    let mut batch = desk.batch();
    Sent::new(r#"{"type":"user","userId":"u","accountId":"a","messageId":"1"}"#, desk.now())
        .add_to(&mut batch, desk.ids());
    batch.forget(wrong);
    assert_eq!(desk.append(batch.build()).await, [Stored]);
    assert_eq!(desk.accounts_of("u").await, ["a"]);
    let left: Vec<_> = desk.refused(10).await.into_iter().map(|kept| kept.body).collect();
    assert_eq!(left, [br#"{"type":"page"}"#.as_slice()]);
    let found = desk.store().refused_message(desk.workspace().id, wrong).await;
    assert_eq!(found, Ok(None));
    // The same mistake again is set aside again.
    desk.send(&[r#"{"type":"user","userId":"u","messageId":"1"}"#]).await;
    assert_eq!(desk.refused(10).await.len(), 2);
    let found = desk.store().refused_message(desk.workspace().id, wrong).await;
    assert!(found.is_ok_and(|found| found.is_some()));
}

/// Two people may drop the same message.
pub async fn forgetting_what_is_not_there_is_harmless<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&["7"]).await;
    for _ in 0..2 {
        let mut batch = desk.batch();
        batch.forget(RefusedId(1));
        assert_eq!(desk.append(batch.build()).await, []);
        assert_eq!(desk.refused(10).await.len(), 1);
    }
    desk.enter("other").await;
    let mut batch = desk.batch();
    batch.forget(RefusedId::of_body(Way::Batch, b"7"));
    desk.append(batch.build()).await;
    desk.enter("default").await;
    assert_eq!(desk.refused(10).await.len(), 1, "what another workspace set aside is not there");
}

/// Nothing asked, nothing done.
pub async fn an_empty_batch_is_taken<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let empty = desk.batch().build();
    assert_eq!(desk.append(empty).await, []);
    assert_eq!(desk.send(&[does("u", "e", 1)]).await, [Stored]);
    let empty = desk.batch().build();
    assert_eq!(desk.append(empty).await, []);
    assert_eq!(desk.timeline(RecordKind::User, "u").await, ["e"]);
}

/// Senders that retry at the same moment, on top of each other.
pub async fn of_many_at_once_each_message_is_stored_once<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    for round in 0..4u32 {
        let texts: Vec<String> = (0..8).map(|n| does("u", &format!("e{n}"), round + 1)).collect();
        let batch = |from: u32| {
            let part: Vec<&String> = (0..4).map(|n| &texts[((from + n) % 8) as usize]).collect();
            desk.batch_of(&part)
        };
        let receipts = join_all((0..16).map(|from| desk.store().append(batch(from)))).await;
        let mut stored = 0;
        for receipt in receipts {
            let receipt = receipt.expect("sixteen small batches find a place");
            assert_eq!(receipt.outcomes.len(), 4);
            assert_eq!(receipt.count(Conflict), 0);
            stored += receipt.count(Stored);
        }
        assert_eq!(stored, 8);
        desk.pause().await;
    }
    let mut found = desk.timeline(RecordKind::User, "u").await;
    found.sort();
    let expected: Vec<String> = (0..8).flat_map(|n| [(); 4].map(|()| format!("e{n}"))).collect();
    assert_eq!(found, expected);
}

/// A full store says so at once, and keeps what it said yes to.
pub async fn too_much_at_once_is_refused_and_can_be_sent_again<S: Subject>(subject: &S, _pace: Pace) {
    let store = subject.open_cramped().await;
    let workspace = workspace_named(&store, "default", super::desk::START).await;
    let ids = muster_model::id::IdSpace::new(&workspace.name);
    let batches: Vec<Batch> = (0..400)
        .map(|n| {
            let mut batch = BatchBuilder::new(workspace.id, 0);
            for part in 0..10 {
                Sent::new(does(&format!("u{n}"), &format!("e{part}"), 1), super::desk::START).add_to(&mut batch, ids);
            }
            batch.build()
        })
        .collect();
    let answers = join_all(batches.iter().map(|batch| store.append(batch.clone()))).await;
    assert!(answers.iter().any(Result::is_ok), "a batch that finds nothing waiting is taken");
    for (n, (answer, batch)) in answers.into_iter().zip(&batches).enumerate() {
        match answer {
            Ok(receipt) => {
                assert_eq!(receipt.outcomes, [Stored; 10]);
                let again = store.append(batch.clone()).await.expect("what is stored needs no room");
                assert_eq!(again.outcomes, [Duplicate; 10], "what was acknowledged is there");
            }
            Err(AppendError::Full { retry_after }) => {
                assert!(retry_after > Duration::ZERO, "batch {n}: says when to come back");
                // Whole or not at all, now or never.
                if let Ok(receipt) = store.append(batch.clone()).await {
                    assert_eq!(receipt.outcomes, [receipt.outcomes[0]; 10]);
                    assert_ne!(receipt.outcomes[0], Conflict);
                }
            }
            Err(other) => panic!("batch {n}: a full store is neither stopped nor closing: {other}"),
        }
    }
    store.close().await.expect("a full store can be closed");
}

/// What comes after the end is told to go elsewhere.
pub async fn after_closing_nothing_is_taken<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[joins("u", "a", 1)]).await;
    let (first, second) = (desk.batch_of(&[does("u", "e", 1)]), desk.batch_of(&[does("u", "e", 2)]));
    // Either it was taken before the end, and is kept, or it was told that this is the end.
    let (taken, closed) = join(desk.store().append(first), desk.store().close()).await;
    closed.expect("closing brings everything into place");
    assert!(matches!(taken, Ok(_) | Err(AppendError::Closing)), "{taken:?}");
    assert_eq!(desk.store().append(second).await, Err(AppendError::Closing));
    desk.reopen().await;
    let kept = desk.timeline(RecordKind::User, "u").await;
    assert_eq!(kept.len(), usize::from(taken.is_ok()));
    assert_eq!(desk.accounts_of("u").await, ["a"]);
    assert_eq!(desk.send(&[does("u", "e", 2)]).await, [Stored], "a new start takes messages again");
}
