//! What must change in memory for a deletion, worked out before anything does.
//!
//! Everything known of the covered records goes. What others say of them goes with them: links, counts, children. What
//! only their messages can tell, such as the first instant of a record that a removed message named, is corrected when
//! the history files are written anew.

use std::sync::Arc;

use muster_model::{
    association::{Link, Statement},
    change::{Ledger, NewProfile},
    deletion::Subject,
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    members, nps,
    profile::{Account, Body, Parent, Profile, Span, User},
    register::{Register, Stamp},
    time::Micros,
};
use muster_store::{
    deletion::{Delete, Removed},
    error::ReadError,
    records::parents_of,
};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    keys::ProfileKey,
    lists::entries::Listed,
    overlay::{Overlay, StatementsKey},
    slots::Slot,
    state::State,
    views::{Current, children_now, statements_now},
    writer::apply::load_slot,
};

/// A profile in its present version, and where the version below the live overlay stands in lists.
pub type Known = (Arc<Profile>, Option<Listed>);

/// The changes.
pub struct Wipe<'a> {
    workspace: WorkspaceId,
    current: &'a Current,
    state: &'a State,
    subjects: FxHashSet<Subject>,
    changed: FxHashMap<ProfileKey, Known>,
    /// What folding asked for and is not there; never kept.
    missing: FxHashMap<ProfileKey, Profile>,
    pub changes: Changes,
}

/// What [`Changes::apply`] does.
#[derive(Default)]
pub struct Changes {
    gone: Vec<ProfileKey>,
    changed: Vec<(ProfileKey, Known)>,
    unrelated: Vec<(ProfileKey, (RecordKind, RecordId))>,
    unsaid: Vec<(StatementsKey, RecordId)>,
    said: Vec<(StatementsKey, Statement)>,
    pub removed: Removed,
    /// Covered records of which messages may be left that the deletion does not hide: their names.
    pub doubtful: Vec<(Subject, Box<str>)>,
}

impl<'a> Wipe<'a> {
    /// Works out what a deletion changes.
    pub fn plan(
        workspace: WorkspaceId,
        delete: &Delete,
        current: &'a Current,
        state: &'a State,
    ) -> Result<Changes, ReadError> {
        let subjects = delete.subjects.iter().copied().collect();
        let (changed, missing, changes) = (FxHashMap::default(), FxHashMap::default(), Changes::default());
        let mut wipe = Wipe { workspace, current, state, subjects, changed, missing, changes };
        let mut done = FxHashSet::default();
        for subject in delete.subjects.iter().filter(|subject| done.insert(**subject)) {
            let Some((profile, _)) = wipe.known(*subject)? else { continue };
            wipe.changes.removed.count_record(subject.0);
            if profile.updated_at > delete.at {
                wipe.changes.doubtful.push((*subject, profile.external_id.clone()));
            }
            match &profile.body {
                Body::User(user) => wipe.user(subject.1, user)?,
                Body::Account(account) => wipe.account(*subject, account)?,
                Body::Organization(_) => wipe.organization(*subject)?,
                Body::Instance(instance) => {
                    let account = instance.account().map(|parent| (RecordKind::Account, parent.id));
                    let organization = instance.organization().map(|parent| (RecordKind::Organization, parent.id));
                    let object = instance.custom_object.map(|id| (RecordKind::CustomObject, id));
                    let parents = [account, organization, object].into_iter().flatten();
                    parents.for_each(|parent| wipe.unrelate(parent, *subject));
                }
                Body::NpsResponse(_) => wipe.response(*subject, &profile)?,
                Body::Anonymous(anonymous) => wipe.anonymous(*subject, anonymous)?,
                Body::CustomObject => {}
            }
            let key = wipe.key(*subject);
            wipe.changes.gone.push(key);
        }
        for part in &delete.parts {
            wipe.part(part.anonymous)?;
        }
        let subjects = std::mem::take(&mut wipe.subjects);
        let survives = |(key, _): &(ProfileKey, Known)| !subjects.contains(&(key.kind, key.id));
        wipe.changes.changed = wipe.changed.into_iter().filter(survives).collect();
        Ok(wipe.changes)
    }

