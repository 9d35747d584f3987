//! Which names rows must carry to be looked at at all.
//!
//! Candidates are a superset: a track that names no account may belong to one by its user, so the users who ever were
//! linked to a wanted account are wanted too; and one that names no user may belong to one by its anonymous id. Where a
//! track belongs is decided afterwards.

use std::collections::BTreeSet;

use muster_model::kind::RecordKind;
use muster_store::{
    error::ReadError,
    scan::{Wanted, among},
};

use super::held::Held;

type NameSet = BTreeSet<Box<str>>;

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
    /// For what is wanted.
    pub fn of(held: &Held, wanted: &Wanted) -> Result<Candidates, ReadError> {
        let (users, events) = (wanted.users.clone(), wanted.events.clone());
        if !wanted.attributed {
            let (organizations, accounts) = (wanted.organizations.clone(), wanted.accounts.clone());
            let anonymous = NameSet::new();
            return Ok(Candidates { organizations, accounts, users, anonymous, events, belonging: None });
        }
        let belonging = match (&wanted.accounts, &wanted.organizations) {
            (Some(accounts), _) => Some(Belonging::to_accounts(held, accounts)?),
            (None, Some(organizations)) => Some(Belonging::to_organizations(held, organizations)?),
            (None, None) => None,
        };
        let mut anonymous = NameSet::new();
        for user in users.iter().flatten() {
            add_anonymous(held, RecordKind::User, user, &mut anonymous)?;
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
    fn to_accounts(held: &Held, accounts: &NameSet) -> Result<Belonging, ReadError> {
        let mut belonging = Belonging { accounts: accounts.clone(), ..Belonging::default() };
        for account in accounts {
            belonging.add_users(held, RecordKind::Account, account)?;
        }
        Ok(belonging)
    }

    fn to_organizations(held: &Held, organizations: &NameSet) -> Result<Belonging, ReadError> {
        let mut belonging = Belonging { organizations: organizations.clone(), ..Belonging::default() };
        for organization in organizations {
            let id = held.ids.record(RecordKind::Organization, organization);
            belonging.add_users(held, RecordKind::Organization, organization)?;
            for account in held.children_of((RecordKind::Organization, id), RecordKind::Account)? {
                belonging.add_users(held, RecordKind::Account, &account.external_id)?;
                belonging.accounts.insert(account.external_id.clone());
            }
        }
        Ok(belonging)
    }

    /// Adds the users of a record, and their anonymous ids.
    fn add_users(&mut self, held: &Held, kind: RecordKind, name: &str) -> Result<(), ReadError> {
        let users = held.children_of((kind, held.ids.record(kind, name)), RecordKind::User)?;
        self.users.extend(users.into_iter().map(|user| user.external_id.clone()));
        add_anonymous(held, kind, name, &mut self.anonymous)
    }
}

/// Adds the names of the anonymous ids that are found from a record.
fn add_anonymous(held: &Held, kind: RecordKind, name: &str, names: &mut NameSet) -> Result<(), ReadError> {
    let found = held.children_of((kind, held.ids.record(kind, name)), RecordKind::Anonymous)?;
    names.extend(found.into_iter().map(|anonymous| anonymous.external_id.clone()));
    Ok(())
}
