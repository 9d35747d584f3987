//! How a message is written for a receiver.
//!
//! Every form keeps the original `messageId`, or makes one that is the same every time, so that a receiver can tell what
//! it had before. A message that a form has no words for is passed over and counted.

/// The form of Vitally's Analytics API.
mod vitally;

/// The form of the Segment spec.
mod segment;

/// The form of a webhook, and its signature.
pub(super) mod webhook;

use muster_model::message::Message;

use super::destination::DestinationKind;

/// A message in the form of a receiver; `None` when that has no words for it.
pub(super) fn write(kind: DestinationKind, message: &Message<'_>, organization_trait: &str) -> Option<Vec<u8>> {
    match kind {
        DestinationKind::Vitally => vitally::write(message),
        DestinationKind::Segment => segment::write(message, organization_trait),
        DestinationKind::Webhook => Some(webhook::write(message)),
    }
}

/// The raw value of a member of a message that the usual fields do not show, if it has one.
fn in_rest<'m>(message: &'m Message<'_>, name: &str) -> Option<&'m str> {
    let mut found = None;
    if !message.rest.is_empty() {
        muster_model::json::Walk::new(&message.rest, 0).members(0, |_, member| {
            if member.raw_key == name {
                found = Some(member.value);
            }
        });
    }
    found
}
