//! The place a case works at: one store, one workspace, one clock.
//!
//! Everything a case does goes through here, so that a store's pauses ([`Pace`]) come between any two batches and a
//! failed call fails the test with its name. Time is the desk's own; it moves on one second a batch.

use std::sync::Arc;

use muster_model::{
    deletion::DeletionId,
    id::{IdSpace, Identity, RecordId, WorkspaceId},
    kind::RecordKind,
    profile::{Profile, Span},
    time::Micros,
};

use super::{Pace, Sent, Subject};
use crate::{
    batch::{Batch, BatchBuilder},
    credentials::{Credentials, NewKey, Scopes, TokenHash, Workspace},
    deletion::{Decree, Delete, Deletion, Deletions, cover},
    history::{Event, EventsQuery, History},
    journal::Journal,
    profiles::{Children, ListOrder, ListQuery, Profiles},
    receipt::Outcome,
    refused::{Refusals, Refused},
    status::Status,
};

/// A store and a workspace in it.
#[derive(Debug)]
pub struct Desk<'s, S: Subject> {
    subject: &'s S,
    store: Option<S::Store>,
    pace: Pace,
    pauses: usize,
    workspace: Workspace,
    now: Micros,
}

/// Everyone of a kind who ever named a record as a parent, read in small pages.
pub(super) async fn children<S: Profiles + ?Sized>(
    store: &S,
    workspace: WorkspaceId,
    children: Children,
) -> Vec<RecordId> {
    const LIMIT: usize = 3;
    let (mut found, mut next) = (Vec::new(), Some(children));
    while let Some(children) = next {
        let page = store.children(workspace, children, LIMIT).await;
        let page = page.unwrap_or_else(|error| panic!("reading children failed: {error}"));
        assert!(page.len() <= LIMIT, "a page holds at most what was asked for");
        next = children.behind(&page, LIMIT);
        found.extend(page);
    }
    found
}

/// The first instant of the clock: 2024-03-01T00:00:00Z.
pub const START: Micros = Micros(1_709_251_200_000_000);
const SECOND: i64 = 1_000_000;

impl<'s, S: Subject> Desk<'s, S> {
    /// Opens the subject's store, with a workspace `default`.
    pub async fn open(subject: &'s S, pace: Pace) -> Self {
        let store = subject.open().await;
        let workspace = workspace_named(&store, "default", START).await;
        Desk { subject, store: Some(store), pace, pauses: 0, workspace, now: START }
    }

    /// Goes on in the workspace of this name, made if there is none.
    pub async fn enter(&mut self, name: &str) {
        self.workspace = workspace_named(self.store(), name, self.now).await;
    }

    /// The store that is open.
    pub fn store(&self) -> &S::Store {
        self.store.as_ref().expect("a store is open between any two calls")
    }

    /// The workspace.
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// The ids of the workspace's records.
    pub fn ids(&self) -> IdSpace {
        IdSpace::new(&self.workspace.name)
    }

    /// When the next batch is received.
    pub fn now(&self) -> Micros {
        self.now
    }

    /// Puts the clock to so many seconds after its first instant.
    pub fn set_clock(&mut self, seconds: i64) {
        self.now = START.plus_micros(seconds * SECOND);
    }

    /// An empty batch for the workspace.
    pub fn batch(&self) -> BatchBuilder {
        BatchBuilder::new(self.workspace.id, 0)
    }

    /// A batch of messages received now; those that break a rule are set aside in it.
    pub fn batch_of<T: AsRef<str>>(&self, texts: &[T]) -> Batch {
        let mut batch = self.batch();
        for text in texts {
            Sent::new(text.as_ref(), self.now).add_to(&mut batch, self.ids());
        }
        batch.build()
    }

    /// Sends messages in one batch; the fate of each.
    pub async fn send<T: AsRef<str>>(&mut self, texts: &[T]) -> Vec<Outcome> {
        let batch = self.batch_of(texts);
        self.append(batch).await
    }

    /// Sends messages one a batch.
    pub async fn send_each<T: AsRef<str>>(&mut self, texts: &[T]) {
        for text in texts {
            self.send(&[text]).await;
        }
    }

    /// Appends a batch, lets the clock move on and the store pause.
    pub async fn append(&mut self, batch: Batch) -> Vec<Outcome> {
        let receipt = self.store().append(batch).await.unwrap_or_else(|error| panic!("an append failed: {error}"));
        self.now = self.now.plus_micros(SECOND);
        self.pause().await;
        receipt.outcomes
    }

