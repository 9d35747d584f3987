//! Reading what is true now.

use std::sync::Arc;

use muster_model::{
    association::Statement,
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::{Profile, Span},
};

use crate::{Answer, error::ReadError};

pub use crate::lists::{Condition, ListCursor, ListOrder, ListPage, ListQuery};

/// Records of a kind that named one as their parent, in the order of their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Children {
    pub parent: (RecordKind, RecordId),
    pub kind: RecordKind,
    /// Behind which they are read; from the first one on when `None`.
    pub after: Option<RecordId>,
}

impl Children {
    /// All of them.
    #[must_use]
    pub fn of(parent: (RecordKind, RecordId), kind: RecordKind) -> Children {
        Children { parent, kind, after: None }
    }

    /// Those that follow a page of at most `limit`, if there are any.
    #[must_use]
    pub fn behind(self, page: &[RecordId], limit: usize) -> Option<Children> {
        let last = page.last().filter(|_| page.len() >= limit)?;
        Some(Children { after: Some(*last), ..self })
    }

    /// Whether it is one of those that are read.
    #[must_use]
    pub fn takes(&self, (kind, id): (RecordKind, RecordId)) -> bool {
        kind == self.kind && self.after.is_none_or(|after| id > after)
    }
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

    /// Several records, each as of the moment of its own look.
    fn profiles(
        &self,
        workspace: WorkspaceId,
        records: Vec<(RecordKind, RecordId)>,
    ) -> Answer<'_, Vec<Option<Arc<Profile>>>, ReadError>;

    /// A page of records.
    fn list(&self, workspace: WorkspaceId, query: ListQuery) -> Answer<'_, ListPage, ReadError>;

    /// The next records of a kind that ever named a record as their parent; at most `limit`, and fewer only when these are the
    /// last. Whether they still belong to it is in their profiles.
    fn children(
        &self,
        workspace: WorkspaceId,
        children: Children,
        limit: usize,
    ) -> Answer<'_, Vec<RecordId>, ReadError>;

    /// First and last track of an account or a user, exact also where [`muster_model::profile::Account::seen`] or
    /// [`muster_model::profile::User::seen`] is stale.
    fn seen(&self, workspace: WorkspaceId, subject: (RecordKind, RecordId)) -> Answer<'_, Span, ReadError>;

    /// Every tie ever stated between an anonymous id and a user, in any order.
    fn ties(&self, workspace: WorkspaceId, anonymous: RecordId) -> Answer<'_, Vec<Statement>, ReadError>;
}
