//! How many users an organization has, kept as links and accounts come and go.
//!
//! A user belongs to an organization once, by however many ways: a link of its own, or a link to any of the
//! organization's accounts. So a change counts only if no other way is left, or was there before; which makes the count
//! a function of what stands, whatever came first.

use crate::{
    change::{Ledger, NewProfile},
    id::RecordId,
    kind::RecordKind,
    profile::{Body, Profile},
    time::Micros,
};

/// A user's link to a parent stands since just now, or stands no longer.
pub fn link<L: Ledger>(
    ledger: &mut L,
    received_at: Micros,
    user: RecordId,
    parent: (RecordKind, RecordId),
    stands: bool,
) -> Result<(), L::Error> {
    let organization = match parent.0 {
        RecordKind::Organization => Some(parent.1),
        RecordKind::Account
        | RecordKind::User
        | RecordKind::Instance
        | RecordKind::CustomObject
        | RecordKind::NpsResponse
        | RecordKind::Anonymous => organization_of(ledger, parent.1)?,
    };
    let Some(organization) = organization else { return Ok(()) };
    if ways(ledger, user, parent)?.contains(&organization) {
        return Ok(());
    }
    count(ledger, received_at, organization, stands)
}

/// A user is about to be no more.
pub fn user_gone<L: Ledger>(ledger: &mut L, user: RecordId) -> Result<(), L::Error> {
    let mut organizations = ways(ledger, user, (RecordKind::User, user))?;
    organizations.sort_unstable();
    organizations.dedup();
    organizations.into_iter().try_for_each(|organization| count(ledger, Micros::MIN, organization, false))
}

/// An account has moved from one organization to another, with all its users.
pub(crate) fn account_moved<L: Ledger>(
    ledger: &mut L,
    received_at: Micros,
    account: RecordId,
    left: Option<RecordId>,
    joined: Option<RecordId>,
) -> Result<(), L::Error> {
    let parent = (RecordKind::Account, account);
    let users = |profile: &Profile| profile.as_account().map_or(0, |account| account.users_count);
    if ledger.look(parent.0, parent.1, users)?.unwrap_or(0) == 0 {
        return Ok(());
    }
    for user in ledger.children(parent, RecordKind::User)? {
        if !ledger.look(RecordKind::User, user, |profile| is_linked(profile, account))?.unwrap_or(false) {
            continue;
        }
        let ways = ways(ledger, user, parent)?;
        for (organization, joins) in [(left, false), (joined, true)] {
            if let Some(organization) = organization.filter(|organization| !ways.contains(organization)) {
                count(ledger, received_at, organization, joins)?;
            }
        }
    }
    Ok(())
}

fn is_linked(user: &Profile, account: RecordId) -> bool {
    let links = user.as_user().map_or(&[][..], |user| user.accounts.links());
    links.iter().any(|link| link.parent == account && link.stands())
}

/// The organizations a user belongs to, leaving out one parent.
fn ways<L: Ledger>(ledger: &mut L, user: RecordId, but: (RecordKind, RecordId)) -> Result<Vec<RecordId>, L::Error> {
    let standing = |profile: &Profile| {
        let Some(user) = profile.as_user() else { return (Vec::new(), Vec::new()) };
        let of = |kind: RecordKind, links: &[crate::association::Link]| {
            let others = links.iter().filter(|link| link.stands() && (kind, link.parent) != but);
            others.map(|link| link.parent).collect::<Vec<RecordId>>()
        };
        (of(RecordKind::Organization, user.organizations.links()), of(RecordKind::Account, user.accounts.links()))
    };
    let (mut organizations, accounts) = ledger.look(RecordKind::User, user, standing)?.unwrap_or_default();
    for account in accounts {
        organizations.extend(organization_of(ledger, account)?);
    }
    Ok(organizations)
}

fn organization_of<L: Ledger>(ledger: &mut L, account: RecordId) -> Result<Option<RecordId>, L::Error> {
    let organization = |profile: &Profile| Some(profile.as_account()?.parent()?.id);
    Ok(ledger.look(RecordKind::Account, account, organization)?.flatten())
}

fn count<L: Ledger>(ledger: &mut L, received_at: Micros, id: RecordId, joins: bool) -> Result<(), L::Error> {
    let new = NewProfile { kind: RecordKind::Organization, id, external_id: "", received_at };
    let profile = ledger.profile(new)?;
    profile.touch(received_at);
    if let Body::Organization(organization) = &mut profile.body {
        let count = organization.users_count;
        organization.users_count = if joins { count.saturating_add(1) } else { count.saturating_sub(1) };
    }
    Ok(())
}
