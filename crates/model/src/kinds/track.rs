//! What a track message needs and changes.

use super::fields::{Fields, name};
use crate::{
    association::{Answer, resolve},
    change::{Ledger, NewProfile, named_profile},
    kind::RecordKind,
    message::Message,
    profile::{Body, Profile},
    rejection::{Code, Rejection},
    ties,
    time::Micros,
};

/// `event` is required, and one of `userId`, `accountId`, `organizationId`; someone anonymous will do as well.
pub(super) fn check<'a>(fields: Fields<'_, 'a>) -> Result<Message<'a>, Rejection> {
    let event = match fields.draft.event {
        Some(raw) => name("event", raw, Code::InvalidEvent)?,
        None => None,
    };
    if event.is_none() {
        return Err(Rejection::new(
            Code::MissingField,
            "/event",
            "event is required in a message of type track: send the event's name as a non-empty string",
        ));
    }
    if !fields.names_subject() && !fields.names_anonymous() {
        return Err(Rejection::new(
            Code::TrackNeedsSubject,
            "/userId",
            "a track needs one of userId, accountId and organizationId to belong to; send at least one",
        ));
    }
    fields.into_message(event)
}

/// Moves first and last seen; makes no link.
pub(crate) fn apply<L: Ledger>(ledger: &mut L, message: &Message<'_>) -> Result<(), L::Error> {
    let (at, received_at) = (message.ordered_at(), message.received_at);
    let loose = message.account.is_none();
    let user = match (&message.user, &message.anonymous) {
        (Some(user), _) => Some(user.id),
        (None, Some(anonymous)) => ties::take_track(ledger, message, anonymous)?,
        (None, None) => None,
    };
    let mut follows = None;
    if let Some(id) = user {
        let profile = ledger.profile(NewProfile { kind: RecordKind::User, id, external_id: "", received_at })?;
        profile.touch(received_at);
        if let Body::User(user) = &mut profile.body {
            user.seen.take_in(at);
            if loose {
                user.seen_loose.take_in(at);
                follows = Some((id, user.accounts.at(at)));
            }
        }
    }
    if let Some(account) = &message.account {
        see(named_profile(ledger, RecordKind::Account, account, message)?, at, true);
        return Ok(());
    }
    let follows = match follows {
        Some((user, Answer::NeedsStatements)) => resolve(&ledger.statements(user, RecordKind::Account)?, at),
        Some((_, Answer::Known(account))) => account,
        None => None,
    };
    if let Some(id) = follows {
        let profile = ledger.profile(NewProfile { kind: RecordKind::Account, id, external_id: "", received_at })?;
        profile.touch(received_at);
        see(profile, at, false);
    }
    Ok(())
}

fn see(profile: &mut Profile, at: Micros, named: bool) {
    if let Body::Account(account) = &mut profile.body {
        account.seen.take_in(at);
        if named {
            account.seen_named.take_in(at);
        }
    }
}
