//! A message that passed every check, borrowed from wherever its text lives.
//!
//! There is no way to make one but [`crate::kinds::check`] and, for stores that kept one before, the plain
//! constructor of all its parts; what takes a `Message` need not check again.

use std::borrow::Cow;

use crate::{
    id::{Identity, IdentityParts, RecordId},
    json::Walk,
    kind::{Kind, RecordKind},
    limits::FUTURE_MICROS_MAX,
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
    /// Digest of the content; differs between two messages of one identity when they conflict. See [`same_content`].
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
    /// The custom object, or the one that the instance belongs to.
    pub custom_object: Option<Named<'a>>,
    /// The custom object instance.
    pub instance: Option<Named<'a>>,
    /// The NPS response.
    pub response: Option<Named<'a>>,
    /// Someone anonymous: of a track, or of a user message, without a user, whom it is about; of a user message with one,
    /// whom it says that the user is.
    pub anonymous: Option<Named<'a>>,
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

/// The digest of content that is not known, because the message came from where none is kept.
pub const CONTENT_UNKNOWN: u64 = 0;

/// The digest of content that is known, shortened; of a message that says nothing beyond its ids as well.
#[must_use]
pub fn known_content(digest: u128) -> u64 {
    match digest as u64 {
        CONTENT_UNKNOWN => 1,
        known => known,
    }
}

/// Whether two messages of one identity are the same, by the digests of their contents. What is not known contradicts
/// nothing.
#[must_use]
pub fn same_content(one: u64, other: u64) -> bool {
    one == other || one == CONTENT_UNKNOWN || other == CONTENT_UNKNOWN
}

/// The instant at which a message takes its place among others: its own, but no later than a little after its receipt, so
/// that a wrong clock cannot pin a value for ever.
#[must_use]
pub fn ordered_at(timestamp: Micros, received_at: Micros) -> Micros {
    timestamp.min(received_at.plus_micros(FUTURE_MICROS_MAX))
}

impl Message<'_> {
    /// The instant at which this message takes its place among others.
    #[must_use]
    pub fn ordered_at(&self) -> Micros {
        ordered_at(self.timestamp, self.received_at)
    }

    /// The organization, account or user that this message describes, or whose membership it begins or ends. Tracks tell
    /// of none, and neither do messages about instances, custom objects and NPS responses.
    #[must_use]
    pub fn tells_of(&self) -> Option<(RecordKind, RecordId)> {
        let record = |kind, named: &Option<Named<'_>>| named.as_ref().map(|named| (kind, named.id));
        match self.kind {
            Kind::Organization => record(RecordKind::Organization, &self.organization),
            Kind::Account => record(RecordKind::Account, &self.account),
            Kind::User | Kind::Unlink => record(RecordKind::User, &self.user),
            Kind::Leave if self.instance.is_none() => {
                record(RecordKind::User, &self.user).or_else(|| record(RecordKind::Account, &self.account))
            }
            Kind::Track | Kind::CustomObjectInstance | Kind::CustomObject | Kind::NpsResponse | Kind::Leave => None,
        }
    }

    /// The identity that follows from the kind, the ids and the `messageId` alone, if there is one. A message that was made
    /// from another form has an identity of its own.
    #[must_use]
    pub fn derived_identity(&self) -> Option<Identity> {
        fn text<'m>(named: &'m Option<Named<'_>>) -> Option<&'m str> {
            named.as_ref().map(|named| named.external_id.as_ref())
        }
        let parts = IdentityParts {
            kind: self.kind,
            organization_id: text(&self.organization),
            account_id: text(&self.account),
            user_id: text(&self.user),
            external_id: text(&self.instance).or_else(|| text(&self.response)),
            custom_object_id: text(&self.custom_object),
            message_id: Some(self.message_id.as_deref()?),
            content: 0,
        };
        Some(parts.identity())
    }

    /// The place of this message's statements in the order of all statements.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        Stamp { at: self.ordered_at(), by: self.identity }
    }
}

impl Message<'_> {
    /// The message as JSON, every member with the text its sender gave it. White space and the order of members are
    /// not kept, nor the `type` of a message that came by a path of its own.
    #[must_use]
    pub fn as_sent(&self) -> String {
        let mut members = Members { text: String::with_capacity(self.data.len() + 256), rest: &self.rest };
        members.string("type", Some(self.kind.as_str()));
        let id = |named: &'_ Option<Named<'_>>| named.as_ref().map(|named| named.external_id.clone().into_owned());
        members.string("organizationId", id(&self.organization).as_deref());
        members.string("accountId", id(&self.account).as_deref());
        members.string("userId", id(&self.user).as_deref());
        members.string("externalId", id(&self.instance).or_else(|| id(&self.response)).as_deref());
        members.string("customObjectId", id(&self.custom_object).as_deref());
        members.string("messageId", self.message_id.as_deref());
        members.string("timestamp", self.timestamp_given.then(|| self.timestamp.to_millis_text()).as_deref());
        let track = self.kind == Kind::Track;
        members.string(if track { "event" } else { "name" }, self.name.as_deref());
        if !self.data.is_empty() {
            members.raw(if track { "properties" } else { "traits" }, self.data);
        }
        members.finish()
    }
}

/// Writes the members of an object, leaving out those that the rest has verbatim.
struct Members<'a> {
    text: String,
    rest: &'a str,
}

impl Members<'_> {
    fn string(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            let quoted = serde_json::Value::from(value).to_string();
            self.raw(key, &quoted);
        }
    }

    fn raw(&mut self, key: &str, value: &str) {
        let mut verbatim = false;
        if !self.rest.is_empty() {
            Walk::new(self.rest, 0).members(0, |_, member| verbatim |= member.raw_key == key);
        }
        if !verbatim {
            self.member(key, value);
        }
    }

    fn member(&mut self, raw_key: &str, value: &str) {
        self.text.push(if self.text.is_empty() { '{' } else { ',' });
        self.text.push('"');
        self.text.push_str(raw_key);
        self.text.push_str("\":");
        self.text.push_str(value);
    }

    fn finish(mut self) -> String {
        if !self.rest.is_empty() {
            let rest = self.rest;
            Walk::new(rest, 0).members(0, |_, member| self.member(member.raw_key, member.value));
        }
        self.text.push('}');
        self.text
    }
}
