//! An import, and how far it has come.

use muster_model::time::Micros;
use muster_store::import::{Import, Stage};

use crate::{
    openapi::schema::{Field, Fields},
    wire::object::Object,
};

/// Writes the import, as it stands now.
pub(crate) fn write(object: &mut Object<'_>, import: &Import, now: Micros) {
    object.number("id", u64::from(import.id.0));
    object.text("name", &import.source.name);
    object.text("format", &import.source.form);
    object.text("state", state(import, now));
    object.instant("startedAt", import.started_at);
    object.instant("heardAt", import.heard_at);
    object.instant_or_null("endedAt", ended_at(import));
    object.number("keyId", import.key_id);
    number_or_null(object, "undoneBy", import.undone_by);
    object.number("read", import.counts.read);
    object.number("stored", import.counts.stored);
    object.number("duplicates", import.counts.duplicates);
    object.number("refused", import.counts.refused);
    number_or_null(object, "takenBack", taken_back(import));
    number_or_null(object, "total", import.total);
    object.number("bytes", import.bytes);
    number_or_null(object, "bytesTotal", import.source.bytes);
    object.number("position", import.position);
    object.number("refusedBytes", import.refused_bytes);
    object.text_or_null("bookmark", import.bookmark.as_deref());
}

/// The word for where it stands.
pub(crate) fn state(import: &Import, now: Micros) -> &'static str {
    match import.stage {
        Stage::Running if import.is_interrupted(now) => "interrupted",
        Stage::Running => "running",
        Stage::Complete { .. } => "complete",
        Stage::Undoing { .. } => "undoing",
        Stage::Undone { .. } => "undone",
    }
}

/// When it ended, if it has.
pub(crate) fn ended_at(import: &Import) -> Option<Micros> {
    match import.stage {
        Stage::Running | Stage::Undoing { .. } => None,
        Stage::Complete { at } | Stage::Undone { at, .. } => Some(at),
    }
}

fn taken_back(import: &Import) -> Option<u64> {
    if let Stage::Undone { messages, .. } = import.stage { Some(messages) } else { None }
}

fn number_or_null(object: &mut Object<'_>, name: &str, number: Option<u64>) {
    match number {
        Some(number) => object.number(name, number),
        None => object.null(name),
    }
}

/// The fields of the import, in the same order.
pub(crate) const FIELDS: Fields = &[
    ("id", Field::Count),
    ("name", Field::Text),
    ("format", Field::Text),
    ("state", Field::Text),
    ("startedAt", Field::Instant),
    ("heardAt", Field::Instant),
    ("endedAt", Field::InstantOrNull),
    ("keyId", Field::Count),
    ("undoneBy", Field::NumberOrNull),
    ("read", Field::Count),
    ("stored", Field::Count),
    ("duplicates", Field::Count),
    ("refused", Field::Count),
    ("takenBack", Field::NumberOrNull),
    ("total", Field::NumberOrNull),
    ("bytes", Field::Count),
    ("bytesTotal", Field::NumberOrNull),
    ("position", Field::Count),
    ("refusedBytes", Field::Count),
    ("bookmark", Field::TextOrNull),
];
