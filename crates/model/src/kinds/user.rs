//! What a user message needs and changes.

use super::fields::{Fields, Given};
use crate::{
    change::{Ledger, associate, describe, named_profile},
    kind::RecordKind,
    message::Message,
    rejection::{Code, Rejection},
    ties,
};

/// `userId` is required, and the field `accountId` or `organizationId` must be there: an explicit `null` or `""` states
/// that there is no parent, a message without either field most likely forgot it. Someone anonymous has no `userId` yet; what is said of them is
/// kept and changes no profile.
pub(super) fn check<'a>(mut fields: Fields<'_, 'a>) -> Result<Message<'a>, Rejection> {
    if fields.names_anonymous() && fields.user_id.clone().text().is_none() {
        return fields.into_message(None);
    }
    fields.user_id = fields.require(|fields| &mut fields.user_id, "userId")?;
    let ours = fields.draft.origin.is_none() && !fields.draft.taken_before;
    if ours && fields.account_id == Given::Missing && fields.organization_id == Given::Missing {
        return Err(Rejection::new(
            Code::UserNeedsParent,
            "/accountId",
            "a user needs accountId or organizationId; send the account the user belongs to, \
             or accountId: null to state that there is none",
        ));
    }
    fields.into_message(None)
}

/// States the user's traits, links it to the parents named, and ties an anonymous id to it.
pub(crate) fn apply<L: Ledger>(ledger: &mut L, message: &Message<'_>) -> Result<(), L::Error> {
    let Some(named) = &message.user else { return Ok(()) };
    describe(named_profile(ledger, RecordKind::User, named, message)?, message);
    if let Some(account) = &message.account {
        associate(ledger, message, RecordKind::Account, account, true)?;
    }
    if let Some(organization) = &message.organization {
        associate(ledger, message, RecordKind::Organization, organization, true)?;
    }
    if let Some(anonymous) = &message.anonymous {
        ties::tie(ledger, message, named, anonymous)?;
    }
    Ok(())
}
