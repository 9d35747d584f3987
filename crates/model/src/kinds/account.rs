//! What an account message needs and changes.

use super::fields::Fields;
use crate::{
    change::{Ledger, NewProfile, describe, named_profile},
    id::RecordId,
    kind::RecordKind,
    members,
    message::{Message, Named},
    nps,
    profile::{Body, Parent},
    register::merge_option,
    rejection::Rejection,
};

/// `accountId` is required.
pub(super) fn check<'a>(mut fields: Fields<'_, 'a>) -> Result<Message<'a>, Rejection> {
    fields.account_id = fields.require(|fields| &mut fields.account_id, "accountId")?;
    fields.into_message(None)
}

/// States the account's traits and, if it names one, its organization.
pub(crate) fn apply<L: Ledger>(ledger: &mut L, message: &Message<'_>) -> Result<(), L::Error> {
    let Some(named) = &message.account else { return Ok(()) };
    describe(named_profile(ledger, RecordKind::Account, named, message)?, message);
    match &message.organization {
        Some(organization) => join(ledger, message, named, Some(organization)),
        None => Ok(()),
    }
}

/// States the account's organization, or that it has none.
pub(super) fn join<L: Ledger>(
    ledger: &mut L,
    message: &Message<'_>,
    named: &Named<'_>,
    organization: Option<&Named<'_>>,
) -> Result<(), L::Error> {
    let Body::Account(account) = &mut named_profile(ledger, RecordKind::Account, named, message)?.body else {
        return Ok(());
    };
    let left = account.parent().map(|parent| parent.id);
    let joined = organization.map(|organization| organization.id);
    let parent = |named: &Named<'_>| Parent { id: named.id, external_id: named.external_id.as_ref().into() };
    let stands = merge_option(&mut account.organization, message.stamp(), || organization.map(parent));
    if left == joined {
        return Ok(());
    }
    if let Some(id) = joined {
        // Also when a later statement stands: who ever named a parent does not depend on the order of arrival.
        ledger.relate((RecordKind::Organization, id), (RecordKind::Account, named.id));
    }
    if !stands {
        return Ok(());
    }
    count_account(ledger, message, left, |count| count.saturating_sub(1))?;
    count_account(ledger, message, joined, |count| count.saturating_add(1))?;
    members::account_moved(ledger, message.received_at, named.id, left, joined)?;
    nps::account_moved(ledger, message.received_at, named.id, left, joined)
}

fn count_account<L: Ledger>(
    ledger: &mut L,
    message: &Message<'_>,
    organization: Option<RecordId>,
    change: impl FnOnce(u32) -> u32,
) -> Result<(), L::Error> {
    let Some(id) = organization else { return Ok(()) };
    let received_at = message.received_at;
    let new = NewProfile { kind: RecordKind::Organization, id, external_id: "", received_at };
    let profile = ledger.profile(new)?;
    profile.touch(received_at);
    if let Body::Organization(organization) = &mut profile.body {
        organization.accounts_count = change(organization.accounts_count);
    }
    Ok(())
}
