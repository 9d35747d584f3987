//! What an NPS response message needs and changes.

use super::fields::Fields;
use crate::{
    change::{Ledger, describe, named_profile},
    id::RecordId,
    kind::RecordKind,
    message::{Message, Named},
    nps,
    profile::{Body, Parent},
    register::merge_option,
    rejection::Rejection,
};

/// `externalId` and `userId` are required; score, feedback and times stand in `traits`.
pub(super) fn check<'a>(mut fields: Fields<'_, 'a>) -> Result<Message<'a>, Rejection> {
    fields.external_id = fields.require(|fields| &mut fields.external_id, "externalId")?;
    fields.user_id = fields.require(|fields| &mut fields.user_id, "userId")?;
    fields.into_message(None)
}

/// States the response's traits and whose it is, and what follows for the user and whoever counts the user.
pub(crate) fn apply<L: Ledger>(ledger: &mut L, message: &Message<'_>) -> Result<(), L::Error> {
    let (Some(named), Some(user)) = (&message.response, &message.user) else { return Ok(()) };
    let profile = named_profile(ledger, RecordKind::NpsResponse, named, message)?;
    let before = nps::standing(profile);
    describe(profile, message);
    let Body::NpsResponse(response) = &mut profile.body else { return Ok(()) };
    let parent = || Parent { id: user.id, external_id: user.external_id.as_ref().into() };
    merge_option(&mut response.user, message.stamp(), parent);
    let after = nps::standing(profile);
    if before.map(|(whose, _)| whose) != Some(user.id) {
        relate(ledger, message, named, user)?;
    }
    let mut users: Vec<RecordId> = [before, after].into_iter().flatten().map(|(whose, _)| whose).collect();
    users.push(user.id);
    users.sort_unstable();
    users.dedup();
    for id in users {
        let profile = named_profile(ledger, RecordKind::User, &Named { id, external_id: "".into() }, message)?;
        profile.touch(message.received_at);
        let answer = after.filter(|(whose, _)| *whose == id).and_then(|(_, answer)| answer);
        nps::answer_changed(ledger, message.received_at, id, named.id, answer)?;
    }
    Ok(())
}

/// Has the response found from the user and from every parent that was ever named for the user.
fn relate<L: Ledger>(
    ledger: &mut L,
    message: &Message<'_>,
    named: &Named<'_>,
    user: &Named<'_>,
) -> Result<(), L::Error> {
    let Body::User(body) = &mut named_profile(ledger, RecordKind::User, user, message)?.body else { return Ok(()) };
    body.nps.heard = true;
    let parents: Vec<(RecordKind, RecordId)> = body.parents().chain([(RecordKind::User, user.id)]).collect();
    for parent in parents {
        ledger.relate(parent, (RecordKind::NpsResponse, named.id));
    }
    Ok(())
}
