//! An event of a timeline.
//!
//! `userId`, `accountId` and `organizationId` are the senders' own ids, as in the message; the UUIDs beside them are the
//! ids of the records. The account and the organization are those the event is attributed to now, which the message
//! need not have named.

use muster_store::history::Event;

use super::object::Object;
use crate::openapi::schema::{Field, Fields};

/// Writes the event.
pub(crate) fn write(object: &mut Object<'_>, event: &Event) {
    object.text("id", &event.identity.to_string());
    object.text_or_null("messageId", event.message_id.as_deref());
    object.text("event", &event.name);
    object.instant("timestamp", event.timestamp);
    object.instant("receivedAt", event.received_at);
    let parents = [&event.user, &event.account, &event.organization];
    for (name, parent) in ["userId", "accountId", "organizationId"].into_iter().zip(parents) {
        object.text_or_null(name, parent.as_ref().map(|parent| parent.external_id.as_ref()));
    }
    for (name, parent) in ["userUuid", "accountUuid", "organizationUuid"].into_iter().zip(parents) {
        object.id_or_null(name, parent.as_ref().map(|parent| parent.id));
    }
    object.json("properties", if event.properties.is_empty() { "{}" } else { &event.properties });
}

/// The fields of the event, in the same order.
pub(crate) const FIELDS: Fields = &[
    ("id", Field::Text),
    ("messageId", Field::TextOrNull),
    ("event", Field::Text),
    ("timestamp", Field::Instant),
    ("receivedAt", Field::Instant),
    ("userId", Field::TextOrNull),
    ("accountId", Field::TextOrNull),
    ("organizationId", Field::TextOrNull),
    ("userUuid", Field::UuidOrNull),
    ("accountUuid", Field::UuidOrNull),
    ("organizationUuid", Field::UuidOrNull),
    ("properties", Field::Members),
];
