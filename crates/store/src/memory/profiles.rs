//! Reading what is true now.

use std::sync::Arc;

use muster_model::{
    association::Statement,
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::{Profile, Span},
};

use super::{
    MemoryStore,
    accepted::Accepted,
    statements::{Said, tie},
};
use crate::{
    Answer,
    error::ReadError,
    lists::{belongs, kept_seen},
    profiles::{Children, ListCursor, ListPage, ListQuery, Profiles},
};

impl Profiles for MemoryStore {
    fn profile(
        &self,
        workspace: WorkspaceId,
        kind: RecordKind,
        id: RecordId,
    ) -> Answer<'_, Option<Arc<Profile>>, ReadError> {
        Box::pin(async move { Ok(self.folded(workspace).profiles.get(&(kind, id)).cloned()) })
    }

    fn profiles(
        &self,
        workspace: WorkspaceId,
        records: Vec<(RecordKind, RecordId)>,
    ) -> Answer<'_, Vec<Option<Arc<Profile>>>, ReadError> {
        Box::pin(async move {
            let folded = self.folded(workspace);
            Ok(records.iter().map(|record| folded.profiles.get(record).cloned()).collect())
        })
    }

    fn list(&self, workspace: WorkspaceId, query: ListQuery) -> Answer<'_, ListPage, ReadError> {
        Box::pin(async move {
            let folded = self.folded(workspace);
            let look = &mut |kind, id| Ok::<_, ReadError>(folded.profiles.get(&(kind, id)).cloned());
            let mut found: Vec<(ListCursor, &Arc<Profile>)> = Vec::new();
            for profile in folded.profiles.values().filter(|profile| profile.kind() == query.kind) {
                let (seen, _) = kept_seen(profile);
                let within = query.within.map_or(Ok(true), |parent| belongs(profile, parent, look))?;
                if within && query.conditions.iter().all(|condition| condition.holds(profile, seen)) {
                    found.push((query.order.place(profile, seen), profile));
                }
            }
            found.sort_by(|(one, _), (other, _)| one.order(other, query.ascending));
            found.retain(|(at, _)| query.from.is_none_or(|from| at.order(&from, query.ascending).is_gt()));
            let limit = query.limit.max(1);
            let next = (found.len() > limit).then(|| found[limit - 1].0);
            let profiles = found.into_iter().take(limit).map(|(_, profile)| Arc::clone(profile)).collect();
            Ok(ListPage { profiles, next })
        })
    }

    fn children(
        &self,
        workspace: WorkspaceId,
        children: Children,
        limit: usize,
    ) -> Answer<'_, Vec<RecordId>, ReadError> {
        Box::pin(async move {
            let folded = self.folded(workspace);
            let all = folded.children.get(&children.parent).into_iter().flatten();
            Ok(all.filter(|child| children.takes(**child)).map(|(_, id)| *id).take(limit).collect())
        })
    }

    fn seen(&self, workspace: WorkspaceId, subject: (RecordKind, RecordId)) -> Answer<'_, Span, ReadError> {
        Box::pin(async move {
            let folded = self.folded(workspace);
            Ok(folded.profiles.get(&subject).map(|profile| kept_seen(profile).0).unwrap_or_default())
        })
    }

    fn ties(&self, workspace: WorkspaceId, anonymous: RecordId) -> Answer<'_, Vec<Statement>, ReadError> {
        let ties = move |accepted: &mut Accepted| {
            let messages = accepted.messages();
            let about = messages.iter().filter_map(tie).filter(|(about, _)| *about == anonymous);
            let tie =
                |(_, said): (RecordId, Said)| Statement { stamp: said.stamp, parent: said.parent.id, links: true };
            about.map(tie).collect()
        };
        Box::pin(async move { Ok(self.accepted(workspace, ties).unwrap_or_default()) })
    }
}
