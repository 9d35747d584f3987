//! A message that passed every check, borrowed from wherever its text lives.
//!
//! There is no way to make one but [`crate::kinds::check`] and, for stores that kept one before, the plain
//! constructor of all its parts; what takes a [`Message`] need not check again.

use std::borrow::Cow;

use crate::{
    id::{Identity, RecordId},
    kind::Kind,
    register::Stamp,
    time::Micros,
};

/// A record that a message names: the sender's own id and the record's id derived from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    pub id: RecordId,
    pub external_id: Cow<'a, str>,
}

/// One customer's trait as sent: its key decoded, its value as JSON text. `null` states that the key has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trait<'a> {
    pub key: Cow<'a, str>,
    pub value: &'a str,
}

/// A checked message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub kind: Kind,
    /// What makes this the same message as another.
    pub identity: Identity,
    /// Digest of the content; differs between two messages of one identity when they conflict.
    pub content: u64,
    /// When it happened, as sent; the time of receipt when the sender gave none.
    pub timestamp: Micros,
    /// Whether the sender gave a timestamp.
    pub timestamp_given: bool,
    /// When it was received.
    pub received_at: Micros,
    pub organization: Option<Named<'a>>,
    pub account: Option<Named<'a>>,
    pub user: Option<Named<'a>>,
    /// The custom object instance, with the id of the custom object it belongs to.
    pub instance: Option<(Named<'a>, Cow<'a, str>)>,
    pub message_id: Option<Cow<'a, str>>,
    /// The event's name, or a custom object instance's.
    pub name: Option<Cow<'a, str>>,
    /// `traits` or `properties` as sent: a JSON object, or empty when not given.
    pub data: &'a str,
    /// The members of `traits`, sorted by key, each key once. Empty for tracks.
    pub traits: Vec<Trait<'a>>,
    /// A JSON object of the members that the fields above do not render exactly as sent, or empty.
    pub rest: Cow<'a, str>,
}

impl Message<'_> {
    /// The instant at which this message takes its place among others: its own, but no later than a little after its
    /// receipt, so that a wrong clock cannot pin a value for ever.
    #[must_use]
    pub fn ordered_at(&self) -> Micros {
        self.timestamp.min(self.received_at.plus_micros(crate::limits::FUTURE_MICROS_MAX))
    }

    /// The place of this message's statements in the order of all statements.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        Stamp { at: self.ordered_at(), by: self.identity }
    }
}
