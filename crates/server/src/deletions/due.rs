//! Carrying out what was scheduled when its day has come.
//!
//! One task sleeps until the earliest day, or without end when nothing is scheduled; a new schedule wakes it. What came
//! due while no server ran is carried out at the start. A deletion that fails is tried again after a pause, keeps no
//! other one back, and its receipt says what is wrong.

use std::time::Duration;

use muster_model::{deletion::DeletionId, id::WorkspaceId, time::Micros};
use muster_store::deletion::{Decree, Deletion};
use tokio::time::sleep;

use super::remove::{delete_as, send};
use crate::{error::ApiError, spawn::spawn, state::AppState};

/// The longest sleep: a clock that is set while the task sleeps is noticed after this.
const SLEEP_MAX: Duration = Duration::from_secs(6 * 3_600);
/// Between two tries of something that failed; longer where somebody has to do something first.
const RETRY_PAUSE: Duration = Duration::from_secs(60);
const REFUSED_PAUSE: Duration = Duration::from_secs(3_600);

/// Starts the task.
pub(crate) fn start(state: &AppState) {
    let kept = state.clone();
    spawn("scheduled deletions", &state.metrics, async move { run(&kept).await });
}

async fn run(state: &AppState) {
    while !state.is_draining() {
        let wait = match carry_out_due(state).await {
            Ok(next) => next.map(|due| until(state.clock.now(), due)),
            Err(error) => {
                tracing::error!(?error, "scheduled deletions could not be read; they are looked for again");
                Some(RETRY_PAUSE)
            }
        };
        tokio::select! {
            () = state.waiting.wake.notified() => {}
            () = sleep(wait.unwrap_or(SLEEP_MAX)), if wait.is_some() => {}
        }
    }
}

/// Carries out what is due; when the next one is.
pub(crate) async fn carry_out_due(state: &AppState) -> Result<Option<Micros>, ApiError> {
    let mut next: Option<Micros> = None;
    for (workspace, deletion) in state.store.scheduled().await.map_err(ApiError::Read)? {
        let (id, now) = (deletion.id, state.clock.now());
        let mut due = deletion.due.unwrap_or(deletion.requested_at);
        if due <= now {
            let Err(error) = carry_out(state, workspace, &deletion).await else { continue };
            if state.waiting.went_wrong(id, error.says()) {
                tracing::error!(deletion = %id, ?error, "a scheduled deletion could not be carried out; it is tried again");
            }
            let pause = if let ApiError::Parameter(_) = error { REFUSED_PAUSE } else { RETRY_PAUSE };
            due = now.plus_micros(pause.as_micros() as i64);
        }
        next = Some(next.map_or(due, |next| next.min(due)));
    }
    Ok(next)
}

async fn carry_out(state: &AppState, workspace: WorkspaceId, deletion: &Deletion) -> Result<(), ApiError> {
    let Some(workspace) = state.store.workspaces().into_iter().find(|known| known.id == workspace) else {
        return Ok(());
    };
    let id: (DeletionId, Micros) = (deletion.id, deletion.requested_at);
    match delete_as(state, &workspace, deletion.root, id, deletion.key_id).await {
        // Somebody deleted it before; there is nothing to prove twice.
        Err(ApiError::NoSuchRecord { .. }) => {
            let decree = Decree::Cancel { id: deletion.id, at: state.clock.now(), by: None };
            send(state, &workspace, &decree, deletion.key_id).await?;
            state.waiting.forget(workspace.id, &[deletion.id]);
            Ok(())
        }
        other => other,
    }
}

