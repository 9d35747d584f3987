//! Every read of a workspace, as text.
//!
//! Two stores that hold the same messages give the same text. Reads that must agree with each other within one store
//! are checked on the way: pages of any size, one record and its place in a list, filters and the whole, what an
//! account's profile says of its tracks and what its tracks say.

use std::{fmt::Write, sync::Arc};

use muster_model::{
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::{Body, Profile},
    time::Micros,
};

use super::tellings;
use crate::{
    Store,
    history::{Event, EventsQuery},
    profiles::{Condition, ListCursor, ListOrder, ListQuery},
    refused::{Refused, RefusedCursor},
    suite::moments,
};

/// Whether times of receipt are part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// `createdAt` and `updatedAt`, and the order of lists by them.
    Shown,
    /// Records are in the order of their ids, without these two. Everything else is there.
    Hidden,
}

const LARGE: usize = 1_000;
const SMALL: usize = 7;

/// Everything that can be read of a workspace. Panics when a read fails or contradicts another.
pub async fn render<S: Store>(store: &S, workspace: WorkspaceId, times: Times) -> String {
    let reads = Reads { store, workspace };
    let mut out = String::new();
    for kind in RecordKind::ALL {
        let by_creation = reads.list(kind, ListOrder::CreatedAt).await;
        let by_update = reads.list(kind, ListOrder::UpdatedAt).await;
        let order = |profiles: &[Arc<Profile>]| profiles.iter().map(|profile| profile.id).collect::<Vec<RecordId>>();
        let mut profiles = by_creation.clone();
        profiles.sort_by_key(|profile| profile.id);
        let mut again = by_update.clone();
        again.sort_by_key(|profile| profile.id);
        assert_eq!(profiles, again, "both orders list the same records");
        if times == Times::Shown {
            let _ = writeln!(out, "== {}s by creation {:?}", kind.as_str(), order(&by_creation));
            let _ = writeln!(out, "== {}s by update {:?}", kind.as_str(), order(&by_update));
        }
        for profile in &profiles {
            reads.record(profile, times, &mut out).await;
        }
        if kind == RecordKind::Account {
            let accounts: Vec<RecordId> = profiles.iter().map(|profile| profile.id).collect();
            tellings::workspace(store, workspace, &accounts, &mut out).await;
        }
    }
    out.push_str(&moments::render(store, workspace));
    for refused in reads.refused().await {
        let one = reads.store.refused_message(workspace, refused.id).await.expect("a message set aside can be read");
        assert_eq!(one.as_ref(), Some(&refused), "one message set aside is what the list shows");
        let body = String::from_utf8_lossy(&refused.body);
        let _ = writeln!(out, "== refused {} {refused:?} {body}", refused.id);
    }
    out
}

struct Reads<'s, S> {
    store: &'s S,
    workspace: WorkspaceId,
}

