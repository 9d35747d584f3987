//! Views and queries that a workspace keeps.

use super::{Desk, Pace, Subject, desk::START};
use crate::{
    error::AdminError,
    saved::{
        NAME_BYTES_MAX, NewSaved, QUERY_BYTES_MAX, SAVED_BY_ONE_MAX, SAVED_BYTES_MAX, Saved, SavedChange, SavedKind,
        SavedViews, VIEW_BYTES_MAX,
    },
};

const KEY: u64 = 7;

async fn save_as<S: Subject>(
    desk: &Desk<'_, S>,
    (kind, by): (SavedKind, u64),
    name: &str,
    text: &str,
) -> Result<Saved, AdminError> {
    let new = NewSaved { kind, name: name.to_owned(), text: text.to_owned(), saved_by: by, saved_at: START };
    desk.store().save(desk.workspace().id, new).await
}

async fn save<S: Subject>(desk: &Desk<'_, S>, kind: SavedKind, name: &str, text: &str) -> Result<Saved, AdminError> {
    save_as(desk, (kind, KEY), name, text).await
}

fn names<S: Subject>(desk: &Desk<'_, S>) -> Vec<String> {
    desk.store().saved(desk.workspace().id).into_iter().map(|one| one.name).collect()
}

/// What is kept comes by kind and name, is renamed and given another text, and its number is never given again.
pub async fn views_are_kept_changed_and_removed<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let query = save(&desk, SavedKind::Query, "days", "select 1").await.expect("it is new");
    let best = save(&desk, SavedKind::Accounts, "best", "sortBy=mrr").await.expect("it is new");
    let first = save(&desk, SavedKind::Accounts, "A", "").await.expect("it is new");
    save(&desk, SavedKind::Users, "best", "").await.expect("another kind has names of its own");
    assert_eq!((query.id, best.id, first.id), (1, 2, 3));
    assert_eq!((best.saved_by, best.saved_at), (KEY, START));
    desk.pause().await;
    assert_eq!(names(&desk), ["A", "best", "best", "days"]);
    assert_eq!(desk.store().saved(desk.workspace().id)[1], best);

    let workspace = desk.workspace().id;
    let change = |name: Option<&str>, text: Option<&str>| SavedChange {
        name: name.map(str::to_owned),
        text: text.map(str::to_owned),
    };
    let renamed = desk.store().change_saved(workspace, best.id, change(Some("best paying"), None)).await;
    assert_eq!(renamed, Ok(Saved { name: "best paying".to_owned(), ..best.clone() }));
    let taken = desk.store().change_saved(workspace, best.id, change(Some("A"), None)).await;
    assert!(matches!(taken, Err(AdminError::Exists(_))), "{taken:?}");
    let same = desk.store().change_saved(workspace, first.id, change(Some("A"), Some("status=churned"))).await;
    assert_eq!(same.map(|one| one.text), Ok("status=churned".to_owned()));

    let last = desk.store().saved(workspace).into_iter().map(|one| one.id).max().expect("some are kept");
    desk.store().remove_saved(workspace, last).await.expect("it is kept");
    let again = desk.store().remove_saved(workspace, last).await;
    assert!(matches!(again, Err(AdminError::NotFound(_))), "{again:?}");
    desk.pause().await;
    let back = save(&desk, SavedKind::Users, "best", "").await.expect("it was removed");
    assert_eq!(back.id, last + 1);
    desk.pause().await;
    assert_eq!(names(&desk), ["A", "best paying", "best", "days"]);
}

/// What is too long, too much, or has no name is refused, and says so.
pub async fn what_is_kept_is_bounded<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let (long, wide) = ("x".repeat(NAME_BYTES_MAX + 1), "x".repeat(VIEW_BYTES_MAX + 1));
    let statement = "x".repeat(QUERY_BYTES_MAX + 1);
    for (kind, name, text) in [
        (SavedKind::Accounts, "", ""),
        (SavedKind::Accounts, " ", ""),
        (SavedKind::Accounts, "a\nb", ""),
        (SavedKind::Accounts, long.as_str(), ""),
        (SavedKind::Accounts, "wide", wide.as_str()),
        (SavedKind::Query, "long", statement.as_str()),
    ] {
        let refused = save(&desk, kind, name, text).await;
        assert!(matches!(refused, Err(AdminError::Invalid(_))), "{name:?}: {refused:?}");
    }
    for at in 0..SAVED_BY_ONE_MAX {
        save(&desk, SavedKind::Users, &format!("view {at}"), "").await.expect("there is room");
    }
    let more = save(&desk, SavedKind::Users, "one more", "").await;
    assert!(matches!(more, Err(AdminError::Invalid(_))), "{more:?}");
    save_as(&desk, (SavedKind::Users, KEY + 1), "one more", "").await.expect("somebody else has room");
    let (full, mut kept) = ("x".repeat(QUERY_BYTES_MAX), 0);
    while save_as(&desk, (SavedKind::Query, KEY + 2), &format!("query {kept}"), &full).await.is_ok() {
        kept += 1;
        assert!(kept * QUERY_BYTES_MAX < SAVED_BYTES_MAX, "{kept} statements are kept");
    }
    assert_eq!(kept, SAVED_BYTES_MAX / QUERY_BYTES_MAX - 1);
    desk.pause().await;
    assert_eq!(names(&desk).len(), SAVED_BY_ONE_MAX + 1 + kept);
}

/// Each workspace keeps its own.
pub async fn workspaces_keep_views_of_their_own<S: Subject>(subject: &S, pace: Pace) {
    let mut desk = Desk::open(subject, pace).await;
    let own = save(&desk, SavedKind::Query, "days", "select 1").await.expect("it is new");
    desk.enter("other").await;
    assert!(names(&desk).is_empty());
    let other = desk.workspace().id;
    for refused in [
        desk.store().change_saved(other, own.id, SavedChange::default()).await,
        desk.store().remove_saved(other, own.id).await,
    ] {
        assert!(matches!(refused, Err(AdminError::NotFound(_))), "{refused:?}");
    }
    save(&desk, SavedKind::Query, "days", "select 2").await.expect("another workspace's");
    desk.pause().await;
    desk.enter("default").await;
    assert_eq!(desk.store().saved(desk.workspace().id), [own]);
    let nowhere = muster_model::id::WorkspaceId(4_000);
    let new =
        NewSaved { kind: SavedKind::Users, name: "x".to_owned(), text: String::new(), saved_by: 1, saved_at: START };
    let refused = desk.store().save(nowhere, new).await;
    assert!(matches!(refused, Err(AdminError::NotFound(_))), "{refused:?}");
}
