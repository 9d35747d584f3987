//! Carrying out what was scheduled when its day has come.
//!
//! One task sleeps until the earliest day, or without end when nothing is scheduled; a new schedule wakes it. What came
//! due while no server ran is carried out at the start. A deletion that fails is tried again after a pause.

use std::time::Duration;

use muster_model::{deletion::DeletionId, id::WorkspaceId, time::Micros};
use muster_store::deletion::{Decree, Deletion};
use tokio::time::sleep;

use super::remove::{delete_as, send};
use crate::{error::ApiError, spawn::spawn, state::AppState};

/// The longest sleep: a clock that is set while the task sleeps is noticed after this.
const SLEEP_MAX: Duration = Duration::from_secs(6 * 3_600);
/// Between two tries of something that failed.
const RETRY_PAUSE: Duration = Duration::from_secs(60);

/// Starts the task.
pub(crate) fn start(state: &AppState) {
    let kept = state.clone();
    spawn("scheduled deletions", &state.metrics, async move { run(&kept).await });
}

async fn run(state: &AppState) {
    loop {
        let wait = match carry_out_due(state).await {
            Ok(next) => next.map(|due| until(state.clock.now(), due)),
            Err(error) => {
                tracing::error!(?error, "scheduled deletions could not be carried out; they are tried again");
                Some(RETRY_PAUSE)
            }
        };
        tokio::select! {
            () = state.due.notified() => {}
            () = sleep(wait.unwrap_or(SLEEP_MAX)), if wait.is_some() => {}
        }
    }
}

/// Carries out what is due; when the next one is.
pub(crate) async fn carry_out_due(state: &AppState) -> Result<Option<Micros>, ApiError> {
    let mut next: Option<Micros> = None;
    for (workspace, deletion) in state.store.scheduled().await.map_err(ApiError::Read)? {
        let due = deletion.due.unwrap_or(deletion.requested_at);
        if due > state.clock.now() {
            next = Some(next.map_or(due, |next| next.min(due)));
        } else {
            carry_out(state, workspace, &deletion).await?;
        }
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
            send(state, &workspace, &decree, deletion.key_id).await
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
        credentials::{Credentials, NewKey, Scopes},
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
}
