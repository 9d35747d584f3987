//! Deletions: asked for, carried out, proven.
//!
//! A deletion is decided once and written down: which records it covers, and its instant. What it hides follows from
//! that ([`muster_model::deletion`]); nothing is decided again later. When [`crate::journal::Journal::append`] has
//! answered, no read shows anything of what it covers, and messages about the time before it are not stored any more.
//! The bytes on disk follow in the background; then the receipt is sealed into the workspace's chain.

/// What a journal is asked: to delete, to schedule, to cancel.
pub mod decree;

/// What became of a deletion, and how it goes on.
pub mod progress;

/// The receipt as text, and the chain that the receipts of a workspace form.
pub mod receipt;

/// What was deleted, and when.
pub mod instants;

/// Which records the deletion of one record covers.
pub mod cover;

/// What a store is to change, as plain data.
pub mod changes;

/// Records as they would be with the changes that are worked out so far.
mod revised;

/// What must change for a deletion.
pub mod wipe;

/// What a deletion changes about anonymous ids.
mod untie;

/// What removed messages said of records that stay.
pub mod concerned;

/// Correcting records that stay, from the messages that are left.
pub mod correction;

/// From which parents anonymous ids are found once messages that said so are gone.
mod tied;

/// Records that a message taken back named, made anew from what is left.
pub mod renewal;

/// Whether a message set aside names a deleted record.
pub mod mention;

use muster_model::{deletion::DeletionId, id::WorkspaceId};

use crate::{Answer, error::ReadError};
pub use changes::{Changed, Changes};
pub use concerned::Concerned;
pub use correction::Correction;
pub use cover::{CoverError, Covered, cover};
pub use decree::{Decree, Delete};
pub use instants::{Instants, Veil};
pub use mention::{mentions, names};
pub use progress::{Deletion, Erasure, Removed, Seal, Stage};
pub use wipe::Wipe;

/// A page of deletions, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletionPage {
    pub deletions: Vec<Deletion>,
    /// Where the next page starts: after this one; `None` at the end.
    pub next: Option<DeletionId>,
}

/// Reading deletions. They are made, scheduled and cancelled through the journal, like everything else.
pub trait Deletions: Send + Sync {
    /// At most `limit` deletions older than `from`, newest first.
    fn deletions(
        &self,
        workspace: WorkspaceId,
        from: Option<DeletionId>,
        limit: usize,
    ) -> Answer<'_, DeletionPage, ReadError>;

    /// One deletion, if it was ever asked for.
    fn deletion(&self, workspace: WorkspaceId, id: DeletionId) -> Answer<'_, Option<Deletion>, ReadError>;

    /// Every deletion that waits for its day, in all workspaces.
    fn scheduled(&self) -> Answer<'_, Vec<(WorkspaceId, Deletion)>, ReadError>;
}
