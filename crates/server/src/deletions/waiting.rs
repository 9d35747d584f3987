//! What is scheduled, as the server remembers it beside the store.
//!
//! The store keeps every deletion for ever; asking it which of them wait means to look through all. Whoever deletes a
//! record at once asks here instead which schedules are void by that, and the page of a record whether it is to go. It may name one that waits no more, never miss one
//! that does. What kept a deletion from being carried out on its day is remembered here as well, until it is.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use muster_model::{
    deletion::{DeletionId, Subject},
    id::WorkspaceId,
    time::Micros,
};
use tokio::sync::Notify;

use crate::{error::ApiError, state::AppState};

/// Which deletions wait for their day.
#[derive(Default)]
pub(crate) struct Waiting {
    /// Told when a deletion was scheduled.
    pub wake: Notify,
    /// By the record that is to go, with the instant at which that was asked for; nothing before the store was asked.
    roots: Mutex<Option<Roots>>,
    /// What went wrong with those whose day has come.
    problems: Mutex<BTreeMap<DeletionId, String>>,
}

type Roots = BTreeMap<(WorkspaceId, Subject), Vec<(DeletionId, Micros)>>;

impl Waiting {
    /// Takes down that a deletion is about to wait. To be called before it is written down anywhere else.
    pub(super) async fn add(
        &self,
        state: &AppState,
        of: (WorkspaceId, Subject),
        deletion: (DeletionId, Micros),
    ) -> Result<(), ApiError> {
        self.load(state).await?;
        locked(&self.roots).get_or_insert_default().entry(of).or_default().push(deletion);
        Ok(())
    }

    /// The deletions that wait for one of these records and were asked for by an instant.
    pub(crate) async fn of(
        &self,
        state: &AppState,
        workspace: WorkspaceId,
        subjects: &[Subject],
        by: Micros,
    ) -> Result<Vec<DeletionId>, ApiError> {
        self.load(state).await?;
        let roots = locked(&self.roots);
        let Some(roots) = roots.as_ref().filter(|roots| !roots.is_empty()) else { return Ok(Vec::new()) };
        let waiting = subjects.iter().filter_map(|subject| roots.get(&(workspace, *subject))).flatten();
        Ok(waiting.filter(|(_, requested_at)| *requested_at <= by).map(|(id, _)| *id).collect())
    }

    /// Forgets deletions that wait no more.
    pub(super) fn forget(&self, workspace: WorkspaceId, ids: &[DeletionId]) {
        if let Some(roots) = locked(&self.roots).as_mut() {
            roots.retain(|(of, _), waiting| {
                waiting.retain(|(id, _)| *of != workspace || !ids.contains(id));
                !waiting.is_empty()
            });
        }
        locked(&self.problems).retain(|id, _| !ids.contains(id));
    }

    /// Takes down what kept a deletion from being carried out; `true` when that is news.
    pub(super) fn went_wrong(&self, id: DeletionId, says: String) -> bool {
        locked(&self.problems).insert(id, says.clone()) != Some(says)
    }

    /// What kept a deletion from being carried out, if anything did.
    pub(crate) fn problem(&self, id: DeletionId) -> Option<String> {
        locked(&self.problems).get(&id).cloned()
    }

    /// Asks the store once. What was added meanwhile stands.
    async fn load(&self, state: &AppState) -> Result<(), ApiError> {
        if locked(&self.roots).is_some() {
            return Ok(());
        }
        let scheduled = state.store.scheduled().await.map_err(ApiError::Read)?;
        let mut roots = Roots::new();
        for (workspace, deletion) in scheduled {
            roots.entry((workspace, deletion.root)).or_default().push((deletion.id, deletion.requested_at));
        }
        locked(&self.roots).get_or_insert(roots);
        Ok(())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