    /// A user goes: its accounts lose it.
    fn user(&mut self, id: RecordId, user: &User) -> Result<(), ReadError> {
        let child = (RecordKind::User, id);
        if let Some(last) = user.nps.last {
            nps::recount_user(self, id, Some(last.group()), None)?;
        }
        members::user_gone(self, id)?;
        for link in user.accounts.links() {
            let account = (RecordKind::Account, link.parent);
            self.unrelate(account, child);
            self.change(account, |body| {
                if let Body::Account(account) = body {
                    account.users_count = account.users_count.saturating_sub(u32::from(link.stands()));
                    // Its tracks may have been the first or the last.
                    account.seen_stale |= reaches_edge(account.seen, user.seen_loose);
                }
            })?;
        }
        for link in user.organizations.links() {
            self.unrelate((RecordKind::Organization, link.parent), child);
        }
        if user.tied {
            for anonymous in Wipe::children(self, child, RecordKind::Anonymous)? {
                self.untie(anonymous, id, user)?;
            }
        }
        for response in Wipe::children(self, child, RecordKind::NpsResponse)? {
            self.response_of((RecordKind::NpsResponse, response), id, user)?;
        }
        Ok(())
    }

    /// A user goes who answered what stays: it is found from the user's parents no more, and is not the user's. What
    /// others answered there is heard again.
    fn response_of(&mut self, response: Subject, id: RecordId, user: &User) -> Result<(), ReadError> {
        user.parents().for_each(|parent| self.unrelate(parent, response));
        self.unrelate((RecordKind::User, id), response);
        let doubtful = self.changes.doubtful.iter().any(|(subject, _)| *subject == (RecordKind::User, id));
        if let Some((known, _)) = self.known(response)?.filter(|_| doubtful && !self.subjects.contains(&response)) {
            self.changes.doubtful.push((response, known.external_id.clone()));
        }
        self.change(response, |body| {
            if let Body::NpsResponse(response) = body {
                let its = response.user.as_ref().is_some_and(|whose| whose.value().id == id);
                if its || doubtful {
                    response.user = None;
                }
            }
        })
    }

    /// A response goes: its user answered something else last, or nothing.
    fn response(&mut self, subject: Subject, profile: &Profile) -> Result<(), ReadError> {
        let Some((user, _)) = nps::standing(profile) else { return Ok(()) };
        let whose = (RecordKind::User, user);
        self.unrelate(whose, subject);
        let Some((known, _)) = self.known(whose)? else { return Ok(()) };
        let Some(body) = known.as_user() else { return Ok(()) };
        body.parents().for_each(|parent| self.unrelate(parent, subject));
        if self.subjects.contains(&whose) {
            return Ok(());
        }
        let (mut heard, mut last) = (false, None);
        for id in Wipe::children(self, whose, RecordKind::NpsResponse)? {
            let other = (RecordKind::NpsResponse, id);
            if self.subjects.contains(&other) {
                continue;
            }
            heard = true;
            let Some((response, _)) = self.known(other)? else { continue };
            let answer = nps::standing(&response).filter(|(whose, _)| *whose == user).and_then(|(_, answer)| answer);
            last = [last, answer].into_iter().flatten().max_by_key(nps::Answer::place);
        }
        let before = body.nps.last;
        self.change(whose, |body| {
            if let Body::User(user) = body {
                user.nps = nps::Answers { heard, last };
            }
        })?;
        nps::recount_user(self, user, before.map(|last| last.group()), last.map(|last| last.group()))
    }

    /// An account goes: its organization and its users lose it.
    fn account(&mut self, subject: Subject, account: &Account) -> Result<(), ReadError> {
        if let Some(organization) = account.parent() {
            let parent = (RecordKind::Organization, organization.id);
            self.unrelate(parent, subject);
            self.change(parent, |body| {
                if let Body::Organization(organization) = body {
                    organization.accounts_count = organization.accounts_count.saturating_sub(1);
                }
            })?;
        }
        for user in Wipe::children(self, subject, RecordKind::User)? {
            self.unlink(user, subject)?;
        }
        self.orphan_instances(subject)
    }

    /// An organization goes: its accounts and its users lose it.
    fn organization(&mut self, subject: Subject) -> Result<(), ReadError> {
        for account in Wipe::children(self, subject, RecordKind::Account)? {
            self.change((RecordKind::Account, account), |body| {
                if let Body::Account(account) = body {
                    forget(&mut account.organization, subject.1);
                }
            })?;
        }
        for user in Wipe::children(self, subject, RecordKind::User)? {
            self.unlink(user, subject)?;
        }
        self.orphan_instances(subject)
    }

