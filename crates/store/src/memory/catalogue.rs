//! The catalogue of traits, message by message as they arrive.

use muster_model::id::WorkspaceId;

use super::MemoryStore;
use crate::{
    Answer,
    catalogue::{Catalogue, KnownTrait, Model},
    error::ReadError,
};

impl Catalogue for MemoryStore {
    fn known_traits(&self, workspace: WorkspaceId, model: Model) -> Answer<'_, Vec<KnownTrait>, ReadError> {
        Box::pin(
            async move { Ok(self.accepted(workspace, |accepted| accepted.stated().of(model)).unwrap_or_default()) },
        )
    }
}
