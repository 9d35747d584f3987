//! The catalogue of traits, message by message as they arrive.

use std::collections::BTreeMap;

use muster_model::{
    id::WorkspaceId,
    kind::{Kind, RecordKind},
    message::Message,
};

use super::MemoryStore;
use crate::{
    Answer,
    catalogue::{Catalogue, KnownTrait, Model, TraitType, TraitTypes},
    error::ReadError,
};

/// Every key ever stated.
#[derive(Debug, Default)]
pub struct Stated {
    known: BTreeMap<(Model, Box<str>), KnownTrait>,
}

impl Stated {
    /// Takes in the message that arrives next.
    pub fn hear(&mut self, message: &Message<'_>) {
        let Some(model) = model(message) else { return };
        for stated in &message.traits {
            let Some(of_type) = TraitType::of_json(stated.value) else { continue };
            let key: Box<str> = stated.key.as_ref().into();
            let fresh = KnownTrait { key: key.clone(), created_at: message.received_at, types: TraitTypes::default() };
            self.known.entry((model, key)).or_insert(fresh).types.add(of_type);
        }
    }

    /// The keys of a model, sorted.
    pub fn of(&self, model: Model) -> Vec<KnownTrait> {
        self.known.iter().filter(|((of, _), _)| *of == model).map(|(_, known)| known.clone()).collect()
    }
}

/// Whose traits a message states.
fn model(message: &Message<'_>) -> Option<Model> {
    let (kind, object) = match message.kind {
        Kind::Organization => (RecordKind::Organization, None),
        Kind::Account => (RecordKind::Account, None),
        Kind::User => (RecordKind::User, None),
        Kind::CustomObjectInstance => (RecordKind::Instance, message.custom_object.as_ref().map(|named| named.id)),
        Kind::CustomObject => (RecordKind::CustomObject, None),
        Kind::NpsResponse => (RecordKind::NpsResponse, None),
        Kind::Track | Kind::Unlink | Kind::Leave => return None,
    };
    Some(Model { kind, object })
}

impl Catalogue for MemoryStore {
    fn known_traits(&self, workspace: WorkspaceId, model: Model) -> Answer<'_, Vec<KnownTrait>, ReadError> {
        Box::pin(
            async move { Ok(self.accepted(workspace, |accepted| accepted.stated().of(model)).unwrap_or_default()) },
        )
    }
}
