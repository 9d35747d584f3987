//! What an organization message needs and changes.

use super::fields::Fields;
use crate::{
    change::{Ledger, describe, named_profile},
    kind::RecordKind,
    message::Message,
    rejection::Rejection,
};

/// `organizationId` is required.
pub(super) fn check<'a>(mut fields: Fields<'_, 'a>) -> Result<Message<'a>, Rejection> {
    fields.organization_id = fields.require(|fields| &mut fields.organization_id, "organizationId")?;
    fields.into_message(None)
}

/// States the organization's traits.
pub(crate) fn apply<L: Ledger>(ledger: &mut L, message: &Message<'_>) -> Result<(), L::Error> {
    if let Some(named) = &message.organization {
        describe(named_profile(ledger, RecordKind::Organization, named, message)?, message);
    }
    Ok(())
}
