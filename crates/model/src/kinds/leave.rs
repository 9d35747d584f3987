//! What the end of a membership needs and changes.
//!
//! A user leaves an organization, an account leaves its organization, an instance leaves its account or organization.
//! What leaves and what is left both stay. An `unlink` of senders ends a user's link to an account; this is the rest.

use super::{account, custom_object_instance, fields::Fields};
use crate::{
    change::{Ledger, associate},
    kind::RecordKind,
    message::Message,
    rejection::{Code, Rejection},
};

/// `externalId` and `customObjectId` with `accountId` or `organizationId`; or `organizationId` with `userId` or
/// `accountId`.
pub(super) fn check<'a>(mut fields: Fields<'_, 'a>) -> Result<Message<'a>, Rejection> {
    if fields.names_instance() {
        fields.external_id = fields.require(|fields| &mut fields.external_id, "externalId")?;
        fields.custom_object_id = fields.require(|fields| &mut fields.custom_object_id, "customObjectId")?;
    } else {
        fields.organization_id = fields.require(|fields| &mut fields.organization_id, "organizationId")?;
    }
    if !fields.names_subject() || !(fields.names_instance() || fields.names_member()) {
        return Err(Rejection::new(Code::MissingField, "/accountId", "say who leaves what: two records are needed"));
    }
    fields.into_message(None)
}

/// Ends the membership.
pub(crate) fn apply<L: Ledger>(ledger: &mut L, message: &Message<'_>) -> Result<(), L::Error> {
    match (&message.instance, &message.user, &message.account, &message.organization) {
        (Some(_), ..) => custom_object_instance::leave(ledger, message),
        (None, Some(_), _, Some(organization)) => {
            associate(ledger, message, RecordKind::Organization, organization, false)
        }
        (None, None, Some(named), Some(_)) => account::join(ledger, message, named, None),
        (None, ..) => Ok(()),
    }
}
