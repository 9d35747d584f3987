//! Messages as their senders write them.

use muster_model::{
    draft::{CALL_TYPE, Draft},
    id::{IdSpace, Identity},
    kind::Kind,
    kinds::{Context, check, check_typed},
    limits::MessageLimits,
    message::Message,
    rejection::Rejection,
    time::Micros,
};

use crate::{
    batch::BatchBuilder,
    refused::{Refused, RefusedId, Way},
};

/// The key that messages set aside here came by.
pub const KEY_ID: u64 = 7;

/// A message of a batch, and when it was received.
#[derive(Clone, PartialEq, Eq)]
pub struct Sent {
    pub text: String,
    pub received_at: Micros,
}

/// What makes two messages sent the same one to a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sameness {
    Message(Identity),
    Refused(RefusedId),
}

impl Sent {
    /// A message received at an instant.
    #[must_use]
    pub fn new(text: impl Into<String>, received_at: Micros) -> Self {
        Sent { text: text.into(), received_at }
    }

    /// The message, or why it is set aside.
    pub fn check(&self, ids: IdSpace) -> Result<Message<'_>, Rejection> {
        let limits = MessageLimits::default();
        let context = Context { ids, received_at: self.received_at, limits };
        let mut draft = Draft::from_text(&self.text, limits.message_depth_max);
        // What was a call of another form says so once it was taken.
        draft.taken_before = draft.unknown.iter().any(|(key, _)| *key == CALL_TYPE);
        let states = |kind: &Kind| draft.kind.is_some_and(|text| text.trim_matches('"') == kind.as_str());
        // What only comes from writing a record states no type of its own on its way.
        match Kind::ALL.into_iter().filter(|kind| !Kind::SENT.contains(kind)).find(states) {
            Some(kind) => check(kind, &draft, &context),
            None => check_typed(&draft, &context),
        }
    }

    /// Adds it to a batch: as a message, or set aside when it breaks a rule.
    pub fn add_to(&self, batch: &mut BatchBuilder, ids: IdSpace) {
        match self.check(ids) {
            Ok(message) => batch.message(&message),
            Err(rejection) => {
                batch.refused(&Refused::new(&rejection, Way::Batch, KEY_ID, self.received_at, self.text.as_bytes()));
            }
        }
    }

    /// What a store tells it from others by.
    #[must_use]
    pub fn sameness(&self, ids: IdSpace) -> Sameness {
        match self.check(ids) {
            Ok(message) => Sameness::Message(message.identity),
            Err(_) => Sameness::Refused(RefusedId::of_body(Way::Batch, self.text.as_bytes())),
        }
    }
}

impl std::fmt::Debug for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} received {}", self.text, self.received_at.to_micros_text())
    }
}
