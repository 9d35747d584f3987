//! What a store is to change for a deletion or a correction, as plain data.
//!
//! It was worked out from records as they were; a store makes all of it at once, or none. Never reads anything.

use std::sync::Arc;

use muster_model::{association::Statement, deletion::Subject, id::RecordId, kind::RecordKind, profile::Profile};

use super::progress::Removed;

/// What is to be changed, to be made in the order of the parts: what is said stands although it was taken back before.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Records that go, with everything said about them, and everyone who is found from them is no more.
    pub gone: Vec<Subject>,
    /// Records that stay, and are others by now. None of those that go.
    pub changed: Vec<(Subject, Changed)>,
    /// Parents, and the child that is found from each no more.
    pub unrelated: Vec<(Subject, Subject)>,
    /// Users, each with the parent about which everything is taken back that was said of the two; or anonymous ids, with users
    /// for parents.
    pub unsaid: Vec<(RecordId, Subject)>,
    /// What is said of users and parents of a kind, or of anonymous ids and users.
    pub said: Vec<(RecordId, RecordKind, Statement)>,
    /// What goes, counted.
    pub removed: Removed,
    /// Records of which messages may be left that the deletion does not hide: their names.
    pub doubtful: Vec<(Subject, Box<str>)>,
}

/// A record that stays.
#[derive(Clone, Debug)]
pub struct Changed {
    /// As it was.
    pub before: Arc<Profile>,
    /// As it is from now on.
    pub after: Arc<Profile>,
}
