//! Records, one and in lists; what belongs to them.

use std::sync::Arc;

use muster_model::{
    association::Statement,
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::{Profile, Span},
};
use muster_store::{
    Answer,
    error::ReadError,
    profiles::{ListPage, ListQuery, Profiles},
};

use crate::{
    engine::{Embedded, Reader},
    keys::ProfileKey,
    overlay::HiddenChildren,
    views::{Below, children_below},
};

impl Profiles for Embedded {
    fn profile(
        &self,
        workspace: WorkspaceId,
        kind: RecordKind,
        id: RecordId,
    ) -> Answer<'_, Option<Arc<Profile>>, ReadError> {
        self.blocking(move |reader| reader.views.profile(&ProfileKey::new(workspace, kind, id)))
    }

    fn list(&self, workspace: WorkspaceId, query: ListQuery) -> Answer<'_, ListPage, ReadError> {
        self.blocking(move |reader| reader.list(workspace, &query))
    }

    fn children(
        &self,
        workspace: WorkspaceId,
        parent: (RecordKind, RecordId),
        children: RecordKind,
    ) -> Answer<'_, Vec<RecordId>, ReadError> {
        self.blocking(move |reader| reader.children(&ProfileKey::new(workspace, parent.0, parent.1), children))
    }

    fn seen(&self, workspace: WorkspaceId, subject: (RecordKind, RecordId)) -> Answer<'_, Span, ReadError> {
        self.blocking(move |reader| reader.seen(workspace, subject))
    }

    fn ties(&self, workspace: WorkspaceId, anonymous: RecordId) -> Answer<'_, Vec<Statement>, ReadError> {
        self.blocking(move |reader| reader.views.statements((workspace, RecordKind::User, anonymous)))
    }
}

impl Reader {
    pub fn children(&self, parent: &ProfileKey, kind: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        let (mut children, hidden, below): (Vec<RecordId>, HiddenChildren, Below) = {
            let current = self.views.look();
            let live = &current.live;
            (live.children_of(parent, kind), live.hidden_children(parent), self.views.below(&current))
        };
        let (frozen, state) = (below.frozen.as_deref(), &self.views.state);
        children_below(&hidden, frozen, &below.snapshot, state, parent, kind, &mut children)?;
        children.sort_unstable();
        children.dedup();
        Ok(children)
    }
}
