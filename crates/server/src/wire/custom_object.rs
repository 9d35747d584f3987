//! A custom object: what its instances are instances of.

use std::borrow::Cow;

use muster_model::{id::RecordId, profile::Profile};

use super::{object::Object, value};
use crate::openapi::schema::{Field, Fields};

/// Writes the record.
pub(crate) fn write(object: &mut Object<'_>, profile: &Profile) {
    let traits = &profile.traits;
    object.id("id", profile.id);
    object.instant("createdAt", profile.created_at);
    object.instant("updatedAt", profile.updated_at);
    object.text_or_null("name", name(profile).as_deref());
    value::put_text(object, "label", traits, "label");
    object.boolean("syncActive", traits.get("syncActive") == Some("true"));
    value::put_text(object, "writeMode", traits, "writeMode");
    match traits.get("customFields").filter(|json| json.starts_with('[')) {
        Some(fields) => object.json("customFields", fields),
        None => object.empty_list("customFields"),
    }
    object.boolean("implied", !profile.stated);
}

/// The name that was given to it, or the one by which messages name it.
fn name(profile: &Profile) -> Option<Cow<'_, str>> {
    let named = || RecordId::parse_hyphenated(&profile.external_id).is_none();
    value::text(&profile.traits, "name").or_else(|| named().then(|| Cow::Borrowed(profile.external_id.as_ref())))
}

/// The fields of the record, in the same order.
pub(crate) const FIELDS: Fields = &[
    ("id", Field::Uuid),
    ("createdAt", Field::Instant),
    ("updatedAt", Field::Instant),
    ("name", Field::TextOrNull),
    ("label", Field::TextOrNull),
    ("syncActive", Field::Boolean),
    ("writeMode", Field::TextOrNull),
    ("customFields", Field::Anything),
    ("implied", Field::Boolean),
];
