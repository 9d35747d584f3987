//! What an unlink message needs and changes.

use super::fields::Fields;
use crate::{
    change::{Ledger, associate},
    kind::RecordKind,
    message::Message,
    rejection::Rejection,
};

/// `userId` and `accountId` are required.
pub(super) fn check<'a>(mut fields: Fields<'_, 'a>) -> Result<Message<'a>, Rejection> {
    fields.user_id = fields.require(|fields| &mut fields.user_id, "userId")?;
    fields.account_id = fields.require(|fields| &mut fields.account_id, "accountId")?;
    fields.into_message(None)
}

/// Ends the link between the user and the account; both stay.
pub(crate) fn apply<L: Ledger>(ledger: &mut L, message: &Message<'_>) -> Result<(), L::Error> {
    match &message.account {
        Some(account) => associate(ledger, message, RecordKind::Account, account, false),
        None => Ok(()),
    }
}
