//! A view or a query under its name.

use muster_store::saved::Saved;

use super::object::Object;
use crate::{
    openapi::schema::{Field, Fields},
    saved::address,
};

/// Writes it.
pub(crate) fn write(object: &mut Object<'_>, saved: &Saved) {
    object.number("id", saved.id);
    object.text("kind", saved.kind.as_str());
    object.text("name", &saved.name);
    object.text("text", &saved.text);
    object.text("address", &address(saved));
    object.number("savedBy", saved.saved_by);
    object.instant("savedAt", saved.saved_at);
}

/// The fields of it, in the same order.
pub(crate) const FIELDS: Fields = &[
    ("id", Field::Count),
    ("kind", Field::Text),
    ("name", Field::Text),
    ("text", Field::Text),
    ("address", Field::Text),
    ("savedBy", Field::Count),
    ("savedAt", Field::Instant),
];
