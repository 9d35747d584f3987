//! Records, one and in lists; what belongs to them.

use std::sync::Arc;

use fjall::Readable;
use muster_model::{
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::{Profile, Span},
    time::Micros,
};
use muster_store::{
    Answer,
    error::ReadError,
    profiles::{ListCursor, ListOrder, ListPage, ListQuery, Profiles},
};

use crate::{
    engine::{Embedded, Reader},
    error::{damaged, state_failed},
    keys::{self, ProfileKey},
    overlay::{HiddenChildren, Overlay},
    slots::Slot,
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

    fn account_seen(&self, workspace: WorkspaceId, account: RecordId) -> Answer<'_, Span, ReadError> {
        self.blocking(move |reader| reader.account_seen(workspace, account))
    }
}

/// Where a record stands in a list, and the record if it is in memory.
type Candidate = (ListCursor, Option<Arc<Profile>>);

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

    fn list(&self, workspace: WorkspaceId, query: &ListQuery) -> Result<ListPage, ReadError> {
        let limit = query.limit.max(1);
        // Newest first means smallest key first, in memory and on disk alike.
        let (mut memory, below) = {
            let current = self.views.look();
            (in_memory(&current.live, current.frozen.as_deref(), workspace, query), self.views.below(&current))
        };
        memory.sort_unstable_by_key(|(cursor, _)| order_key(*cursor));
        let mut memory = memory.into_iter().peekable();
        let mut disk = self.on_disk(&below, workspace, query)?.peekable();
        let mut page = ListPage { profiles: Vec::with_capacity(limit), next: None };
        for _ in 0..self.options.scan_max {
            let memory_first = match (memory.peek(), disk.peek()) {
                (None, None) => return Ok(ListPage { next: None, ..page }),
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (Some((in_memory, _)), Some(on_disk)) => match on_disk {
                    Ok(on_disk) => order_key(*in_memory) <= order_key(*on_disk),
                    Err(_) => false,
                },
            };
            let (cursor, profile) = if memory_first {
                memory.next().ok_or_else(|| damaged("a list"))?
            } else {
                let cursor = disk.next().ok_or_else(|| damaged("a list"))??;
                (cursor, self.listed_on_disk(&below, workspace, query, cursor)?)
            };
            let wanted = |profile: &Arc<Profile>| query.conditions.iter().all(|condition| condition.holds(profile));
            if let Some(profile) = profile.filter(wanted) {
                if page.profiles.len() == limit {
                    return Ok(page);
                }
                page.profiles.push(profile);
            }
            page.next = Some(cursor);
        }
        Ok(page)
    }

    /// Places on disk from the query's cursor on.
    fn on_disk(
        &self,
        below: &Below,
        workspace: WorkspaceId,
        query: &ListQuery,
    ) -> Result<impl Iterator<Item = Result<ListCursor, ReadError>> + use<>, ReadError> {
        let state = &self.views.state;
        let keyspace = match query.order {
            ListOrder::UpdatedAt => &state.by_updated,
            ListOrder::CreatedAt => &state.by_created,
        };
        let prefix = keys::list_prefix(workspace, query.kind);
        let from = match query.from {
            Some(from) => keys::list_key(workspace, query.kind, from).to_vec(),
            None => prefix.to_vec(),
        };
        let after = query.from;
        let entries = below.snapshot.range::<Vec<u8>, _>(keyspace, from..);
        Ok(entries
            .map(|entry| entry.key().map_err(|error| state_failed(&error)))
            .take_while(move |key| key.as_ref().map_or(true, |key| key.starts_with(&prefix)))
            .map(|key| keys::parse_list_key(&key?).ok_or_else(|| damaged("a list's key")))
            .filter(move |cursor| cursor.as_ref().map_or(true, |cursor| Some(*cursor) != after)))
    }

    /// The record at a place on disk, unless memory has it: then its place is the one in memory.
    fn listed_on_disk(
        &self,
        below: &Below,
        workspace: WorkspaceId,
        query: &ListQuery,
        cursor: ListCursor,
    ) -> Result<Option<Arc<Profile>>, ReadError> {
        let key = ProfileKey::new(workspace, query.kind, cursor.id);
        let changed = |overlay: &Overlay| overlay.profiles.contains_key(&key) || overlay.gone.contains_key(&key);
        if below.frozen.as_deref().is_some_and(changed) {
            return Ok(None);
        }
        let live = {
            let current = self.views.look();
            if current.live.gone.contains_key(&key) {
                return Ok(None);
            }
            current.live.profiles.get(&key).map(|slot| Arc::clone(&slot.profile))
        };
        match (live, query.order) {
            // A record's creation never moves, so whatever is known of it now stands where the disk says. It is only
            // left out if it was in memory when this page began, which the list from memory then has.
            (Some(live), ListOrder::CreatedAt) => Ok(Some(live)),
            (Some(_), ListOrder::UpdatedAt) => Ok(None),
            (None, _) => below.profile(&self.views.state, &key),
        }
    }
}

/// Records in memory that stand after the cursor. In the order of creation only those that the disk does not list.
fn in_memory(live: &Overlay, frozen: Option<&Overlay>, workspace: WorkspaceId, query: &ListQuery) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut add = |key: &ProfileKey, slot: &Slot, hidden: bool| {
        if hidden || key.workspace != workspace || key.kind != query.kind {
            return;
        }
        let at: Micros = match query.order {
            ListOrder::UpdatedAt => slot.profile.updated_at,
            ListOrder::CreatedAt => slot.profile.created_at,
        };
        let cursor = ListCursor { at, id: key.id };
        if query.from.is_none_or(|from| order_key(cursor) > order_key(from)) {
            found.push((cursor, Some(Arc::clone(&slot.profile))));
        }
    };
    let by_creation = query.order == ListOrder::CreatedAt;
    for (key, slot) in live.profiles.iter() {
        add(key, slot, by_creation && on_disk(slot, frozen, key));
    }
    for (key, slot) in frozen.iter().flat_map(|frozen| frozen.profiles.iter()) {
        add(key, slot, live.profiles.contains_key(key) || live.gone.contains_key(key));
    }
    found
}

/// Whether the disk lists the record at its place by creation and the frozen overlay does not hide it there.
fn on_disk(slot: &Slot, frozen: Option<&Overlay>, key: &ProfileKey) -> bool {
    slot.below.is_some() && frozen.is_none_or(|frozen| !frozen.profiles.contains_key(key))
}

/// Newest first, then by id.
fn order_key(cursor: ListCursor) -> (std::cmp::Reverse<Micros>, RecordId) {
    (std::cmp::Reverse(cursor.at), cursor.id)
}
