//! A key, without its token.

use muster_store::credentials::{Key, Scopes};

use super::object::Object;
use crate::{
    keys::Token,
    openapi::schema::{Field, Fields},
};

/// Writes the key; a token is shown only in the answer that made it.
pub(crate) fn write(object: &mut Object<'_>, key: &Key, token: Option<&Token>) {
    object.number("id", key.id);
    object.text("workspace", &key.workspace.name);
    object.text("name", &key.name);
    object.list("scopes", |list| {
        Scopes::NAMES.iter().filter(|(scope, _)| key.scopes.contains(*scope)).for_each(|(_, name)| list.text(name));
    });
    object.instant("createdAt", key.created_at);
    object.instant_or_null("revokedAt", key.revoked_at);
    if let Some(token) = token {
        object.text("token", token.reveal());
    }
}

/// The fields of the key, in the same order.
pub(crate) const FIELDS: Fields = &[
    ("id", Field::Count),
    ("workspace", Field::Text),
    ("name", Field::Text),
    ("scopes", Field::Texts),
    ("createdAt", Field::Instant),
    ("revokedAt", Field::InstantOrNull),
];
