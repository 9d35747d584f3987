//! Reading what is true now.

use std::sync::Arc;

use muster_model::{
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::{Profile, Span},
};

use super::MemoryStore;
use crate::{
    Answer,
    error::ReadError,
    lists::{belongs, kept_seen},
    profiles::{ListCursor, ListPage, ListQuery, Profiles},
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
        parent: (RecordKind, RecordId),
        children: RecordKind,
    ) -> Answer<'_, Vec<RecordId>, ReadError> {
        Box::pin(async move {
            let folded = self.folded(workspace);
            let all = folded.children.get(&parent).into_iter().flatten();
            Ok(all.filter(|(kind, _)| *kind == children).map(|(_, id)| *id).collect())
        })
    }

    fn account_seen(&self, workspace: WorkspaceId, account: RecordId) -> Answer<'_, Span, ReadError> {
        Box::pin(async move {
            let folded = self.folded(workspace);
            let profile = folded.profiles.get(&(RecordKind::Account, account));
            Ok(profile.and_then(|profile| profile.as_account()).map(|account| account.seen).unwrap_or_default())
        })
    }
}
