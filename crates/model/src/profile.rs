//! What is true now of one organization, account, user or custom object instance.
//!
//! A profile is a function of the set of messages about it, except for the two times of receipt
//! (`created_at`, `updated_at`), which say when this system heard of it.

use crate::{
    association::Associations,
    id::RecordId,
    kind::RecordKind,
    nps::{Answers, Tally},
    register::Register,
    time::Micros,
    traits::{Traits, allocated_bytes},
};

/// The first and the last instant of something, if there was any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    bounds: Option<(Micros, Micros)>,
}

impl Span {
    /// A span a store kept.
    #[must_use]
    pub fn from_bounds(bounds: Option<(Micros, Micros)>) -> Self {
        Span { bounds }
    }

    /// Widens the span to take in an instant.
    pub fn take_in(&mut self, at: Micros) {
        self.bounds = Some(self.bounds.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
    }

    /// Widens the span to take in another.
    pub fn join(&mut self, other: Span) {
        if let Some((first, last)) = other.bounds {
            self.take_in(first);
            self.take_in(last);
        }
    }

    /// First and last, or nothing.
    #[must_use]
    pub fn bounds(&self) -> Option<(Micros, Micros)> {
        self.bounds
    }

    /// The first instant.
    #[must_use]
    pub fn first(&self) -> Option<Micros> {
        self.bounds.map(|(first, _)| first)
    }

    /// The last instant.
    #[must_use]
    pub fn last(&self) -> Option<Micros> {
        self.bounds.map(|(_, last)| last)
    }
}

/// A record that another one belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    pub id: RecordId,
    pub external_id: Box<str>,
}

/// One record and everything known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub id: RecordId,
    pub external_id: Box<str>,
    /// When this system first heard of it.
    pub created_at: Micros,
    /// When this system last heard anything that concerns it.
    pub updated_at: Micros,
    /// Whether a message of its own kind described it; otherwise others only named it.
    pub stated: bool,
    /// The earliest instant of any message that names it.
    pub first_known: Micros,
    pub traits: Traits,
    pub body: Body,
}

/// What only one kind of record has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Organization(Organization),
    Account(Account),
    User(User),
    Instance(Instance),
    CustomObject,
    NpsResponse(NpsResponse),
    Anonymous(Anonymous),
}

/// What only organizations have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Organization {
    /// Accounts whose organization this is.
    pub accounts_count: u32,
    /// Users linked to this organization or to one of its accounts, each counted once.
    pub users_count: u32,
    /// Users of it and of its accounts by their last answer to an NPS survey, each once.
    pub nps: Tally,
}

/// What only accounts have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The organization stated last, or that there is none.
    pub organization: Option<Register<Option<Parent>>>,
    /// Users whose link to this account stands.
    pub users_count: u32,
    /// Tracks attributed to this account. Exact unless `seen_stale`.
    pub seen: Span,
    /// A statement about the past moved tracks away from or to this account; `seen` must be computed from its users.
    pub seen_stale: bool,
    /// Tracks that name this account themselves; never stale.
    pub seen_named: Span,
    /// Users whose link stands, by their last answer to an NPS survey.
    pub nps: Tally,
}

impl Account {
    /// The organization that stands, if any.
    #[must_use]
    pub fn parent(&self) -> Option<&Parent> {
        standing(&self.organization)
    }
}

fn standing(register: &Option<Register<Option<Parent>>>) -> Option<&Parent> {
    register.as_ref().and_then(|register| register.value().as_ref())
}

/// What only users have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    pub accounts: Associations,
    pub organizations: Associations,
    /// All tracks of this user, those included that an anonymous id of its own did. Exact unless `seen_stale`.
    pub seen: Span,
    /// A tie about the past moved tracks away from or to this user; `seen` must be computed from them.
    pub seen_stale: bool,
    /// Tracks of this user that name no account: those that follow its associations. Exact unless `loose_stale`, and never
    /// too short.
    pub seen_loose: Span,
    pub loose_stale: bool,
    /// Whether an anonymous id was ever tied to this user.
    pub tied: bool,
    /// What this user answered to NPS surveys.
    pub nps: Answers,
}

impl User {
    /// Every account and organization that was ever named for the user.
    pub fn parents(&self) -> impl Iterator<Item = (RecordKind, RecordId)> {
        let accounts = self.accounts.links().iter().map(|link| (RecordKind::Account, link.parent));
        let organizations = self.organizations.links().iter().map(|link| (RecordKind::Organization, link.parent));
        accounts.chain(organizations)
    }
}

