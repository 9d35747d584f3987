//! Health, figures, closing.

use muster_model::kind::RecordKind::{Account, User};

use super::{
    Desk, Pace, Subject,
    phrases::{does, joins},
};
use crate::status::{Health, Records, Status};

/// And stays so while it works.
pub async fn a_new_store_is_ready<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    assert_eq!(desk.store().health(), Health::Ready);
    desk.send(&[joins("u", "a", 1)]).await;
    assert_eq!(desk.store().health(), Health::Ready);
    desk.reopen().await;
    assert_eq!(desk.store().health(), Health::Ready);
}

const CONFLICTING: [&str; 2] = [
    r#"{"type":"account","accountId":"a","messageId":"m","timestamp":"2024-01-01"}"#,
    r#"{"type":"account","accountId":"a","messageId":"m","timestamp":"2024-01-02"}"#,
];

/// Each message counts as one thing: stored, duplicate, conflict, or refused.
pub async fn figures_count_what_was_done<S: Subject>(subject: &S, _pace: Pace) {
    // Counters start at zero with the process, so nothing here may reopen the store.
    let mut desk = Desk::open(subject, Pace::Straight).await;
    let counts = |desk: &Desk<'_, S>| {
        let figures = desk.store().figures();
        [figures.stored, figures.duplicates, figures.conflicts, figures.refused]
    };
    assert_eq!(counts(&desk), [0, 0, 0, 0]);
    let texts = [&does("u", "e", 1), &does("u", "e", 1), &does("u", "e", 2), "{}", "7"];
    desk.send(&texts).await;
    assert_eq!(counts(&desk), [2, 1, 0, 2]);
    desk.send(&CONFLICTING).await;
    assert_eq!(counts(&desk), [3, 1, 1, 2], "a conflict is not counted as refused besides");
    desk.settle().await;
    desk.send(&CONFLICTING).await;
    assert_eq!(counts(&desk), [3, 2, 2, 2]);
    assert!(desk.store().figures().groups >= 2);
    assert_eq!(desk.store().figures().queued_batches, 0, "nothing waits once it was answered");
}

/// Each workspace counts its own messages, wherever they lie.
pub async fn workspaces_have_sizes<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let messages = |desk: &Desk<'_, S>| {
        let sizes = desk.store().sizes();
        let own = sizes.iter().filter(|(id, _)| *id == desk.workspace().id);
        own.map(|(_, size)| size.messages).sum::<u64>()
    };
    desk.send(&[joins("u", "a", 1), does("u", "e", 2)]).await;
    desk.pause().await;
    desk.send(&[does("u", "e", 2), does("u", "e", 3)]).await;
    assert_eq!(messages(&desk), 3, "a duplicate is not counted");
    desk.enter("other").await;
    assert_eq!(messages(&desk), 0);
    desk.send(&[joins("u", "a", 1)]).await;
    assert_eq!(messages(&desk), 1);
    desk.enter("default").await;
    desk.pause().await;
    assert_eq!(messages(&desk), 3);
}

/// New ones, those named again, deleted ones and those that start anew, wherever they lie, and also after a crash.
pub async fn records_are_counted<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let counted = |desk: &Desk<'_, S>| {
        let records = desk.store().records(desk.workspace().id);
        let Records { organizations, accounts, users } = records.expect("they were counted from the beginning");
        [organizations, accounts, users]
    };
    assert_eq!(counted(&desk), [0, 0, 0]);
    let account = r#"{"type":"account","accountId":"a","organizationId":"o","messageId":"1"}"#;
    let organization = r#"{"type":"organization","organizationId":"o","messageId":"1"}"#;
    desk.send_each(&[organization, account]).await;
    desk.send_each(&[joins("u", "a", 1), joins("v", "a", 2)]).await;
    assert_eq!(counted(&desk), [1, 1, 2]);
    desk.pause().await;
    desk.send_each(&[joins("u", "a", 1), does("u", "e", 3), joins("u", "b", 4), does("w", "e", 5)]).await;
    assert_eq!(counted(&desk), [1, 2, 3], "whoever was there before is counted once");
    desk.delete(User, "v").await;
    assert_eq!(counted(&desk), [1, 2, 2], "what is deleted does not count from then on");
    desk.set_clock(600);
    desk.send(&[r#"{"type":"user","userId":"v","accountId":"a","messageId":"6"}"#]).await;
    assert_eq!(counted(&desk), [1, 2, 3], "and does when it starts anew");
    desk.pause().await;
    desk.delete(Account, "a").await;
    assert_eq!(counted(&desk), [1, 1, 2], "of its users one has another account, one was in it alone, one in none");
    desk.recover().await;
    assert_eq!(counted(&desk), [1, 1, 2]);
    desk.settle().await;
    assert_eq!(counted(&desk), [1, 1, 2]);
    desk.enter("other").await;
    assert_eq!(counted(&desk), [0, 0, 0]);
    desk.send(&[joins("u", "a", 1)]).await;
    assert_eq!(counted(&desk), [0, 1, 1]);
    desk.enter("default").await;
    desk.reopen().await;
    assert_eq!(counted(&desk), [1, 1, 2]);
}

/// Whoever stops a process may do it from two sides.
pub async fn closing_twice_is_harmless<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    desk.send(&[does("u", "e", 1)]).await;
    for _ in 0..2 {
        assert_eq!(desk.store().close().await, Ok(()));
    }
    desk.reopen().await;
    assert_eq!(desk.timeline(muster_model::kind::RecordKind::User, "u").await, ["e"]);
}
