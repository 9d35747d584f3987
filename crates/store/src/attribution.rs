//! Where an event belongs.
//!
//! The rules are the ingest contract's, applied to what is known now: an event keeps the ids it was sent with; the user of
//! one that names none follows from the ties of its anonymous id, and the rest from its user's associations at that instant and from its account's organization. Nothing about an
//! event's place is ever stored as the truth. What is asked of a store is [`crate::records::Records`].

use std::{collections::hash_map::Entry, sync::Arc};

use muster_model::{
    association::{Answer, Associations, Statement, resolve},
    day::Day,
    deletion,
    id::{IdSpace, RecordId},
    kind::RecordKind,
    message::{Message, Named},
    profile::{Body, Parent, Profile},
    time::Micros,
};
use rustc_hash::FxHashMap;

use crate::{
    error::ReadError,
    records::{Records, told_of},
};

/// What of an event decides where it belongs.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub user: Option<&'a str>,
    /// Whom it is about if it names no user.
    pub anonymous: Option<&'a str>,
    pub account: Option<&'a str>,
    pub organization: Option<&'a str>,
    /// The instant in the order of statements.
    pub at: Micros,
}

impl<'m> Subject<'m> {
    /// What of a message does.
    #[must_use]
    pub fn of(message: &'m Message<'_>) -> Subject<'m> {
        fn name<'m>(named: &'m Option<Named<'_>>) -> Option<&'m str> {
            named.as_ref().map(|named| named.external_id.as_ref())
        }
        Subject {
            user: name(&message.user),
            anonymous: name(&message.anonymous),
            account: name(&message.account),
            organization: name(&message.organization),
            at: message.ordered_at(),
        }
    }
}

/// Where an event belongs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub user: Option<Parent>,
    pub account: Option<Parent>,
    pub organization: Option<Parent>,
}

impl Place {
    /// Whether it is of a record; an event is of its user, its account and its organization, and of nothing else.
    #[must_use]
    pub fn belongs_to(&self, (kind, id): deletion::Subject) -> bool {
        let is = |parent: &Option<Parent>| parent.as_ref().is_some_and(|parent| parent.id == id);
        match kind {
            RecordKind::User => is(&self.user),
            RecordKind::Account => is(&self.account),
            RecordKind::Organization => is(&self.organization),
            RecordKind::Instance | RecordKind::CustomObject | RecordKind::NpsResponse | RecordKind::Anonymous => false,
        }
    }
}

/// The parent of a user on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steady {
    Is(Option<RecordId>),
    /// It is another one at the day's end than at its beginning, or was in between.
    Changes,
}

/// Answers for many events, remembering what it has looked up.
pub struct Attributor<R> {
    records: R,
    ids: IdSpace,
    profiles: FxHashMap<deletion::Subject, Option<Arc<Profile>>>,
    statements: FxHashMap<(RecordKind, RecordId), Vec<Statement>>,
}

impl<R: Records> Attributor<R> {
    /// Answers for events of the workspace of these records, which derives their ids so.
    pub fn new(records: R, ids: IdSpace) -> Self {
        let (profiles, statements) = (FxHashMap::default(), FxHashMap::default());
        Attributor { records, ids, profiles, statements }
    }

    /// Where the event belongs.
    pub fn place(&mut self, event: Subject<'_>) -> Result<Place, ReadError> {
        let named = |ids: IdSpace, kind, external_id: Option<&str>| {
            external_id.map(|external_id| Parent { id: ids.record(kind, external_id), external_id: external_id.into() })
        };
        let user = match (named(self.ids, RecordKind::User, event.user), event.anonymous) {
            (None, Some(name)) => self.user_of(self.ids.record(RecordKind::Anonymous, name), event.at)?,
            (user, _) => user,
        };
        let account = match named(self.ids, RecordKind::Account, event.account) {
            Some(account) => Some(account),
            None => self.parent_of(user.as_ref(), RecordKind::Account, event.at)?,
        };
        let joined = match &account {
            Some(account) => self.joined(account.id)?,
            None => None,
        };
        let organization = match joined {
            Some(organization) => Some(organization),
            None => match named(self.ids, RecordKind::Organization, event.organization) {
                Some(organization) => Some(organization),
                None => self.parent_of(user.as_ref(), RecordKind::Organization, event.at)?,
            },
        };
        Ok(Place { user, account, organization })
    }

