//! A destination, without its secret; the answer that makes one with a secret of the server's own shows that once.

use crate::{
    forward::{Secret, Shown},
    openapi::schema::{Field, Fields},
    wire::object::Object,
};

/// Writes the destination.
pub(crate) fn write(object: &mut Object<'_>, shown: &Shown, secret: Option<&Secret>) {
    let destination = &shown.destination;
    object.text("name", &shown.follower.name);
    object.text("kind", destination.kind.as_str());
    object.text("url", &destination.url);
    object.list("types", |list| destination.types.iter().for_each(|kind| list.text(kind.as_str())));
    object.list("events", |list| destination.events.iter().for_each(|name| list.text(name)));
    object.list("accounts", |list| destination.accounts.iter().for_each(|id| list.text(id)));
    object.number("messagesPerSecond", u64::from(destination.messages_per_second));
    object.number("timeoutSeconds", u64::from(destination.timeout_seconds));
    object.boolean("paused", destination.paused);
    object.text("origin", destination.origin.as_str());
    object.instant("createdAt", shown.follower.created_at);
    object.text("state", shown.said.phase.as_str());
    object.text_or_null("reason", shown.said.says.as_deref());
    object.number("pending", shown.pending);
    object.number("lagSeconds", shown.lag_seconds);
    object.number("deadLetters", shown.letters);
    if let Some(secret) = secret {
        object.text("secret", secret.reveal());
    }
}

/// The fields of the destination, in the same order.
pub(crate) const FIELDS: Fields = &[
    ("name", Field::Text),
    ("kind", Field::Text),
    ("url", Field::Text),
    ("types", Field::Texts),
    ("events", Field::Texts),
    ("accounts", Field::Texts),
    ("messagesPerSecond", Field::Count),
    ("timeoutSeconds", Field::Count),
    ("paused", Field::Boolean),
    ("origin", Field::Text),
    ("createdAt", Field::Instant),
    ("state", Field::Text),
    ("reason", Field::TextOrNull),
    ("pending", Field::Count),
    ("lagSeconds", Field::Count),
    ("deadLetters", Field::Count),
];
