//! Reading what happened.

use muster_model::{
    id::{Identity, RecordId, WorkspaceId},
    kind::RecordKind,
    message::Message,
    profile::Parent,
    time::Micros,
};

use crate::{Answer, attribution::Place, error::ReadError};

/// A place in a timeline: just after (that is, older than) the event with this timestamp and identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventCursor {
    pub timestamp: Micros,
    pub identity: Identity,
}

/// Which events to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsQuery {
    /// The user, account or organization whose timeline it is.
    pub subject: (RecordKind, RecordId),
    /// Only events of this name.
    pub event: Option<String>,
    /// Only events at or after this instant.
    pub after: Option<Micros>,
    /// Only events before this instant.
    pub before: Option<Micros>,
    pub from: Option<EventCursor>,
    /// Events on the page, at least 1.
    pub limit: usize,
}

/// One track, attributed as the associations known now say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub identity: Identity,
    pub timestamp: Micros,
    pub received_at: Micros,
    pub name: String,
    pub message_id: Option<String>,
    pub user: Option<Parent>,
    /// The account it belongs to: the one it names, or its user's at that instant.
    pub account: Option<Parent>,
    /// The organization it belongs to: its account's, or the one it names, or its user's at that instant.
    pub organization: Option<Parent>,
    /// A JSON object as sent, or empty.
    pub properties: String,
}

impl Event {
    /// A track that belongs there.
    #[must_use]
    pub fn of(track: &Message<'_>, place: Place) -> Event {
        Event {
            identity: track.identity,
            timestamp: track.timestamp,
            received_at: track.received_at,
            name: track.name.as_deref().unwrap_or_default().to_owned(),
            message_id: track.message_id.as_deref().map(str::to_owned),
            user: place.user,
            account: place.account,
            organization: place.organization,
            properties: track.data.to_owned(),
        }
    }
}

/// A page of a timeline, newest first, ties by identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPage {
    pub events: Vec<Event>,
    /// Where the next page starts; `None` at the end. A page may be short, even empty, and still have a next one when
    /// much had to be looked at for it.
    pub next: Option<EventCursor>,
}

/// What happened, in order.
pub trait History: Send + Sync {
    /// A page of the timeline of a user, an account or an organization. A subject nobody ever named has no events.
    fn events(&self, workspace: WorkspaceId, query: EventsQuery) -> Answer<'_, EventPage, ReadError>;
}
