//! A statement about a trait.
//!
//! `value` is `null` where the statement removed the trait.

use muster_store::past::TraitStatement;

use super::object::Object;
use crate::openapi::schema::{Field, Fields};

/// Writes the statement.
pub(crate) fn write(object: &mut Object<'_>, statement: &TraitStatement) {
    object.text("id", &statement.identity.to_string());
    object.text_or_null("messageId", statement.message_id.as_deref());
    object.instant("timestamp", statement.timestamp);
    object.instant("receivedAt", statement.received_at);
    match &statement.value {
        Some(value) => object.json("value", value),
        None => object.null("value"),
    }
}

/// The fields of the statement, in the same order.
pub(crate) const FIELDS: Fields = &[
    ("id", Field::Text),
    ("messageId", Field::TextOrNull),
    ("timestamp", Field::Instant),
    ("receivedAt", Field::Instant),
    ("value", Field::Anything),
];
