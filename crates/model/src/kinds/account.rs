//! What an account message needs and changes.

use super::fields::Fields;
use crate::{
    change::{Ledger, NewProfile, describe, named_profile},
    id::RecordId,
    kind::RecordKind,
    message::{Message, Named},
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
    let profile = named_profile(ledger, RecordKind::Account, named, message)?;
    describe(profile, message);
    let (Some(organization), Body::Account(account)) = (&message.organization, &mut profile.body) else {
        return Ok(());
    };
    let left = account.organization.as_ref().map(|register| register.value().id);
    let parent = || Parent { id: organization.id, external_id: organization.external_id.as_ref().into() };
    let stands = merge_option(&mut account.organization, message.stamp(), parent);
    if left == Some(organization.id) {
        return Ok(());
    }
    // Also when a later statement stands: who ever named a parent does not depend on the order of arrival.
    ledger.relate((RecordKind::Organization, organization.id), (RecordKind::Account, named.id));
    if stands { move_account(ledger, message, left, organization) } else { Ok(()) }
}

fn move_account<L: Ledger>(
    ledger: &mut L,
    message: &Message<'_>,
    left: Option<RecordId>,
    joined: &Named<'_>,
) -> Result<(), L::Error> {
    let received_at = message.received_at;
    if let Some(id) = left {
        let new = NewProfile { kind: RecordKind::Organization, id, external_id: "", received_at };
        let profile = ledger.profile(new)?;
        profile.touch(received_at);
        if let Body::Organization(organization) = &mut profile.body {
            organization.accounts_count = organization.accounts_count.saturating_sub(1);
        }
    }
    if let Body::Organization(organization) =
        &mut named_profile(ledger, RecordKind::Organization, joined, message)?.body
    {
        organization.accounts_count = organization.accounts_count.saturating_add(1);
    }
    Ok(())
}
