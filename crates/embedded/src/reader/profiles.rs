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
    profiles::{Children, ListPage, ListQuery, Profiles},
};

use crate::{
    engine::{Embedded, Reader},
    keys::ProfileKey,
    overlay::HiddenChildren,
    views::{Below, children_below, first_children},
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

    fn profiles(
        &self,
        workspace: WorkspaceId,
        records: Vec<(RecordKind, RecordId)>,
    ) -> Answer<'_, Vec<Option<Arc<Profile>>>, ReadError> {
        let read = move |reader: &Reader| {
            let profile = |(kind, id)| reader.views.profile(&ProfileKey::new(workspace, kind, id));
            records.into_iter().map(profile).collect()
        };
        self.blocking(read)
    }

    fn list(&self, workspace: WorkspaceId, query: ListQuery) -> Answer<'_, ListPage, ReadError> {
        self.blocking(move |reader| reader.list(workspace, &query))
    }

    fn children(
        &self,
        workspace: WorkspaceId,
        children: Children,
        limit: usize,
    ) -> Answer<'_, Vec<RecordId>, ReadError> {
        self.blocking(move |reader| reader.children(workspace, children, limit))
    }

    fn seen(&self, workspace: WorkspaceId, subject: (RecordKind, RecordId)) -> Answer<'_, Span, ReadError> {
        self.blocking(move |reader| reader.seen(workspace, subject))
    }

    fn ties(&self, workspace: WorkspaceId, anonymous: RecordId) -> Answer<'_, Vec<Statement>, ReadError> {
        self.blocking(move |reader| reader.views.statements((workspace, RecordKind::User, anonymous)))
    }
}

impl Reader {
    fn children(&self, workspace: WorkspaceId, children: Children, limit: usize) -> Result<Vec<RecordId>, ReadError> {
        let parent = ProfileKey::new(workspace, children.parent.0, children.parent.1);
        let (mut found, hidden, below): (Vec<RecordId>, HiddenChildren, Below) = {
            let current = self.views.look();
            let live = &current.live;
            (live.children_of(&parent, children.kind), live.hidden_children(&parent), self.views.below(&current))
        };
        found.retain(|id| children.takes((children.kind, *id)));
        let (frozen, state) = (below.frozen.as_deref(), &self.views.state);
        children_below(&hidden, frozen, &below.snapshot, state, (workspace, children, limit), &mut found)?;
        Ok(first_children(found, limit))
    }
}
