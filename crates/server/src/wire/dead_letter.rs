//! A message that a destination refused.

use muster_store::{follow::Letter, record};

use super::object::Object;
use crate::openapi::schema::{Field, Fields};

/// Writes the letter, with the message as it was sent.
pub(crate) fn write(object: &mut Object<'_>, letter: &Letter) {
    object.text("id", &letter.id.to_string());
    object.instant("keptAt", letter.id.kept_at);
    object.text("reason", &letter.reason);
    object.boolean("resending", letter.due);
    match record::decode(&letter.record) {
        Ok(message) => object.verbatim("message", &message.as_sent()),
        Err(_) => object.null("message"),
    }
}

/// The fields of the letter, in the same order.
pub(crate) const FIELDS: Fields = &[
    ("id", Field::Text),
    ("keptAt", Field::Instant),
    ("reason", Field::Text),
    ("resending", Field::Boolean),
    ("message", Field::Members),
];
