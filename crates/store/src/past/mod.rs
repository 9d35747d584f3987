//! Reading what was said, and what was true.

/// A record as it was, from the messages that tell of it.
pub mod fold;

use std::sync::Arc;

use muster_model::{
    id::{Identity, RecordId, WorkspaceId},
    kind::{Kind, RecordKind},
    message::Message,
    profile::Profile,
    time::Micros,
};

use crate::{Answer, error::ReadError, history::EventCursor};

/// Which statements about a trait to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraitQuery {
    /// The user, account or organization described.
    pub subject: (RecordKind, RecordId),
    pub key: String,
    /// A place in the order of statements: after the one with this instant and identity.
    pub from: Option<EventCursor>,
    /// Statements on the page, at least 1.
    pub limit: usize,
}

/// One statement about a trait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraitStatement {
    pub identity: Identity,
    /// As sent.
    pub timestamp: Micros,
    /// Its place in the order of statements: the timestamp, but no later than a little after the receipt.
    pub ordered_at: Micros,
    pub received_at: Micros,
    pub message_id: Option<String>,
    /// JSON text as sent; `None` when it removed the key.
    pub value: Option<String>,
}

impl TraitStatement {
    /// What a message says of a trait of the record that it describes, if it describes that one and says anything of it.
    #[must_use]
    pub fn of(message: &Message<'_>, subject: (RecordKind, RecordId), key: &str) -> Option<TraitStatement> {
        let describes = matches!(message.kind, Kind::Organization | Kind::Account | Kind::User);
        if !describes || message.tells_of() != Some(subject) {
            return None;
        }
        let stated = message.traits.iter().find(|stated| stated.key == key)?;
        Some(TraitStatement {
            identity: message.identity,
            timestamp: message.timestamp,
            ordered_at: message.ordered_at(),
            received_at: message.received_at,
            message_id: message.message_id.as_deref().map(str::to_owned),
            value: (stated.value != "null").then(|| stated.value.to_owned()),
        })
    }

    /// Its place in the order of statements.
    #[must_use]
    pub fn place(&self) -> EventCursor {
        EventCursor { timestamp: self.ordered_at, identity: self.identity }
    }
}

/// A page of statements about a trait, the one that stands first, ties by identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraitPage {
    pub statements: Vec<TraitStatement>,
    /// Where the next page starts; `None` at the end. A page may be short, even empty, and still have a next one.
    pub next: Option<EventCursor>,
}

/// What was said, and what was true.
pub trait Past: Send + Sync {
    /// A page of the statements about one trait of a user, an account or an organization. Of whoever was never
    /// described there are none.
    fn trait_history(&self, workspace: WorkspaceId, query: TraitQuery) -> Answer<'_, TraitPage, ReadError>;

    /// A user, an account or an organization as the messages with timestamps up to an instant give it, all received so
    /// far. `None` when none of them names it.
    ///
    /// Traits, whether it was described, links with the statements that made them and an account's organization are as
    /// of then, and so are a user's first and last track. `created_at` is what it is now; `updated_at` is the latest
    /// time of receipt of the messages that describe or link it, or `created_at` if there is none. What other records'
    /// messages would have to tell is left empty: counts, an account's tracks, answers to surveys.
    ///
    /// # Errors
    ///
    /// [`ReadError::TooLarge`] when very many messages describe the record.
    fn as_of(
        &self,
        workspace: WorkspaceId,
        subject: (RecordKind, RecordId),
        at: Micros,
    ) -> Answer<'_, Option<Arc<Profile>>, ReadError>;
}
