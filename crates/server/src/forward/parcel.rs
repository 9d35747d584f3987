//! A message on its way, and those that need not go.

use muster_model::{id::Identity, time::Micros};
use muster_store::{
    follow::{Letter, LetterId, PageLimit},
    record,
};

use super::{
    destination::{Destination, DestinationKind},
    form,
};

/// A message in its receiver's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parcel {
    /// Which message of the page it is.
    pub place: usize,
    pub identity: Identity,
    pub body: Vec<u8>,
    /// The letter it was, if it is handed out again.
    pub letter: Option<LetterId>,
}

/// What becomes of a message before it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Packed {
    Goes(Parcel),
    /// The destination's filters do not want it.
    Filtered,
    /// The receiver's form has no words for it.
    Wordless,
    /// Its bytes are no message.
    Unreadable,
}

/// Packs a message, and says when it was received.
pub(super) fn pack(
    destination: &Destination,
    organization_trait: &str,
    record: &[u8],
    place: usize,
) -> (Packed, Option<Micros>) {
    let Ok(message) = record::decode(record) else { return (Packed::Unreadable, None) };
    let received_at = Some(message.received_at);
    if !destination.takes(&message) {
        return (Packed::Filtered, received_at);
    }
    let packed = match form::write(destination.kind, &message, organization_trait) {
        Some(body) => Packed::Goes(Parcel { place, identity: message.identity, body, letter: None }),
        None => Packed::Wordless,
    };
    (packed, received_at)
}

/// What one request to a receiver holds at the most; a message that is larger goes alone.
pub(super) fn request_limit(kind: DestinationKind) -> PageLimit {
    match kind {
        DestinationKind::Vitally => PageLimit { messages: 100, bytes: 2 << 20 },
        DestinationKind::Segment => PageLimit { messages: 100, bytes: 400 << 10 },
        DestinationKind::Webhook => PageLimit { messages: 1, bytes: 0 },
    }
}

/// Packs a letter that is to go again, whatever the filters are by now.
pub(super) fn pack_letter(
    destination: &Destination,
    organization_trait: &str,
    letter: &Letter,
    place: usize,
) -> Option<Parcel> {
    let message = record::decode(&letter.record).ok()?;
    let body = form::write(destination.kind, &message, organization_trait)?;
    Some(Parcel { place, identity: message.identity, body, letter: Some(letter.id) })
}