    /// A profile, as of when it was first looked up here.
    pub fn profile(&mut self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Profile>>, ReadError> {
        if let Some(known) = self.profiles.get(&(kind, id)) {
            return Ok(known.clone());
        }
        let found = self.records.profile(kind, id)?;
        self.profiles.insert((kind, id), found.clone());
        Ok(found)
    }

    /// The organization of an account.
    pub fn organization_of(&mut self, account: RecordId) -> Result<Option<RecordId>, ReadError> {
        Ok(self.joined(account)?.map(|organization| organization.id))
    }

    /// The user that an anonymous id was at an instant.
    pub fn user_of(&mut self, anonymous: RecordId, at: Micros) -> Result<Option<Parent>, ReadError> {
        let about = Parent { id: anonymous, external_id: Box::default() };
        self.parent_of(Some(&about), RecordKind::User, at)
    }

    /// The parent that a user's events of a day follow, or the user that those of an anonymous id do, if it is the same from
    /// the day's beginning to its end.
    pub fn steady(&mut self, user: RecordId, parents: RecordKind, day: Day) -> Result<Steady, ReadError> {
        let (kind, _) = told_of(user, parents);
        let Some(profile) = self.profile(kind, user)? else { return Ok(Steady::Is(None)) };
        let Some(associations) = associations(&profile, parents) else { return Ok(Steady::Is(None)) };
        if let Answer::Known(id) = associations.at(day.start()) {
            // Known at its beginning means at every instant from then on.
            return Ok(Steady::Is(id));
        }
        let statements = self.statements(parents, user)?;
        let within = |at: Micros| day.start() < at && at < day.end();
        if statements.iter().any(|statement| within(statement.stamp.at)) {
            return Ok(Steady::Changes);
        }
        Ok(Steady::Is(resolve(statements, day.start())))
    }

    fn joined(&mut self, account: RecordId) -> Result<Option<Parent>, ReadError> {
        let profile = self.profile(RecordKind::Account, account)?;
        Ok(profile.as_ref().and_then(|profile| profile.as_account()?.parent().cloned()))
    }

    fn parent_of(
        &mut self,
        user: Option<&Parent>,
        parents: RecordKind,
        at: Micros,
    ) -> Result<Option<Parent>, ReadError> {
        let Some(user) = user else { return Ok(None) };
        let (kind, _) = told_of(user.id, parents);
        let Some(profile) = self.profile(kind, user.id)? else { return Ok(None) };
        let Some(associations) = associations(&profile, parents) else { return Ok(None) };
        let id = match associations.at(at) {
            Answer::Known(id) => id,
            Answer::NeedsStatements => resolve(self.statements(parents, user.id)?, at),
        };
        Ok(id.and_then(|id| parent(associations, id)))
    }

    fn statements(&mut self, parents: RecordKind, user: RecordId) -> Result<&[Statement], ReadError> {
        match self.statements.entry((parents, user)) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unknown) => Ok(unknown.insert(self.records.statements(user, parents)?)),
        }
    }
}

/// What is known of a user's parents of one kind, or of the users that an anonymous id was.
#[must_use]
pub fn associations(profile: &Profile, parents: RecordKind) -> Option<&Associations> {
    match (&profile.body, parents) {
        (Body::User(user), RecordKind::Account) => Some(&user.accounts),
        (Body::User(user), RecordKind::Organization) => Some(&user.organizations),
        (Body::Anonymous(anonymous), RecordKind::User) => Some(&anonymous.users),
        _ => None,
    }
}

fn parent(associations: &Associations, id: RecordId) -> Option<Parent> {
    let link = associations.links().iter().find(|link| link.parent == id)?;
    Some(Parent { id, external_id: link.external_id.clone() })
}
