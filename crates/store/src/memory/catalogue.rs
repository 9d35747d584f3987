//! The catalogue of traits, message by message as they arrive.

use muster_model::id::WorkspaceId;

use super::MemoryStore;
use crate::{
    Answer,
    catalogue::{Catalogue, Choices, KnownTrait, Model, Options, is_one_of_a_kind},
    error::ReadError,
};

impl Catalogue for MemoryStore {
    fn known_traits(&self, workspace: WorkspaceId, model: Model) -> Answer<'_, Vec<KnownTrait>, ReadError> {
        Box::pin(
            async move { Ok(self.accepted(workspace, |accepted| accepted.stated().of(model)).unwrap_or_default()) },
        )
    }

    fn options(&self, workspace: WorkspaceId, model: Model, keys: Vec<Box<str>>) -> Answer<'_, Options, ReadError> {
        Box::pin(async move {
            let folded = self.folded(workspace);
            let options = keys.into_iter().filter(|key| !is_one_of_a_kind(model.kind, key)).filter_map(|key| {
                let mut choices = Choices::default();
                for profile in folded.profiles.values().filter(|profile| model.holds(profile)) {
                    if let Some(json) = profile.traits.get(&key) {
                        choices.note(json);
                    }
                }
                choices.finish().map(|found| (key, found))
            });
            Ok(options.collect())
        })
    }
}