    fn orphan_instances(&mut self, parent: Subject) -> Result<(), ReadError> {
        for instance in Wipe::children(self, parent, RecordKind::Instance)? {
            self.change((RecordKind::Instance, instance), |body| {
                if let Body::Instance(instance) = body {
                    forget(&mut instance.account, parent.1);
                    forget(&mut instance.organization, parent.1);
                }
            })?;
        }
        Ok(())
    }

    /// A user that stays loses a parent: everything said about the two. Its tracks that name no account are with its
    /// other accounts now.
    fn unlink(&mut self, user: RecordId, (kind, parent): Subject) -> Result<(), ReadError> {
        if self.subjects.contains(&(RecordKind::User, user)) {
            return Ok(());
        }
        self.changes.unsaid.push(((self.workspace, kind, user), parent));
        if kind == RecordKind::Account {
            let known = self.known((RecordKind::User, user))?;
            let body = known.as_ref().and_then(|(profile, _)| profile.as_user());
            let stands = |user: &&User| user.accounts.links().iter().any(|link| link.parent == parent && link.stands());
            if let Some(last) = body.filter(stands).map(|user| user.nps.last) {
                if let Some(last) = last {
                    nps::link_changed(self, Micros::MIN, user, (kind, parent), last.group(), false)?;
                }
                members::link(self, Micros::MIN, user, (kind, parent), false)?;
            }
        }
        let mut left: Option<(Vec<RecordId>, Span, bool)> = None;
        self.change((RecordKind::User, user), |body| {
            if let Body::User(user) = body {
                if kind == RecordKind::Organization {
                    user.organizations.forget(parent);
                    return;
                }
                user.accounts.forget(parent);
                let linked = user.accounts.links().iter().filter(|link: &&Link| link.linked > Stamp::NEVER);
                left = Some((linked.map(|link| link.parent).collect(), user.seen_loose, !user.loose_stale));
            }
        })?;
        let Some((accounts, loose, exact)) = left.filter(|(_, loose, _)| loose.bounds().is_some()) else {
            return Ok(());
        };
        for account in &accounts {
            let only = accounts.len() == 1 && exact;
            self.change((RecordKind::Account, *account), |body| match body {
                Body::Account(account) if only => account.seen.join(loose),
                Body::Account(account) => account.seen_stale = true,
                _ => {}
            })?;
        }
        Ok(())
    }

    /// Whether a record is covered.
    pub(super) fn goes(&self, subject: Subject) -> bool {
        self.subjects.contains(&subject)
    }

    /// A record as it is now, without anything else.
    pub(super) fn present(&self, subject: Subject) -> Result<Option<Arc<Profile>>, ReadError> {
        Ok(self.known(subject)?.map(|(profile, _)| profile))
    }

    /// Takes back everything said about a record, under its parents' kind, and this parent.
    pub(super) fn unsay(&mut self, (parents, of): Subject, parent: RecordId) {
        self.changes.unsaid.push(((self.workspace, parents, of), parent));
    }

    pub(super) fn unrelate(&mut self, parent: Subject, child: Subject) {
        let key = self.key(parent);
        self.changes.unrelated.push((key, child));
    }

    fn key(&self, (kind, id): Subject) -> ProfileKey {
        ProfileKey::new(self.workspace, kind, id)
    }

    /// A record as it is now, the changes worked out so far included.
    fn known(&self, subject: Subject) -> Result<Option<Known>, ReadError> {
        let key = self.key(subject);
        if let Some(known) = self.changed.get(&key) {
            return Ok(Some(known.clone()));
        }
        known(self.current, self.state, &key)
    }

    pub(super) fn change(&mut self, subject: Subject, change: impl FnOnce(&mut Body)) -> Result<(), ReadError> {
        if self.subjects.contains(&subject) {
            return Ok(());
        }
        let Some((mut profile, below)) = self.known(subject)? else { return Ok(()) };
        change(&mut Arc::make_mut(&mut profile).body);
        self.changed.insert(self.key(subject), (profile, below));
        Ok(())
    }

    fn children(&self, parent: Subject, kind: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        let key = self.key(parent);
        children_now(&self.current.live, self.current.frozen.as_deref(), self.state, &key, kind)
    }
}

