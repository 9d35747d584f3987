//! Reading what was deleted. The twin erases at once, so every deletion that was carried out is finished.

use std::ops::Bound;

use muster_model::{deletion::DeletionId, id::WorkspaceId};

use super::{MemoryStore, accepted::Accepted};
use crate::{
    Answer,
    deletion::{Deletion, DeletionPage, Deletions, Stage},
    error::ReadError,
};

impl Deletions for MemoryStore {
    fn deletions(
        &self,
        workspace: WorkspaceId,
        from: Option<DeletionId>,
        limit: usize,
    ) -> Answer<'_, DeletionPage, ReadError> {
        Box::pin(async move {
            let limit = limit.max(1);
            let newest = |accepted: &mut Accepted| {
                let end = from.map_or(Bound::Unbounded, Bound::Excluded);
                let older = accepted.deletions().range((Bound::Unbounded, end)).rev();
                older.take(limit + 1).map(|(_, deletion)| deletion.clone()).collect::<Vec<Deletion>>()
            };
            let mut deletions = self.accepted(workspace, newest).unwrap_or_default();
            let more = deletions.len() > limit;
            deletions.truncate(limit);
            let next = deletions.last().filter(|_| more).map(|deletion| deletion.id);
            Ok(DeletionPage { deletions, next })
        })
    }

    fn deletion(&self, workspace: WorkspaceId, id: DeletionId) -> Answer<'_, Option<Deletion>, ReadError> {
        let one = move |accepted: &mut Accepted| accepted.deletions().get(&id).cloned();
        Box::pin(async move { Ok(self.accepted(workspace, one).flatten()) })
    }

    fn scheduled(&self) -> Answer<'_, Vec<(WorkspaceId, Deletion)>, ReadError> {
        Box::pin(async move {
            let mut found = Vec::new();
            for workspace in self.workspaces_given() {
                let waiting = |accepted: &mut Accepted| {
                    let all = accepted.deletions().values();
                    all.filter(|deletion| deletion.stage == Stage::Scheduled).cloned().collect::<Vec<Deletion>>()
                };
                let waiting = self.accepted(workspace, waiting).unwrap_or_default();
                found.extend(waiting.into_iter().map(|deletion| (workspace, deletion)));
            }
            Ok(found)
        })
    }
}
