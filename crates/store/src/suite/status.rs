//! Health, figures, closing.

use super::{
    Desk, Pace, Subject,
    phrases::{does, joins},
};
use crate::status::{Health, Status};

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
