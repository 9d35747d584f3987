//! Getting ready for a search, as soon as somebody looks at the console.
//!
//! A search of a kind of record needs the names of all of them in memory, which takes seconds to read where there are a
//! million. A store reads them after a start as it finds time; beside the first page that somebody opens it is asked to read
//! those of that workspace at once, unless it has them. Nothing waits for it, and nothing depends on it.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use muster_model::{id::WorkspaceId, kind::RecordKind};
use muster_store::credentials::Workspace;

use crate::{
    resources::{
        query::Query,
        records::{ListOf, ListRequest},
    },
    state::AppState,
};

/// Workspaces that are remembered; beyond that many, all are forgotten, and a few are read once more.
const WORKSPACES_MAX: usize = 4_096;
/// Something that is searched for, and is in no name.
const NOBODY: &str = "search=%02%03";

/// For which workspaces it was done.
#[derive(Default)]
pub(crate) struct Warmed(Mutex<HashSet<WorkspaceId>>);

impl Warmed {
    /// Whether it is to be done for this one now.
    fn takes(&self, workspace: WorkspaceId) -> bool {
        let mut warmed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if warmed.len() >= WORKSPACES_MAX {
            warmed.clear();
        }
        warmed.insert(workspace)
    }
}

/// Begins to get ready, if that was not done yet.
pub(super) fn begin(state: &AppState, workspace: &Workspace) {
    if !state.warmed.takes(workspace.id) {
        return;
    }
    let (shared, workspace) = (state.clone(), workspace.clone());
    crate::spawn::spawn("get ready to search", &state.metrics, async move {
        for kind in [RecordKind::Account, RecordKind::User, RecordKind::Organization] {
            if let Err(error) = search(&shared, &workspace, kind).await {
                error.log();
            }
        }
    });
}

/// Searches one kind, in vain.
async fn search(state: &AppState, workspace: &Workspace, kind: RecordKind) -> Result<(), crate::error::ApiError> {
    let request = ListRequest::read(state, workspace, &Query::of_text(NOBODY), ListOf::all(kind)).await?;
    request.page(state, workspace).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_done_once_for_each() {
        let warmed = Warmed::default();
        let done: Vec<bool> = [1, 2, 1, 2, 3].into_iter().map(|id| warmed.takes(WorkspaceId(id))).collect();
        assert_eq!(done, [true, true, false, false, true]);
        (10..20 + WORKSPACES_MAX as u32).for_each(|id| {
            warmed.takes(WorkspaceId(id));
        });
        assert!(warmed.0.lock().unwrap().len() <= WORKSPACES_MAX);
    }
}
