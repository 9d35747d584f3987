//! Which names rows must carry to be looked at at all.
//!
//! Candidates are a superset: a track that names no account may belong to one by its user, so the users who ever were
//! linked to a wanted account are wanted too; and one that names no user may belong to one by its anonymous id. Where a
//! track belongs is decided afterwards. Names are bounded: beyond that many, every row is looked at.

use std::{collections::BTreeSet, ops::ControlFlow};

use muster_model::kind::RecordKind;
use muster_store::{
    error::ReadError,
    profiles::Children,
    scan::{Wanted, among},
};

use super::Ground;

type NameSet = BTreeSet<Box<str>>;

/// Names of one kind of record that are gathered for one scan.
pub const NAMES_MAX: usize = 50_000;

/// The names, each `None` when any will do.
#[derive(Debug)]
pub struct Candidates {
    pub organizations: Option<NameSet>,
    pub accounts: Option<NameSet>,
    pub users: Option<NameSet>,
    /// Where names of users are wanted, the anonymous ids that will do instead.
    pub anonymous: NameSet,
    pub events: Option<NameSet>,
    /// Of tracks by where they belong: one of these names is enough.
    pub belonging: Option<Belonging>,
}

/// What a track has to name, one way or another, to belong to a wanted account or organization.
#[derive(Debug, Default)]
pub struct Belonging {
    pub organizations: NameSet,
    pub accounts: NameSet,
    pub users: NameSet,
    pub anonymous: NameSet,
}

impl Candidates {
    /// For what is wanted, with at most so many names of each kind that are found; where there are more, every row is looked at.
    pub fn of(ground: &dyn Ground, wanted: &Wanted, names_max: usize) -> Result<Candidates, ReadError> {
        let (users, events) = (wanted.users.clone(), wanted.events.clone());
        if !wanted.attributed {
            let (organizations, accounts) = (wanted.organizations.clone(), wanted.accounts.clone());
            let anonymous = NameSet::new();
            return Ok(Candidates { organizations, accounts, users, anonymous, events, belonging: None });
        }
        let belonging = match (&wanted.accounts, &wanted.organizations) {
            (Some(accounts), _) => Belonging::to_accounts(ground, accounts, names_max)?,
            (None, Some(organizations)) => Belonging::to_organizations(ground, organizations, names_max)?,
            (None, None) => None,
        };
        let (mut users, mut anonymous) = (users, NameSet::new());
        for user in wanted.users.iter().flatten() {
            let id = (RecordKind::User, ground.ids().record(RecordKind::User, user));
            let children = Children::of(id, RecordKind::Anonymous);
            if names_of_children(ground, children, &mut |name| add(name, &mut anonymous, names_max))?.is_break() {
                (users, anonymous) = (None, NameSet::new());
                break;
            }
        }
        Ok(Candidates { organizations: None, accounts: None, users, anonymous, events, belonging })
    }

    /// Whether every row has to be looked at.
    pub fn is_everything(&self) -> bool {
        self.organizations.is_none()
            && self.accounts.is_none()
            && self.users.is_none()
            && self.events.is_none()
            && self.belonging.is_none()
    }

    /// Whether a row may be wanted.
    pub fn may(
        &self,
        organization: Option<&str>,
        account: Option<&str>,
        (user, anonymous): (Option<&str>, Option<&str>),
        event: Option<&str>,
    ) -> bool {
        let has = |names: &NameSet, name: Option<&str>| name.is_some_and(|name| names.contains(name));
        among(&self.organizations, organization)
            && among(&self.accounts, account)
            && (among(&self.users, user) || has(&self.anonymous, anonymous))
            && among(&self.events, event)
            && self.belonging.as_ref().is_none_or(|belonging| {
                has(&belonging.accounts, account)
                    || has(&belonging.users, user)
                    || has(&belonging.anonymous, anonymous)
                    || has(&belonging.organizations, organization)
            })
    }
}

impl Belonging {
    /// `None` when there are too many names.
    fn to_accounts(ground: &dyn Ground, accounts: &NameSet, names_max: usize) -> Result<Option<Belonging>, ReadError> {
        let mut belonging = Belonging { accounts: accounts.clone(), ..Belonging::default() };
        for account in accounts {
            if belonging.add_users(ground, RecordKind::Account, account, names_max)?.is_break() {
                return Ok(None);
            }
        }
        Ok(Some(belonging))
    }

    fn to_organizations(
        ground: &dyn Ground,
        organizations: &NameSet,
        names_max: usize,
    ) -> Result<Option<Belonging>, ReadError> {
        let mut belonging = Belonging { organizations: organizations.clone(), ..Belonging::default() };
        for organization in organizations {
            let id = (RecordKind::Organization, ground.ids().record(RecordKind::Organization, organization));
            let mut accounts = NameSet::new();
            let children = Children::of(id, RecordKind::Account);
            let whole = names_of_children(ground, children, &mut |name| add(name, &mut accounts, names_max))?;
            if whole.is_break() || belonging.add_users(ground, id.0, organization, names_max)?.is_break() {
                return Ok(None);
            }
            for account in accounts {
                if belonging.add_users(ground, RecordKind::Account, &account, names_max)?.is_break() {
                    return Ok(None);
                }
                belonging.accounts.insert(account);
            }
        }
        Ok(Some(belonging))
    }

    /// Adds the users of a record, and their anonymous ids; stops when there are too many.
    fn add_users(
        &mut self,
        ground: &dyn Ground,
        kind: RecordKind,
        name: &str,
        names_max: usize,
    ) -> Result<ControlFlow<()>, ReadError> {
        let parent = (kind, ground.ids().record(kind, name));
        for (children, names) in [(RecordKind::User, &mut self.users), (RecordKind::Anonymous, &mut self.anonymous)] {
            let children = Children::of(parent, children);
            if names_of_children(ground, children, &mut |name| add(name, names, names_max))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Children whose names are looked up together.
const CHILDREN_AT_ONCE: usize = 1_000;

/// Shows the names of all children, until it is told to stop.
fn names_of_children(
    ground: &dyn Ground,
    children: Children,
    show: &mut dyn FnMut(Box<str>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, ReadError> {
    let mut next = Some(children);
    while let Some(children) = next {
        let (page, names) = ground.named_children(children, CHILDREN_AT_ONCE)?;
        if names.into_iter().any(|name| show(name).is_break()) {
            return Ok(ControlFlow::Break(()));
        }
        next = children.behind(&page, CHILDREN_AT_ONCE);
    }
    Ok(ControlFlow::Continue(()))
}

/// Adds a name to those there are, unless they are too many.
fn add(name: Box<str>, names: &mut NameSet, names_max: usize) -> ControlFlow<()> {
    names.insert(name);
    if names.len() > names_max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
