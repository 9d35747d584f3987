//! A member of a workspace's team.

use muster_store::team::{Member, number};

use super::object::Object;
use crate::openapi::schema::{Field, Fields};

/// Writes the member. Nothing here is licensed by the head, so everyone who is listed is active. What the member does is
/// recorded under its `keyId`, where otherwise the number of a key stands.
pub(crate) fn write(object: &mut Object<'_>, member: &Member) {
    object.id("id", member.id);
    object.text("name", &member.name);
    object.text("email", &member.email);
    object.text("licenseStatus", "active");
    object.number("keyId", number(member.id));
}

/// The fields of the member, in the same order.
pub(crate) const FIELDS: Fields = &[
    ("id", Field::Uuid),
    ("name", Field::Text),
    ("email", Field::Text),
    ("licenseStatus", Field::Text),
    ("keyId", Field::Count),
];
