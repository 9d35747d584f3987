//! Imports: begun, under way, complete, taken back.
//!
//! What happens to an import goes through the journal beside the messages that it brings, in the same batch, so that the
//! count and the place of an import never say anything else than what is stored. Whoever imports tells from where to where
//! each part of its sources reaches; a part that is told twice is counted once. An import that was cut short goes on from
//! the place up to which everything was acknowledged.
//!
//! An import can be taken back: what it brought, and nobody else, leaves everything that is read, as if it had never come, and may
//! come again. From when that is asked for nothing more is taken of it; it goes on in the background, where reads show less
//! and less of it, and once it is [`crate::import::Stage::Undone`] nothing is left.

/// What a journal is told of an import.
pub mod note;

/// How far an import has come.
pub mod progress;

/// Whose a stored message is.
pub mod owners;

use muster_model::id::{ImportId, WorkspaceId};

use crate::{Answer, error::ReadError};
pub use note::{Note, Part, Source};
pub use owners::{Owned, Owners, TakenBack};
pub use progress::{Counts, Import, Stage};

/// Imports that a workspace keeps. One of which nothing is left is forgotten when another is begun beyond that.
pub const IMPORTS_MAX: usize = 1_000;

/// Reading imports. They are begun and go on through the journal, like everything else.
pub trait Imports: Send + Sync {
    /// All imports of a workspace, newest first; at most [`IMPORTS_MAX`].
    fn imports(&self, workspace: WorkspaceId) -> Answer<'_, Vec<Import>, ReadError>;

    /// One import, if it is known.
    fn import(&self, workspace: WorkspaceId, id: ImportId) -> Answer<'_, Option<Import>, ReadError>;
}