impl<S: Store> Reads<'_, S> {
    async fn record(&self, profile: &Arc<Profile>, times: Times, out: &mut String) {
        let (kind, id) = (profile.kind(), profile.id);
        let alone = self.store.profile(self.workspace, kind, id).await.expect("a profile can be read");
        assert_eq!(alone.as_ref(), Some(profile), "one record is what the list shows");
        let _ = writeln!(out, "== {} {} {id}", kind.as_str(), profile.external_id);
        let mut shown = Profile::clone(profile);
        if times == Times::Hidden {
            (shown.created_at, shown.updated_at) = (Micros(0), Micros(0));
        }
        if let Body::Account(account) = &mut shown.body {
            let seen = self.store.account_seen(self.workspace, id).await.expect("first and last track can be read");
            assert!(account.seen_stale || account.seen == seen, "{}: {account:?} but {seen:?}", profile.external_id);
            (account.seen, account.seen_stale) = (seen, false);
        }
        let _ = writeln!(out, "{shown:#?}");
        for child in RecordKind::ALL {
            let children = self.store.children(self.workspace, (kind, id), child).await;
            let children = children.expect("children can be read");
            assert!(children.is_sorted(), "children are sorted by id");
            let _ = writeln!(out, "-- {}s {children:?}", child.as_str());
        }
        let timeline = self.timeline(kind, id).await;
        for event in &timeline {
            let _ = writeln!(out, "-- {event:?}");
        }
        tellings::record(self.store, self.workspace, profile, &timeline, times, out).await;
    }

    /// A list, read in large and in small pages, with and without conditions.
    async fn list(&self, kind: RecordKind, order: ListOrder) -> Vec<Arc<Profile>> {
        let query = |limit, conditions| ListQuery { kind, order, from: None, limit, conditions };
        let whole = self.list_pages(query(LARGE, Vec::new())).await;
        let place = |profile: &Arc<Profile>| {
            let at = if order == ListOrder::CreatedAt { profile.created_at } else { profile.updated_at };
            (std::cmp::Reverse(at), profile.id)
        };
        assert!(whole.is_sorted_by(|one, other| place(one) < place(other)), "a list runs from new to old, ties by id");
        assert_eq!(self.list_pages(query(SMALL, Vec::new())).await, whole, "pages of any size");
        for present in [true, false] {
            let condition = Condition::TraitPresent { key: "plan".to_owned(), present };
            let kept: Vec<Arc<Profile>> = whole.iter().filter(|profile| condition.holds(profile)).cloned().collect();
            assert_eq!(self.list_pages(query(SMALL, vec![condition])).await, kept, "a condition chooses records");
        }
        whole
    }

    async fn list_pages(&self, mut query: ListQuery) -> Vec<Arc<Profile>> {
        let mut found = Vec::new();
        loop {
            let page = self.store.list(self.workspace, query.clone()).await.expect("a list can be read");
            found.extend(page.profiles);
            let next: Option<ListCursor> = page.next;
            assert!(next.is_none() || next != query.from, "a list's cursor moves on");
            if next.is_none() {
                return found;
            }
            query.from = next;
        }
    }

    /// A timeline, read in large and in small pages, with and without filters.
    async fn timeline(&self, kind: RecordKind, id: RecordId) -> Vec<Event> {
        let base =
            EventsQuery { subject: (kind, id), event: None, after: None, before: None, from: None, limit: LARGE };
        let whole = self.event_pages(base.clone()).await;
        let place = |event: &Event| (event.timestamp, event.identity);
        assert!(whole.is_sorted_by(|one, other| place(one) > place(other)), "a timeline runs from new to old");
        let (Some(middle), Some(last)) = (whole.get(whole.len() / 2), whole.last()) else { return whole };
        for query in [
            EventsQuery { limit: SMALL, ..base.clone() },
            EventsQuery { limit: SMALL, event: Some(last.name.clone()), ..base.clone() },
            EventsQuery { after: Some(middle.timestamp), ..base.clone() },
            EventsQuery { before: Some(middle.timestamp), ..base.clone() },
        ] {
            let wanted = |event: &&Event| {
                query.event.as_ref().is_none_or(|name| event.name == *name)
                    && query.after.is_none_or(|after| event.timestamp >= after)
                    && query.before.is_none_or(|before| event.timestamp < before)
            };
            let kept: Vec<Event> = whole.iter().filter(wanted).cloned().collect();
            assert_eq!(self.event_pages(query.clone()).await, kept, "{query:?}");
        }
        whole
    }

    async fn event_pages(&self, mut query: EventsQuery) -> Vec<Event> {
        let mut found = Vec::new();
        loop {
            let page = self.store.events(self.workspace, query.clone()).await.expect("a timeline can be read");
            found.extend(page.events);
            assert!(page.next.is_none() || page.next != query.from, "a timeline's cursor moves on");
            if page.next.is_none() {
                return found;
            }
            query.from = page.next;
        }
    }

    async fn refused(&self) -> Vec<Refused<'static>> {
        let whole = self.refused_pages(LARGE).await;
        let place = |refused: &Refused<'_>| RefusedCursor { received_at: refused.received_at, id: refused.id };
        assert!(whole.is_sorted_by(|one, other| place(one) > place(other)), "messages set aside run from new to old");
        assert_eq!(self.refused_pages(SMALL).await, whole, "pages of any size");
        whole
    }

    async fn refused_pages(&self, limit: usize) -> Vec<Refused<'static>> {
        let (mut found, mut from) = (Vec::new(), None);
        loop {
            let page = self.store.refused(self.workspace, from, limit).await.expect("messages set aside can be read");
            found.extend(page.refused);
            if page.next.is_none() {
                return found;
            }
            from = page.next;
        }
    }
}
