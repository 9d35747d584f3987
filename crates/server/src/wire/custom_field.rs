//! A trait, as the catalogue of traits shows it.

use muster_model::{
    id::{IdSpace, RecordId},
    kind::RecordKind,
};
use muster_store::{
    catalogue::{KnownTrait, Model, TraitType},
    credentials::Workspace,
};

use super::object::Object;
use crate::openapi::schema::{Field, Fields};

/// Writes the record; without options where there are none.
pub(crate) fn write(
    object: &mut Object<'_>,
    workspace: &Workspace,
    model: Model,
    known: &KnownTrait,
    options: Option<&[Box<str>]>,
) {
    object.id("id", id(workspace, model, &known.key));
    object.instant("createdAt", known.created_at);
    object.text("label", &known.key);
    object.text("path", &known.key);
    object.text("type", name(known.types.shown()));
    if let Some(options) = options {
        object.list("options", |list| {
            for option in options {
                list.object(|object| {
                    object.text("label", option);
                    object.text("value", option);
                });
            }
        });
    }
}

/// The id of a trait of a model. What it follows from holds a character that no external id may hold, so that it is no
/// record's.
pub(crate) fn id(workspace: &Workspace, model: Model, key: &str) -> RecordId {
    let object = model.object.map(|object| object.to_string()).unwrap_or_default();
    let name = format!("\u{1f}{}\u{1f}{object}\u{1f}{key}", model.kind.as_str());
    IdSpace::new(&workspace.name).record(RecordKind::CustomObject, &name)
}

fn name(shown: TraitType) -> &'static str {
    match shown {
        TraitType::String => "string",
        TraitType::Number => "number",
        TraitType::Boolean => "boolean",
        TraitType::Instant => "datetime",
        TraitType::Array => "array",
        TraitType::Object => "object",
    }
}

/// The fields of the record, in the same order.
pub(crate) const FIELDS: Fields = &[
    ("id", Field::Uuid),
    ("createdAt", Field::Instant),
    ("label", Field::Text),
    ("path", Field::Text),
    ("type", Field::Text),
];

/// The fields of an option.
pub(crate) const OPTION_FIELDS: Fields = &[("label", Field::Text), ("value", Field::Text)];
