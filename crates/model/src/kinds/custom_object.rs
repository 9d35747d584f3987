//! What a custom object message needs and changes.

use super::fields::Fields;
use crate::{
    change::{Ledger, describe, named_profile},
    kind::RecordKind,
    message::Message,
    rejection::Rejection,
};

/// `customObjectId` is required; name, label and whatever else describes the object stand in `traits`.
pub(super) fn check<'a>(mut fields: Fields<'_, 'a>) -> Result<Message<'a>, Rejection> {
    fields.custom_object_id = fields.require(|fields| &mut fields.custom_object_id, "customObjectId")?;
    fields.into_message(None)
}

/// States the object's traits.
pub(crate) fn apply<L: Ledger>(ledger: &mut L, message: &Message<'_>) -> Result<(), L::Error> {
    if let Some(named) = &message.custom_object {
        describe(named_profile(ledger, RecordKind::CustomObject, named, message)?, message);
    }
    Ok(())
}
