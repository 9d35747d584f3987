//! Everything that a store keeps, piece by piece, for another store to take over.
//!
//! Whoever hands it out does so as of one moment at which nothing is being deleted or taken back, in this order: workspaces, keys,
//! members and saved views; then of one workspace after the other its followers with their letters, what they have not had, and
//! everything else in any order. What follows from all that, such as places in lists and counts by day, every store works out for itself.

use muster_model::{
    association::Statement,
    deletion::Subject,
    id::{Identity, RecordId, WorkspaceId},
    kind::RecordKind,
    profile::Profile,
    time::Micros,
};

use crate::{
    catalogue::{KnownTrait, Model},
    credentials::{Key, TokenHash, Workspace},
    deletion::Deletion,
    follow::{Follower, FollowerId, Letter},
    import::{Import, Owned},
    refused::Refused,
    saved::Saved,
    team::Member,
};

/// A message's place in the order of receipt: when, and among equals its identity.
pub type Received = (Micros, Identity);

/// Where a follower stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it has still to read from the history: everything received after the first and up to the second, if that is known.
    pub past: Option<(Received, Option<Micros>)>,
    /// How many of the workspace's [`Piece::Pending`] it has had.
    pub had: u64,
}

/// What was ever said about a record and parents of a kind.
pub type About = (RecordKind, RecordId);

/// A piece of what a store keeps.
#[derive(Clone, Debug)]
pub enum Piece {
    Workspace(Workspace),
    Key(Key, TokenHash),
    Member(WorkspaceId, Member),
    Saved(WorkspaceId, Saved),
    /// The last number that was given to a saved view of the workspace.
    LastSaved(WorkspaceId, u64),
    Follower(Follower, Place),
    Letter(WorkspaceId, FollowerId, Letter),
    /// A message in its byte form that some follower has not had, in the order in which followers get them. It is among the
    /// [`Piece::Message`]s as well, unless it was deleted since.
    Pending(WorkspaceId, Vec<u8>),
    Deletion(WorkspaceId, Deletion),
    Import(WorkspaceId, Import),
    /// A record. Its first and last track are certain.
    Profile(WorkspaceId, Profile),
    /// Who ever named whom as a parent: parent and child.
    Child(WorkspaceId, Subject, Subject),
    Statement(WorkspaceId, About, Statement),
    Stated(WorkspaceId, Model, KnownTrait),
    /// What the duplicate check remembers of a message.
    Identity(WorkspaceId, Owned),
    Refused(WorkspaceId, Refused<'static>),
    /// A message of the history in its byte form, perhaps without the digest of its content.
    Message(WorkspaceId, Vec<u8>),
}

/// Why a store could not be taken over.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// Something is under way that has to end first; try again later.
    #[error("{0}")]
    Busy(String),
    /// Where it was to go there is something already.
    #[error("{0}")]
    Taken(String),
    #[error("what is kept could not be read: {0}")]
    Source(String),
    #[error("what was read could not be kept: {0}")]
    Target(String),
}

/// How much was handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handed {
    pub workspaces: u64,
    pub records: u64,
    pub messages: u64,
}

impl Handed {
    /// Counts a piece.
    pub fn count(&mut self, piece: &Piece) {
        match piece {
            Piece::Workspace(_) => self.workspaces += 1,
            Piece::Profile(..) => self.records += 1,
            Piece::Message(..) => self.messages += 1,
            _ => {}
        }
    }
}

/// Whoever takes pieces over.
pub type Take<'t> = dyn FnMut(Piece) -> Result<(), TransferError> + 't;
