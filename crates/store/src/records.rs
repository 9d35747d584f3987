//! The records of one workspace as they are at one instant: what deletions, corrections and attribution ask of a store.
//!
//! What a deletion changes, what is corrected after it and where an event belongs is worked out here, once for all stores. A
//! store answers these questions, and makes the changes. A store behind a connection answers from within, so none
//! of them needs it for itself alone. Changes nothing.

use std::sync::Arc;

use muster_model::{association::Statement, deletion::Subject, id::RecordId, kind::RecordKind, profile::Profile};

use crate::error::ReadError;

/// The records of one workspace as they are at one instant.
pub trait Records {
    /// A record; nothing if there is none, or none any more.
    fn profile(&self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Profile>>, ReadError>;

    /// Every record of a kind that ever named one as its parent, in any order, each once.
    fn children(&self, parent: Subject, kind: RecordKind) -> Result<Vec<RecordId>, ReadError>;

    /// Everyone of a kind who ever named one of these as a parent, in any order, some perhaps several times. A store
    /// that can tell of all at once does.
    fn children_of(&self, parents: &[Subject], kind: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        let mut found = Vec::new();
        for parent in parents {
            found.extend(self.children(*parent, kind)?);
        }
        Ok(found)
    }

    /// Every statement about a user and parents of one kind, in any order; with users for parents, about an anonymous id.
    fn statements(&self, about: RecordId, parents: RecordKind) -> Result<Vec<Statement>, ReadError>;
}

impl<R: Records + ?Sized> Records for &R {
    fn profile(&self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Profile>>, ReadError> {
        (**self).profile(kind, id)
    }

    fn children(&self, parent: Subject, kind: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        (**self).children(parent, kind)
    }

    fn children_of(&self, parents: &[Subject], kind: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        (**self).children_of(parents, kind)
    }

    fn statements(&self, about: RecordId, parents: RecordKind) -> Result<Vec<Statement>, ReadError> {
        (**self).statements(about, parents)
    }
}

/// The record that statements about an id and parents of one kind are about.
#[must_use]
pub fn told_of(about: RecordId, parents: RecordKind) -> Subject {
    let kind = if parents == RecordKind::User { RecordKind::Anonymous } else { RecordKind::User };
    (kind, about)
}

/// The kinds of parents that statements about records of a kind name.
#[must_use]
pub fn parents_of(kind: RecordKind) -> &'static [RecordKind] {
    match kind {
        RecordKind::User => &[RecordKind::Account, RecordKind::Organization],
        RecordKind::Anonymous => &[RecordKind::User],
        _ => &[],
    }
}
