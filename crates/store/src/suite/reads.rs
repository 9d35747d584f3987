//! Every read of a workspace, as text.
//!
//! Two stores that hold the same messages give the same text. Reads that must agree with each other within one store
//! are checked on the way: pages of any size, one record and its place in a list, filters and the whole, what an
//! account's profile says of its tracks and what its tracks say.

use std::{collections::HashMap, fmt::Write, sync::Arc};

use muster_model::{
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::{Body, Profile, Span},
    rank::Rank,
    time::Micros,
};
use parking_lot::Mutex;

use super::{desk::children, tellings};
use crate::{
    Store,
    catalogue::Model,
    history::{Event, EventsQuery},
    lists::{kept_seen, with_seen},
    profiles::{Children, Condition, ListCursor, ListOrder, ListQuery},
    refused::{Refused, RefusedCursor, Sketch},
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
    let mut reads = Reads { store, workspace, objects: Vec::new(), seen: Mutex::default() };
    let mut objects = order(&reads.list(RecordKind::CustomObject, ListOrder::CreatedAt).await);
    objects.sort_unstable();
    reads.objects = objects;
    let mut out = String::new();
    for kind in RecordKind::SHOWN {
        let by_creation = reads.list(kind, ListOrder::CreatedAt).await;
        let by_update = reads.list(kind, ListOrder::UpdatedAt).await;
        let mut profiles = by_creation.clone();
        profiles.sort_by_key(|profile| profile.id);
        let mut again = by_update.clone();
        again.sort_by_key(|profile| profile.id);
        assert_eq!(profiles, again, "both orders list the same records");
        if let Some(counted) = store.records(workspace).and_then(|records| records.of(kind)) {
            assert_eq!(counted, profiles.len() as u64, "as many records of the kind are counted as are listed");
        }
        if times == Times::Shown {
            let _ = writeln!(out, "== {}s by creation {:?}", kind.as_str(), order(&by_creation));
            let _ = writeln!(out, "== {}s by update {:?}", kind.as_str(), order(&by_update));
        }
        if !profiles.is_empty() {
            reads.orders(kind, &by_update, &mut out).await;
            reads.catalogue(kind, times, &mut out).await;
        }
        for profile in &profiles {
            reads.record(profile, times, &mut out).await;
            reads.members(profile, &mut out).await;
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

fn order(profiles: &[Arc<Profile>]) -> Vec<RecordId> {
    profiles.iter().map(|profile| profile.id).collect()
}

fn conditions(objects: &[RecordId]) -> Vec<Condition> {
    let text = |text: &str| text.to_owned();
    let number = |json| Rank::of_json(json);
    let at = |text| Micros::parse(text);
    let of_object = objects.iter().take(1).map(|object| Condition::Object(*object));
    let others = [
        Condition::TraitPresent { key: text("plan"), present: true },
        Condition::TraitPresent { key: text("plan"), present: false },
        Condition::TraitIs { key: text("plan"), value: text("pro") },
        Condition::TraitIs { key: text("n"), value: text("2.5") },
        Condition::TraitBetween { key: text("n"), from: number("2"), to: None },
        Condition::TraitBetween { key: text("day"), from: None, to: number("\"2024-02-01\"") },
        Condition::LastSeen { after: at("2024-03-01T00:01:00Z"), before: None },
        Condition::LastSeen { after: None, before: at("2024-03-01T00:02:00Z") },
        Condition::Contains(text("d")),
        Condition::Contains(text("ada")),
        Condition::Email(text("ada@mail.example.com")),
        Condition::EmailDomain(text("example.com")),
    ];
    others.into_iter().chain(of_object).collect()
}

struct Reads<'s, S> {
    store: &'s S,
    workspace: WorkspaceId,
    /// The custom objects, by id.
    objects: Vec<RecordId>,
    /// First and last track of accounts whose profiles do not tell.
    seen: Mutex<HashMap<RecordId, Span>>,
}

impl<S: Store> Reads<'_, S> {
    /// Lists in every order, and with every kind of condition. Small pages and upward lists are read in some of them.
    async fn orders(&self, kind: RecordKind, by_update: &[Arc<Profile>], out: &mut String) {
        for order in [ListOrder::LastSeen, ListOrder::UsersCount, ListOrder::Trait("n".into())] {
            self.list(kind, order).await;
        }
        for order in ListOrder::FIELDS.into_iter().chain([ListOrder::Trait("n".into()), ListOrder::Trait("day".into())])
        {
            let listed = self.list_pages(ListQuery { limit: LARGE, ..ListQuery::new(kind, order.clone()) }).await;
            let _ = writeln!(out, "== {}s by {order:?} {:?}", kind.as_str(), self::order(&listed));
            assert_eq!(listed.len(), by_update.len(), "every order lists every record");
        }
        self.choices(kind, by_update, ListOrder::UpdatedAt).await;
    }

    async fn catalogue(&self, kind: RecordKind, times: Times, out: &mut String) {
        let objects = self.objects.iter().copied().map(Some).filter(|_| kind == RecordKind::Instance);
        for object in objects.chain([None]) {
            let known = self.store.known_traits(self.workspace, Model { kind, object }).await;
            let known = known.expect("the catalogue can be read");
            assert!(known.is_sorted_by(|one, other| one.key < other.key), "a catalogue is sorted by key");
            let keys = known.iter().map(|one| one.key.clone()).collect();
            let options = self.store.options(self.workspace, Model { kind, object }, keys).await;
            for one in options.expect("options can be read") {
                let _ = writeln!(out, "== options of {}s {one:?}", kind.as_str());
            }
            for mut one in known {
                if times == Times::Hidden {
                    one.created_at = Micros(0);
                }
                let _ = writeln!(out, "== trait of {}s {one:?}", kind.as_str());
            }
        }
    }

    /// What belongs to a record now, page by page.
    async fn members(&self, profile: &Profile, out: &mut String) {
        let parent = (profile.kind(), profile.id);
        if !matches!(parent.0, RecordKind::Organization | RecordKind::Account | RecordKind::CustomObject) {
            return;
        }
        for kind in [RecordKind::Account, RecordKind::User, RecordKind::Instance, RecordKind::NpsResponse] {
            let query = ListQuery { within: Some(parent), limit: SMALL, ..ListQuery::new(kind, ListOrder::FirstKnown) };
            let members = self.list_pages(query).await;
            let users = members.len() as u32;
            let counted = match &profile.body {
                Body::Account(account) => account.users_count,
                Body::Organization(organization) => organization.users_count,
                _ => users,
            };
            assert!(
                kind != RecordKind::User || parent.0 == RecordKind::CustomObject || counted == users,
                "{parent:?} counts {counted} users and has {users}"
            );
            let mut ids: Vec<RecordId> = members.iter().map(|profile| profile.id).collect();
            ids.sort_unstable();
            let _ = writeln!(out, "-- {}s now {ids:?}", kind.as_str());
        }
    }

    async fn record(&self, profile: &Arc<Profile>, times: Times, out: &mut String) {
        let (kind, id) = (profile.kind(), profile.id);
        let alone = self.store.profile(self.workspace, kind, id).await.expect("a profile can be read");
        let alone = self.certain(alone.expect("what a list shows is there")).await;
        assert_eq!(alone, *profile, "one record is what the list shows");
        let _ = writeln!(out, "== {} {} {id}", kind.as_str(), profile.external_id);
        let mut shown = Profile::clone(profile);
        if times == Times::Hidden {
            (shown.created_at, shown.updated_at) = (Micros(0), Micros(0));
        }
        if let Body::Account(account) = &mut shown.body {
            let seen = self.store.seen(self.workspace, (kind, id)).await.expect("first and last track can be read");
            assert!(account.seen_stale || account.seen == seen, "{}: {account:?} but {seen:?}", profile.external_id);
            (account.seen, account.seen_stale) = (seen, false);
        }
        if let Body::User(user) = &mut shown.body {
            let seen = self.store.seen(self.workspace, (kind, id)).await.expect("first and last track can be read");
            assert!(user.seen_stale || user.seen == seen, "{}: {user:?} but {seen:?}", profile.external_id);
            (user.seen, user.seen_stale) = (seen, false);
            // What the accounts' first and last tracks follow from, and those are compared.
            (user.seen_loose, user.loose_stale, user.tied) = (Span::default(), false, false);
        }
        let _ = writeln!(out, "{shown:#?}");
        for child in RecordKind::ALL {
            let children = children(self.store, self.workspace, Children::of((kind, id), child)).await;
            assert!(children.is_sorted(), "children are sorted by id");
            let _ = writeln!(out, "-- {}s {children:?}", child.as_str());
        }
        let timeline = self.timeline(kind, id).await;
        for event in &timeline {
            let _ = writeln!(out, "-- {event:?}");
        }
        tellings::record(self.store, self.workspace, profile, &timeline, times, out).await;
    }

    /// A list, read in large and in small pages, upwards and downwards.
    async fn list(&self, kind: RecordKind, order: ListOrder) -> Vec<Arc<Profile>> {
        let query = |limit| ListQuery { limit, ..ListQuery::new(kind, order.clone()) };
        let whole = self.list_pages(query(LARGE)).await;
        let mut places = Vec::with_capacity(whole.len());
        for profile in &whole {
            places.push(order.place(profile, self.seen(profile).await));
        }
        assert!(
            places.is_sorted_by(|one, other| one.order(other, false).is_lt()),
            "a list by {order:?} is in its order: {places:?}"
        );
        assert_eq!(self.list_pages(query(SMALL)).await, whole, "pages of any size, by {order:?}");
        let mut upwards: Vec<(ListCursor, Arc<Profile>)> = places.into_iter().zip(whole.iter().cloned()).collect();
        upwards.sort_by(|(one, _), (other, _)| one.order(other, true));
        let upwards: Vec<Arc<Profile>> = upwards.into_iter().map(|(_, profile)| profile).collect();
        let found = self.list_pages(ListQuery { ascending: true, ..query(SMALL) }).await;
        assert_eq!(found, upwards, "upwards by {order:?}");
        whole
    }

    /// Every list with conditions is the whole list less what does not meet them.
    async fn choices(&self, kind: RecordKind, whole: &[Arc<Profile>], order: ListOrder) {
        let mut conditions = conditions(&self.objects);
        if let Some(middle) = whole.get(whole.len() / 2).map(|profile| profile.updated_at) {
            conditions.push(Condition::Updated { after: Some(middle), before: None });
            conditions.push(Condition::Updated { after: None, before: Some(middle) });
        }
        for condition in conditions {
            let mut kept = Vec::new();
            for profile in whole {
                if condition.holds(profile, self.seen(profile).await) {
                    kept.push(Arc::clone(profile));
                }
            }
            let conditions = vec![condition.clone()];
            let query = ListQuery { limit: SMALL, conditions, ..ListQuery::new(kind, order.clone()) };
            assert_eq!(self.list_pages(query).await, kept, "{condition:?} by {order:?}");
        }
    }

    async fn seen(&self, profile: &Profile) -> Span {
        match kept_seen(profile) {
            (seen, true) => seen,
            (_, false) => {
                let known = self.seen.lock().get(&profile.id).copied();
                if let Some(seen) = known {
                    return seen;
                }
                let seen = self.store.seen(self.workspace, (profile.kind(), profile.id)).await;
                let seen = seen.expect("first and last track can be read");
                self.seen.lock().insert(profile.id, seen);
                seen
            }
        }
    }

    async fn list_pages(&self, mut query: ListQuery) -> Vec<Arc<Profile>> {
        let mut found = Vec::new();
        loop {
            let page = self.store.list(self.workspace, query.clone()).await.expect("a list can be read");
            for profile in page.profiles {
                found.push(self.certain(profile).await);
            }
            let next: Option<ListCursor> = page.next;
            assert!(next.is_none() || next != query.from, "a list's cursor moves on");
            if next.is_none() {
                return found;
            }
            query.from = next;
        }
    }

    /// The record with its first and last track, which a store may find out at any time.
    async fn certain(&self, profile: Arc<Profile>) -> Arc<Profile> {
        match kept_seen(&profile) {
            (_, true) => profile,
            (_, false) => Arc::new(with_seen(&profile, self.seen(&profile).await)),
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
        let sketches: Vec<Sketch> = whole.iter().map(Sketch::of).collect();
        for limit in [SMALL, LARGE] {
            assert_eq!(self.sketches(limit).await, sketches, "sketches are of the same messages, in pages of {limit}");
        }
        whole
    }

    async fn sketches(&self, limit: usize) -> Vec<Sketch> {
        let (mut found, mut from) = (Vec::new(), None);
        loop {
            let page = self.store.refused_sketches(self.workspace, from, limit).await.expect("sketches can be read");
            found.extend(page.sketches);
            if page.next.is_none() {
                return found;
            }
            from = page.next;
        }
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