    /// What the pace asks for between two batches.
    pub async fn pause(&mut self) {
        const MIXED: [Pace; 6] =
            [Pace::Straight, Pace::Settling, Pace::Settling, Pace::Straight, Pace::Reopening, Pace::Recovering];
        self.pauses += 1;
        let pause = if self.pace == Pace::Mixed { MIXED[self.pauses % MIXED.len()] } else { self.pace };
        match pause {
            Pace::Straight | Pace::Mixed => {}
            Pace::Settling => self.settle().await,
            Pace::Reopening => self.reopen().await,
            Pace::Recovering => self.recover().await,
        }
    }

    /// Has the store settle.
    pub async fn settle(&self) {
        self.subject.settle(self.store()).await;
    }

    /// Closes the store and opens it again.
    pub async fn reopen(&mut self) {
        let store = self.store.take().expect("a store is open between any two calls");
        store.close().await.unwrap_or_else(|error| panic!("closing failed: {error}"));
        drop(store);
        self.store = Some(self.subject.open().await);
    }

    /// Abandons the store and opens it again.
    pub async fn recover(&mut self) {
        let store = self.store.take().expect("a store is open between any two calls");
        self.subject.abandon(store).await;
        self.store = Some(self.subject.open().await);
    }

    /// The id of an organization, account or user.
    pub fn id(&self, kind: RecordKind, external_id: &str) -> RecordId {
        self.ids().record(kind, external_id)
    }

    /// What makes a message the same as another.
    pub fn identity(&self, text: &str) -> Identity {
        let sent = Sent::new(text, self.now);
        sent.check(self.ids()).unwrap_or_else(|rejection| panic!("{text}: {rejection:?}")).identity
    }

    /// A record, if there is one.
    pub async fn find(&self, kind: RecordKind, external_id: &str) -> Option<Arc<Profile>> {
        self.find_id(kind, self.id(kind, external_id)).await
    }

    /// The record with this id, if there is one.
    pub async fn find_id(&self, kind: RecordKind, id: RecordId) -> Option<Arc<Profile>> {
        let found = self.store().profile(self.workspace.id, kind, id).await;
        found.unwrap_or_else(|error| panic!("reading a profile failed: {error}"))
    }

    /// A record that must be there.
    pub async fn profile(&self, kind: RecordKind, external_id: &str) -> Arc<Profile> {
        let found = self.find(kind, external_id).await;
        found.unwrap_or_else(|| panic!("there is no {} {external_id}", kind.as_str()))
    }

    /// A user's accounts, by the links that stand.
    pub async fn accounts_of(&self, user: &str) -> Vec<String> {
        let profile = self.profile(RecordKind::User, user).await;
        let standing = profile.as_user().map(|user| user.accounts.standing()).unwrap_or_default();
        standing.into_iter().map(|link| link.external_id.as_ref().to_owned()).collect()
    }

    /// The external ids of all records of a kind, read page by page.
    pub async fn list(&self, mut query: ListQuery) -> Vec<String> {
        let mut found = Vec::new();
        loop {
            let page = self.store().list(self.workspace.id, query.clone()).await;
            let page = page.unwrap_or_else(|error| panic!("reading a list failed: {error}"));
            assert!(page.profiles.len() <= query.limit, "a page holds at most what was asked for");
            found.extend(page.profiles.iter().map(|profile| profile.external_id.as_ref().to_owned()));
            let Some(next) = page.next else { return found };
            assert_ne!(Some(next), query.from, "a list's cursor moves on");
            query.from = Some(next);
        }
    }

    /// The external ids of all records of a kind in an order, in pages of so many.
    pub async fn list_all(&self, kind: RecordKind, order: ListOrder, limit: usize) -> Vec<String> {
        self.list(ListQuery { limit, ..ListQuery::new(kind, order) }).await
    }

    /// Records that ever named this one as their parent.
    pub async fn children(&self, parent: (RecordKind, &str), kind: RecordKind) -> Vec<RecordId> {
        let parent = (parent.0, self.id(parent.0, parent.1));
        children(self.store(), self.workspace.id, Children::of(parent, kind)).await
    }

