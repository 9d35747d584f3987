//! One file per kind of message: how it is checked, what it changes.
//!
//! Every sibling has the same two functions in the same order: `check` says which fields the kind needs, `apply` folds
//! a checked message into the records it concerns. What all kinds share in checking lies in `fields`.

/// Reading one field of a draft into a value that cannot be wrong.
pub mod fields;

/// What an organization message needs and changes.
pub mod organization;

/// What an account message needs and changes.
pub mod account;

/// What a user message needs and changes.
pub mod user;

/// What a track message needs and changes.
pub mod track;

/// What an unlink message needs and changes.
pub mod unlink;

/// What a custom object instance message needs and changes.
pub mod custom_object_instance;

/// What a custom object message needs and changes.
pub mod custom_object;

/// What an NPS response message needs and changes.
pub mod nps_response;

/// What the end of a membership needs and changes.
pub mod leave;

use crate::{
    draft::Draft,
    id::IdSpace,
    kind::Kind,
    limits::MessageLimits,
    message::Message,
    rejection::{Code, Rejection},
    time::Micros,
};
use fields::Fields;

/// What a check needs to know besides the message.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// Derives the ids of records.
    pub ids: IdSpace,
    /// The time of receipt.
    pub received_at: Micros,
    /// Bounds of one message.
    pub limits: MessageLimits,
}

/// Checks a message whose kind is stated by its own `type`.
pub fn check_typed<'a>(draft: &Draft<'a>, context: &Context) -> Result<Message<'a>, Rejection> {
    weigh(draft, &context.limits)?;
    let kind = fields::kind(draft.kind)?;
    check_kind(kind, draft, context)
}

/// Checks a message whose kind is known, as on a path of its own.
pub fn check<'a>(kind: Kind, draft: &Draft<'a>, context: &Context) -> Result<Message<'a>, Rejection> {
    weigh(draft, &context.limits)?;
    check_kind(kind, draft, context)
}

fn check_kind<'a>(kind: Kind, draft: &Draft<'a>, context: &Context) -> Result<Message<'a>, Rejection> {
    let fields = Fields::read(kind, draft, context)?;
    match kind {
        Kind::Organization => organization::check(fields),
        Kind::Account => account::check(fields),
        Kind::User => user::check(fields),
        Kind::Track => track::check(fields),
        Kind::Unlink => unlink::check(fields),
        Kind::CustomObjectInstance => custom_object_instance::check(fields),
        Kind::CustomObject => custom_object::check(fields),
        Kind::NpsResponse => nps_response::check(fields),
        Kind::Leave => leave::check(fields),
    }
}

/// Size, keys and depth come first: they bound the work of everything after.
fn weigh(draft: &Draft<'_>, limits: &MessageLimits) -> Result<(), Rejection> {
    let refuse = |code, message: String| Err(Rejection::new(code, "", message));
    if draft.not_an_object {
        let message = "a message must be a JSON object, such as {\"type\":\"track\",…}; send one object per message";
        return refuse(Code::NotAnObject, message.to_owned());
    }
    if draft.text.len() > limits.message_bytes_max {
        let (bytes, max) = (draft.text.len(), limits.message_bytes_max);
        let message =
            format!("the message has {bytes} bytes, at most {max} are accepted; send fewer or smaller values");
        return refuse(Code::MessageTooLarge, message);
    }
    if draft.too_deep {
        let max = limits.message_depth_max;
        let message =
            format!("the message is nested more than {max} levels deep; flatten it, or send the deep part as a string");
        return refuse(Code::TooDeep, message);
    }
    if draft.keys > limits.message_keys_max {
        let (keys, max) = (draft.keys, limits.message_keys_max);
        let message =
            format!("the message has {keys} keys, at most {max} are accepted; split it into several messages");
        return refuse(Code::TooManyKeys, message);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