fn until(now: Micros, due: Micros) -> Duration {
    Duration::from_micros(u64::try_from(due.0.saturating_sub(now.0)).unwrap_or(0))
        .clamp(Duration::from_millis(1), SLEEP_MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use muster_model::{
        draft::Draft,
        id::IdSpace,
        kind::RecordKind,
        kinds::{Context, check_typed},
        limits::MessageLimits,
    };
    use muster_store::{
        batch::BatchBuilder,
        clock::ManualClock,
        credentials::{Credentials, NewKey, Scopes, Workspace},
        deletion::Deletions,
        journal::Journal,
        memory::MemoryStore,
        profiles::Profiles,
    };

    use super::*;
    use crate::{deletions::remove, settings::ServerSettings};

    const NOW: Micros = Micros(1_700_000_000_000_000);

    #[tokio::test]
    async fn what_is_due_is_deleted_and_what_is_not_waits() {
        let (store, clock) = (Arc::new(MemoryStore::new()), Arc::new(ManualClock::new(NOW)));
        let state = AppState::new(store.clone(), clock.clone(), ServerSettings::default());
        let new = NewKey {
            workspace_name: "default".to_owned(),
            name: "test".to_owned(),
            scopes: Scopes::ALL,
            token_hash: [1; 32],
            created_at: NOW,
        };
        let workspace = store.create_key(new).await.unwrap().workspace.clone();
        let ids = IdSpace::new("default");
        let mut batch = BatchBuilder::new(workspace.id, 0);
        for user in ["u", "v"] {
            let text = format!(r#"{{"type":"user","userId":"{user}","accountId":null,"messageId":"1"}}"#);
            let context = Context { ids, received_at: NOW, limits: MessageLimits::default() };
            batch.message(&check_typed(&Draft::from_text(&text, 64), &context).unwrap());
        }
        store.append(batch.build()).await.unwrap();
        for (user, days) in [("u", 1), ("v", 3)] {
            let due = NOW.plus_micros(days * 86_400_000_000);
            let root = (RecordKind::User, ids.record(RecordKind::User, user));
            remove::schedule(&state, &workspace, root, 1, due).await.unwrap();
        }
        let next = carry_out_due(&state).await.unwrap();
        assert_eq!(next, Some(NOW.plus_micros(86_400_000_000)));
        clock.set(NOW.plus_micros(2 * 86_400_000_000));
        assert_eq!(carry_out_due(&state).await.unwrap(), Some(NOW.plus_micros(3 * 86_400_000_000)));
        let find = async |user| {
            store.profile(workspace.id, RecordKind::User, ids.record(RecordKind::User, user)).await.unwrap()
        };
        assert!(find("u").await.is_none() && find("v").await.is_some());
        clock.set(NOW.plus_micros(4 * 86_400_000_000));
        assert_eq!(carry_out_due(&state).await.unwrap(), None);
        assert!(find("v").await.is_none());
        assert!(store.scheduled().await.unwrap().is_empty());
    }
    /// One that always failed once kept all behind it from being carried out, whosever they were.
    #[tokio::test]
    async fn one_that_fails_keeps_no_other_back() {
        let (store, clock) = (Arc::new(MemoryStore::new()), Arc::new(ManualClock::new(NOW)));
        let state = AppState::new(store.clone(), clock.clone(), ServerSettings::default());
        let workspace = async |name: &str| {
            let (workspace_name, token_hash) = (name.to_owned(), [name.len() as u8; 32]);
            let new =
                NewKey { workspace_name, name: "test".to_owned(), scopes: Scopes::ALL, token_hash, created_at: NOW };
            store.create_key(new).await.unwrap().workspace.clone()
        };
        let (first, second) = (workspace("first").await, workspace("second").await);
        let send = async |workspace: &Workspace, call: &str, text: &str| {
            let context =
                Context { ids: IdSpace::new(&workspace.name), received_at: NOW, limits: MessageLimits::default() };
            let text = format!(r#"{{"callType":"{call}",{text}}}"#);
            let mut draft = Draft::from_text(&text, 64);
            draft.taken_before = true;
            let mut batch = BatchBuilder::new(workspace.id, 0);
            batch.message(&check_typed(&draft, &context).unwrap());
            store.append(batch.build()).await.unwrap();
        };
        send(&first, "track", r#""type":"track","anonymousId":"x","event":"did","messageId":"1""#).await;
        send(&second, "identify", r#""type":"user","userId":"u","accountId":null,"messageId":"1""#).await;
        let anonymous = (RecordKind::Anonymous, IdSpace::new("first").record(RecordKind::Anonymous, "x"));
        let user = (RecordKind::User, IdSpace::new("second").record(RecordKind::User, "u"));
        let due = NOW.plus_micros(86_400_000_000);
        let fails = remove::schedule(&state, &first, anonymous, 1, due).await.unwrap();
        remove::schedule(&state, &second, user, 1, due).await.unwrap();
        // Somebody says who it is before the day comes.
        send(&first, "identify", r#""type":"user","userId":"v","accountId":null,"anonymousId":"x","messageId":"2""#)
            .await;
        clock.set(due);
        assert_eq!(carry_out_due(&state).await.unwrap(), Some(due.plus_micros(3_600_000_000)), "it is tried again");
        assert!(store.profile(second.id, user.0, user.1).await.unwrap().is_none());
        let waiting: Vec<DeletionId> = store.scheduled().await.unwrap().iter().map(|(_, one)| one.id).collect();
        assert_eq!(waiting, [fails]);
        let says = state.waiting.problem(fails).expect("the receipt says what is wrong");
        assert!(says.contains("this is an anonymous id of the user"), "{says}");
    }
}