    /// Everything on the timeline of a record that a query keeps, read page by page.
    pub async fn events(&self, mut query: EventsQuery) -> Vec<Event> {
        let mut found: Vec<Event> = Vec::new();
        loop {
            let page = self.store().events(self.workspace.id, query.clone()).await;
            let page = page.unwrap_or_else(|error| panic!("reading a timeline failed: {error}"));
            assert!(page.events.len() <= query.limit, "a page holds at most what was asked for");
            found.extend(page.events);
            let Some(next) = page.next else { return found };
            assert_ne!(Some(next), query.from, "a timeline's cursor moves on");
            query.from = Some(next);
        }
    }

    /// The names of the events on a record's timeline, newest first.
    pub async fn timeline(&self, kind: RecordKind, external_id: &str) -> Vec<String> {
        let events = self.events(self.about(kind, external_id)).await;
        events.into_iter().map(|event| event.name).collect()
    }

    /// A query for the whole timeline of a record.
    pub fn about(&self, kind: RecordKind, external_id: &str) -> EventsQuery {
        let subject = (kind, self.id(kind, external_id));
        EventsQuery { subject, event: None, after: None, before: None, from: None, limit: 100 }
    }

    /// First and last track of an account.
    pub async fn seen(&self, account: &str) -> Span {
        self.seen_of(RecordKind::Account, account).await
    }

    /// First and last track of an account or a user.
    pub async fn seen_of(&self, kind: RecordKind, external_id: &str) -> Span {
        let seen = self.store().seen(self.workspace.id, (kind, self.id(kind, external_id))).await;
        seen.unwrap_or_else(|error| panic!("reading a record's first and last track failed: {error}"))
    }

    /// Deletes a record and what belongs to it alone; the deletion's id.
    pub async fn delete(&mut self, kind: RecordKind, external_id: &str) -> DeletionId {
        let root = (kind, self.id(kind, external_id));
        let covered = cover(self.store(), self.workspace.id, root).await;
        let covered = covered.unwrap_or_else(|error| panic!("{external_id} cannot be deleted: {error}"));
        let (subjects, parts) = (covered.subjects, covered.parts);
        let requested_at = self.now;
        let id = DeletionId::of(root, requested_at);
        let at = covered.latest.max(requested_at);
        self.decree(&Decree::Delete(Delete { id, root, requested_at, key_id: 1, at, subjects, parts })).await;
        id
    }

    /// Has a decree carried out.
    pub async fn decree(&mut self, decree: &Decree) {
        let mut batch = self.batch();
        batch.decree(decree);
        self.append(batch.build()).await;
    }

    /// A deletion, once there is nothing left to do for it.
    pub async fn finished(&self, id: DeletionId) -> Deletion {
        self.settle().await;
        let found = self.store().deletion(self.workspace.id, id).await;
        let found = found.unwrap_or_else(|error| panic!("reading a deletion failed: {error}"));
        found.unwrap_or_else(|| panic!("there is no deletion {id}"))
    }

    /// Everything set aside, newest first, in pages of so many.
    pub async fn refused(&self, limit: usize) -> Vec<Refused<'static>> {
        let (mut found, mut from) = (Vec::new(), None);
        loop {
            let page = self.store().refused(self.workspace.id, from, limit).await;
            let page = page.unwrap_or_else(|error| panic!("reading messages set aside failed: {error}"));
            assert!(page.refused.len() <= limit, "a page holds at most what was asked for");
            found.extend(page.refused);
            let Some(next) = page.next else { return found };
            assert_ne!(Some(next), from, "the cursor moves on");
            from = Some(next);
        }
    }
}

/// The workspace of a name, made with a key if there is none.
pub async fn workspace_named(store: &impl Credentials, name: &str, now: Micros) -> Workspace {
    if let Some(known) = store.workspaces().into_iter().find(|workspace| workspace.name == name) {
        return known;
    }
    let new = NewKey {
        workspace_name: name.to_owned(),
        name: "suite".to_owned(),
        scopes: Scopes::ALL,
        token_hash: token_hash(&format!("suite {name}")),
        created_at: now,
    };
    let key = store.create_key(new).await.unwrap_or_else(|error| panic!("making a workspace failed: {error}"));
    key.workspace.clone()
}

/// A token's hash as far as a store can tell: 32 bytes that no other token has.
pub fn token_hash(token: &str) -> TokenHash {
    let half = xxhash_rust::xxh3::xxh3_128(token.as_bytes()).to_le_bytes();
    std::array::from_fn(|at| half[at % half.len()])
}