/// What only custom object instances have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    pub custom_object: Option<RecordId>,
    pub name: Option<Register<Box<str>>>,
    /// The account and the organization stated last, or that there is none.
    pub account: Option<Register<Option<Parent>>>,
    pub organization: Option<Register<Option<Parent>>>,
}

impl Instance {
    /// The account that stands, if any.
    #[must_use]
    pub fn account(&self) -> Option<&Parent> {
        standing(&self.account)
    }

    /// The organization that stands, if any.
    #[must_use]
    pub fn organization(&self) -> Option<&Parent> {
        standing(&self.organization)
    }
}

/// What only NPS responses have. Score, feedback and times are traits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NpsResponse {
    /// Whose answer it is, as stated last.
    pub user: Option<Register<Parent>>,
}

/// What only anonymous ids have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anonymous {
    /// The users that it was ever tied to.
    pub users: Associations,
    /// All tracks that name it and no user.
    pub seen: Span,
    /// Those of them that name no account either.
    pub seen_loose: Span,
    /// Some of its tracks were deleted; both spans may be too long.
    pub stale: bool,
}

impl Profile {
    /// An empty profile, first heard of at `received_at`.
    #[must_use]
    pub fn new(kind: RecordKind, id: RecordId, external_id: &str, received_at: Micros) -> Self {
        let body = match kind {
            RecordKind::Organization => Body::Organization(Organization::default()),
            RecordKind::Account => Body::Account(Account::default()),
            RecordKind::User => Body::User(User::default()),
            RecordKind::Instance => Body::Instance(Instance::default()),
            RecordKind::CustomObject => Body::CustomObject,
            RecordKind::NpsResponse => Body::NpsResponse(NpsResponse::default()),
            RecordKind::Anonymous => Body::Anonymous(Anonymous::default()),
        };
        Profile {
            id,
            external_id: external_id.into(),
            created_at: received_at,
            updated_at: received_at,
            stated: false,
            first_known: Micros::MAX,
            traits: Traits::default(),
            body,
        }
    }

    /// What kind of record this is.
    #[must_use]
    pub fn kind(&self) -> RecordKind {
        match self.body {
            Body::Organization(_) => RecordKind::Organization,
            Body::Account(_) => RecordKind::Account,
            Body::User(_) => RecordKind::User,
            Body::Instance(_) => RecordKind::Instance,
            Body::CustomObject => RecordKind::CustomObject,
            Body::NpsResponse(_) => RecordKind::NpsResponse,
            Body::Anonymous(_) => RecordKind::Anonymous,
        }
    }

    /// Notes that a message received at `received_at` concerns this record.
    pub fn touch(&mut self, received_at: Micros) {
        self.updated_at = self.updated_at.max(received_at);
    }

    /// The part that only accounts have.
    #[must_use]
    pub fn as_account(&self) -> Option<&Account> {
        if let Body::Account(account) = &self.body { Some(account) } else { None }
    }

    /// The part that only users have.
    #[must_use]
    pub fn as_user(&self) -> Option<&User> {
        if let Body::User(user) = &self.body { Some(user) } else { None }
    }

    /// The part that only organizations have.
    #[must_use]
    pub fn as_organization(&self) -> Option<&Organization> {
        if let Body::Organization(organization) = &self.body { Some(organization) } else { None }
    }

    /// The part that only custom object instances have.
    #[must_use]
    pub fn as_instance(&self) -> Option<&Instance> {
        if let Body::Instance(instance) = &self.body { Some(instance) } else { None }
    }

    /// The part that only NPS responses have.
    #[must_use]
    pub fn as_nps_response(&self) -> Option<&NpsResponse> {
        if let Body::NpsResponse(response) = &self.body { Some(response) } else { None }
    }

    /// The part that only anonymous ids have.
    #[must_use]
    pub fn as_anonymous(&self) -> Option<&Anonymous> {
        if let Body::Anonymous(anonymous) = &self.body { Some(anonymous) } else { None }
    }

    /// Bytes that this profile takes in memory, about, for bounds.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        let links = match &self.body {
            Body::User(user) => user.accounts.heap_bytes() + user.organizations.heap_bytes(),
            Body::Anonymous(anonymous) => anonymous.users.heap_bytes(),
            _ => 0,
        };
        allocated_bytes(size_of::<Profile>())
            + allocated_bytes(self.external_id.len())
            + self.traits.heap_bytes()
            + links
    }
}