/// Counts of answers are the model's; what they change is worked out like everything else here.
impl Ledger for Wipe<'_> {
    type Error = ReadError;

    fn profile(&mut self, new: NewProfile<'_>) -> Result<&mut Profile, ReadError> {
        let key = self.key((new.kind, new.id));
        if !self.changed.contains_key(&key) {
            match self.known((new.kind, new.id))? {
                Some(known) => drop(self.changed.insert(key, known)),
                None => {
                    let empty = || Profile::new(new.kind, new.id, new.external_id, new.received_at);
                    return Ok(self.missing.entry(key).or_insert_with(empty));
                }
            }
        }
        let (profile, _) = self.changed.get_mut(&key).expect("inserted above when it was missing");
        Ok(Arc::make_mut(profile))
    }

    fn statements(&mut self, user: RecordId, parents: RecordKind) -> Result<Vec<Statement>, ReadError> {
        let (live, frozen) = (&self.current.live, self.current.frozen.as_deref());
        statements_now(live, frozen, self.state, (self.workspace, parents, user))
    }

    fn keep_statement(&mut self, _: RecordId, _: RecordKind, _: Statement) {}

    fn children(&mut self, parent: Subject, kind: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        Wipe::children(self, parent, kind)
    }

    fn look<T>(
        &mut self,
        kind: RecordKind,
        id: RecordId,
        look: impl FnOnce(&Profile) -> T,
    ) -> Result<Option<T>, ReadError> {
        Ok(self.known((kind, id))?.map(|(profile, _)| look(&profile)))
    }

    fn relate(&mut self, _: Subject, _: Subject) {}
}

/// A record as it is now.
pub fn known(current: &Current, state: &State, key: &ProfileKey) -> Result<Option<Known>, ReadError> {
    let live = &current.live;
    if let Some(slot) = live.profiles.get(key) {
        return Ok(Some((Arc::clone(&slot.profile), slot.below.clone())));
    }
    if live.gone.contains_key(key) {
        return Ok(None);
    }
    let slot = load_slot(key, current.frozen.as_deref(), state)?;
    Ok(slot.map(|slot| (slot.profile, slot.below)))
}

impl Changes {
    /// Takes a child from a parent.
    pub fn unrelate(&mut self, parent: ProfileKey, child: Subject) {
        self.unrelated.push((parent, child));
    }

    /// Takes back everything said about a record and a parent.
    pub fn unsay(&mut self, of: StatementsKey, parent: RecordId) {
        self.unsaid.push((of, parent));
    }

    /// Says something about a record and a parent again, once all about the two was taken back.
    pub fn say(&mut self, of: StatementsKey, statement: Statement) {
        self.said.push((of, statement));
    }

    /// Adds the present version of a record.
    pub fn change(&mut self, key: ProfileKey, known: Known) {
        self.changed.push((key, known));
    }

    /// Makes the changes. Takes no longer than they are many; reads nothing.
    pub fn apply(self, live: &mut Overlay) {
        for key in self.gone {
            let rows = live.profiles.detach(&key);
            live.gone.entry(key).or_default().rows.extend(rows);
            live.children.remove(&key);
            for parents in parents_of(key.kind) {
                live.statements.remove(&(key.workspace, *parents, key.id));
            }
            live.grow(256);
        }
        for (key, (profile, below)) in self.changed {
            match live.profiles.number(&key) {
                Some(number) => live.profiles.at_mut(number).profile = profile,
                None => {
                    let slot = Slot::new(profile, below);
                    live.grow(slot.weight_bytes());
                    live.profiles.insert(key, slot);
                }
            }
        }
        for (parent, child) in self.unrelated {
            if let Some(children) = live.children.get_mut(&parent) {
                children.remove(&child);
            }
            live.unrelated.entry(parent).or_default().insert(child);
            live.grow(64);
        }
        for (key, parent) in self.unsaid {
            if let Some(statements) = live.statements.get_mut(&key) {
                statements.retain(|statement| statement.parent != parent);
            }
            live.unsaid.entry(key).or_default().insert(parent);
            live.grow(64);
        }
        for (key, statement) in self.said {
            live.keep_statement(key, statement);
        }
    }
}

fn forget(register: &mut Option<Register<Option<Parent>>>, parent: RecordId) {
    let standing = register.as_ref().and_then(|register| register.value().as_ref());
    if standing.is_some_and(|standing| standing.id == parent) {
        *register = None;
    }
}

/// Whether the first or the last instant of a span may have been one of another's.
pub fn reaches_edge(span: Span, part: Span) -> bool {
    match (span.bounds(), part.bounds()) {
        (Some((first, last)), Some((part_first, part_last))) => part_first <= first || part_last >= last,
        _ => false,
    }
}
