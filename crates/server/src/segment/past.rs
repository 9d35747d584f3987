//! Calls that were received before, by this server or another.
//!
//! An archive holds a call as whoever received it left it: its timestamp is corrected already where there is the original
//! one beside it, and members were added to it. So its clock is not corrected twice, and what it says in full contradicts
//! nothing that was stored under its id.

use muster_model::{kinds::Context, message::CONTENT_UNKNOWN, message::Message, rejection::Rejection};

use super::{call::Call, clock, tally};

/// Gives a call its meaning and applies the rules, as of the time of receipt in the context. `each` gets its messages when
/// all of them are good.
pub(crate) fn check_past(
    text: &str,
    context: &Context,
    organization_trait: &str,
    mut each: impl FnMut(&Message<'_>),
) -> Result<(), Rejection> {
    let call = Call::read(text.trim_ascii(), None, None, context.limits.message_depth_max);
    let placed = clock::place_past(&call, context.received_at);
    tally::judge(&call, &placed, context, organization_trait, |message| {
        each(&Message { content: CONTENT_UNKNOWN, ..message.clone() });
    })
}
