//! Reading what is true now.

use std::{cmp::Reverse, sync::Arc};

use muster_model::{
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::{Profile, Span},
};

use super::MemoryStore;
use crate::{
    Answer,
    error::ReadError,
    profiles::{ListCursor, ListOrder, ListPage, ListQuery, Profiles},
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
            let wanted = |profile: &&Arc<Profile>| {
                profile.kind() == query.kind && query.conditions.iter().all(|condition| condition.holds(profile))
            };
            let mut found: Vec<(ListCursor, &Arc<Profile>)> =
                folded.profiles.values().filter(wanted).map(|profile| (place(profile, query.order), profile)).collect();
            found.sort_by_key(|(cursor, _)| newest_first(*cursor));
            found.retain(|(cursor, _)| query.from.is_none_or(|from| newest_first(*cursor) > newest_first(from)));
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

fn place(profile: &Profile, order: ListOrder) -> ListCursor {
    let at = match order {
        ListOrder::UpdatedAt => profile.updated_at,
        ListOrder::CreatedAt => profile.created_at,
    };
    ListCursor { at, id: profile.id }
}

fn newest_first(cursor: ListCursor) -> (Reverse<muster_model::time::Micros>, RecordId) {
    (Reverse(cursor.at), cursor.id)
}
