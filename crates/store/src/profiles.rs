//! Reading what is true now.

use std::sync::Arc;

use muster_model::{
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::{Profile, Span},
    time::Micros,
};

use crate::{Answer, error::ReadError};

/// What a list is ordered by; newest first, ties by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListOrder {
    /// When the record was last heard of. A record that changes during a pass moves to the front.
    UpdatedAt,
    /// When the record was first heard of. A pass sees each record that existed at its start exactly once.
    CreatedAt,
}

/// A place in a list: after the record with this time and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListCursor {
    pub at: Micros,
    pub id: RecordId,
}

/// A condition on records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The trait has a value (`true`) or has none (`false`).
    TraitPresent { key: String, present: bool },
}

impl Condition {
    /// Whether a profile meets the condition.
    #[must_use]
    pub fn holds(&self, profile: &Profile) -> bool {
        match self {
            Condition::TraitPresent { key, present } => profile.traits.get(key).is_some() == *present,
        }
    }
}

/// Which records to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    pub kind: RecordKind,
    pub order: ListOrder,
    pub from: Option<ListCursor>,
    /// Records on the page, at least 1.
    pub limit: usize,
    pub conditions: Vec<Condition>,
}

/// A page of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage {
    pub profiles: Vec<Arc<Profile>>,
    /// Where the next page starts; `None` at the end. A page may be short, even empty, and still have a next one when
    /// few records meet the conditions.
    pub next: Option<ListCursor>,
}

/// What is true now, as of the moment a call starts or later.
pub trait Profiles: Send + Sync {
    /// One record.
    fn profile(
        &self,
        workspace: WorkspaceId,
        kind: RecordKind,
        id: RecordId,
    ) -> Answer<'_, Option<Arc<Profile>>, ReadError>;

    /// A page of records.
    fn list(&self, workspace: WorkspaceId, query: ListQuery) -> Answer<'_, ListPage, ReadError>;

    /// The records of kind `children` that ever named this record as their parent, sorted by id. Whether they still
    /// belong to it is in their profiles.
    fn children(
        &self,
        workspace: WorkspaceId,
        parent: (RecordKind, RecordId),
        children: RecordKind,
    ) -> Answer<'_, Vec<RecordId>, ReadError>;

    /// First and last track attributed to an account, exact also where [`muster_model::profile::Account::seen`] is
    /// stale.
    fn account_seen(&self, workspace: WorkspaceId, account: RecordId) -> Answer<'_, Span, ReadError>;
}
