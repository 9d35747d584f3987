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

    /// First and last track of an account or a user, exact also where [`muster_model::profile::Account::seen`] or
    /// [`muster_model::profile::User::seen`] is stale.
    fn seen(&self, workspace: WorkspaceId, subject: (RecordKind, RecordId)) -> Answer<'_, Span, ReadError>;

    /// Every tie ever stated between an anonymous id and a user, in any order.
    fn ties(&self, workspace: WorkspaceId, anonymous: RecordId) -> Answer<'_, Vec<Statement>, ReadError>;
}
