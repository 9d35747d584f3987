//! Reading what is true now.

use std::sync::Arc;

use muster_model::{
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

    /// First and last track attributed to an account, exact also where [`muster_model::profile::Account::seen`] is
    /// stale.
    fn account_seen(&self, workspace: WorkspaceId, account: RecordId) -> Answer<'_, Span, ReadError>;
}
