//! Imports, as the notes in batches tell of them.

use muster_model::id::{ImportId, WorkspaceId};

use super::{MemoryStore, accepted::Accepted};
use crate::{
    Answer,
    error::ReadError,
    import::{Import, Imports},
};

impl Imports for MemoryStore {
    fn imports(&self, workspace: WorkspaceId) -> Answer<'_, Vec<Import>, ReadError> {
        let all = |accepted: &mut Accepted| accepted.imports().values().rev().cloned().collect();
        Box::pin(async move { Ok(self.accepted(workspace, all).unwrap_or_default()) })
    }

    fn import(&self, workspace: WorkspaceId, id: ImportId) -> Answer<'_, Option<Import>, ReadError> {
        let one = move |accepted: &mut Accepted| accepted.imports().get(&id).cloned();
        Box::pin(async move { Ok(self.accepted(workspace, one).flatten()) })
    }
}
