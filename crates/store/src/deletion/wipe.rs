//! What must change for a deletion, worked out before anything does.
//!
//! Everything known of the covered records goes. What others say of them goes with them: links, counts, children. What
//! only their messages can tell, such as the first instant of a record that a removed message named, is corrected when
//! those go from the history ([`crate::deletion::correction`]).

use muster_model::{
    association::{Link, Statement},
    change::{Ledger, NewProfile},
    deletion::Subject,
    id::RecordId,
    kind::RecordKind,
    members, nps,
    profile::{Account, Body, Parent, Profile, Span, User},
    register::{Register, Stamp},
    time::Micros,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{changes::Changes, decree::Delete, revised::Revised};
use crate::{error::ReadError, records::Records};

/// The changes in the making.
pub struct Wipe<R> {
    pub(super) records: Revised<R>,
    subjects: FxHashSet<Subject>,
    /// What folding asked for and is not there; never kept.
    missing: FxHashMap<Subject, Profile>,
    changes: Changes,
}

impl<R: Records> Wipe<R> {
    /// Works out what a deletion changes.
    pub fn plan(records: R, delete: &Delete) -> Result<Changes, ReadError> {
        let subjects = delete.subjects.iter().copied().collect();
        let (records, missing) = (Revised::new(records), FxHashMap::default());
        let mut wipe = Wipe { records, subjects, missing, changes: Changes::default() };
        let mut done = FxHashSet::default();
        for subject in delete.subjects.iter().filter(|subject| done.insert(**subject)) {
            let Some(profile) = wipe.records.profile(*subject)? else { continue };
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
            wipe.changes.gone.push(*subject);
        }
        for part in &delete.parts {
            wipe.part(part.anonymous)?;
        }
        let Wipe { records, subjects, mut changes, .. } = wipe;
        changes.changed = records.into_changed().filter(|(subject, _)| !subjects.contains(subject)).collect();
        Ok(changes)
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
            for anonymous in self.records.children(child, RecordKind::Anonymous)? {
                self.untie(anonymous, id, user)?;
            }
        }
        for response in self.records.children(child, RecordKind::NpsResponse)? {
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
        if let Some(known) = self.records.profile(response)?.filter(|_| doubtful && !self.subjects.contains(&response))
        {
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
        let Some(known) = self.records.profile(whose)? else { return Ok(()) };
        let Some(body) = known.as_user() else { return Ok(()) };
        body.parents().for_each(|parent| self.unrelate(parent, subject));
        if self.subjects.contains(&whose) {
            return Ok(());
        }
        let (mut heard, mut last) = (false, None);
        for id in self.records.children(whose, RecordKind::NpsResponse)? {
            let other = (RecordKind::NpsResponse, id);
            if self.subjects.contains(&other) {
                continue;
            }
            heard = true;
            let Some(response) = self.records.profile(other)? else { continue };
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
        for user in self.records.children(subject, RecordKind::User)? {
            self.unlink(user, subject)?;
        }
        self.orphan_instances(subject)
    }

    /// An organization goes: its accounts and its users lose it.
    fn organization(&mut self, subject: Subject) -> Result<(), ReadError> {
        for account in self.records.children(subject, RecordKind::Account)? {
            self.change((RecordKind::Account, account), |body| {
                if let Body::Account(account) = body {
                    forget(&mut account.organization, subject.1);
                }
            })?;
        }
        for user in self.records.children(subject, RecordKind::User)? {
            self.unlink(user, subject)?;
        }
        self.orphan_instances(subject)
    }

    fn orphan_instances(&mut self, parent: Subject) -> Result<(), ReadError> {
        for instance in self.records.children(parent, RecordKind::Instance)? {
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
        self.unsay(user, (kind, parent));
        if kind == RecordKind::Account {
            let known = self.records.profile((RecordKind::User, user))?;
            let body = known.as_deref().and_then(Profile::as_user);
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

    /// Takes back everything said about a record and a parent.
    pub(super) fn unsay(&mut self, about: RecordId, parent: Subject) {
        self.changes.unsaid.push((about, parent));
    }

    pub(super) fn unrelate(&mut self, parent: Subject, child: Subject) {
        self.changes.unrelated.push((parent, child));
    }

    /// Changes a record that stays.
    pub(super) fn change(&mut self, subject: Subject, change: impl FnOnce(&mut Body)) -> Result<(), ReadError> {
        if self.subjects.contains(&subject) {
            return Ok(());
        }
        if let Some(profile) = self.records.profile_mut(subject)? {
            change(&mut profile.body);
        }
        Ok(())
    }
}

/// Counts of answers are the model's; what they change is worked out like everything else here.
impl<R: Records> Ledger for Wipe<R> {
    type Error = ReadError;

    fn profile(&mut self, new: NewProfile<'_>) -> Result<&mut Profile, ReadError> {
        let subject = (new.kind, new.id);
        let empty = || Profile::new(new.kind, new.id, new.external_id, new.received_at);
        match self.records.profile_mut(subject)? {
            Some(profile) => Ok(profile),
            None => Ok(self.missing.entry(subject).or_insert_with(empty)),
        }
    }

    fn statements(&mut self, user: RecordId, parents: RecordKind) -> Result<Vec<Statement>, ReadError> {
        self.records.records.statements(user, parents)
    }

    fn keep_statement(&mut self, _: RecordId, _: RecordKind, _: Statement) {}

    fn children(&mut self, parent: Subject, kind: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        self.records.children(parent, kind)
    }

    fn look<T>(
        &mut self,
        kind: RecordKind,
        id: RecordId,
        look: impl FnOnce(&Profile) -> T,
    ) -> Result<Option<T>, ReadError> {
        Ok(self.records.profile((kind, id))?.as_deref().map(look))
    }

    fn relate(&mut self, _: Subject, _: Subject) {}
}

fn forget(register: &mut Option<Register<Option<Parent>>>, parent: RecordId) {
    let standing = register.as_ref().and_then(|register| register.value().as_ref());
    if standing.is_some_and(|standing| standing.id == parent) {
        *register = None;
    }
}

/// Whether the first or the last instant of a span may have been one of another's.
pub(super) fn reaches_edge(span: Span, part: Span) -> bool {
    match (span.bounds(), part.bounds()) {
        (Some((first, last)), Some((part_first, part_last))) => part_first <= first || part_last >= last,
        _ => false,
    }
}
