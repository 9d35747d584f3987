//! Which user an anonymous id is, and when.
//!
//! A tie is a statement about an anonymous id and a user, and the rule is that of links ([`crate::association`]): at an
//! instant the latest tie at or before it decides, or else the first one afterwards. Nothing ends a tie but a later one.
//! What an anonymous id did and named no user for belongs to the user that it was then; whatever follows from a user,
//! such as an account, follows from that one.
//!
//! First and last seen are kept with the user as for tracks that name it. A tie that may move tracks from one user to
//! another marks both, and the accounts they may have been with.

use crate::{
    association::{Answer, Statement, resolve},
    change::{Ledger, NewProfile, named_profile},
    id::RecordId,
    kind::RecordKind,
    message::{Message, Named},
    profile::{Body, Span, User},
    register::Stamp,
    time::Micros,
};

/// When an anonymous id did something: at all, and without naming an account.
#[derive(Clone, Copy)]
struct Did {
    all: Span,
    loose: Span,
    /// Whether they are no longer than what it did.
    exact: bool,
}

/// Notes a track that names an anonymous id and no user; the user that it was at that instant, as far as is known.
pub(crate) fn take_track<L: Ledger>(
    ledger: &mut L,
    message: &Message<'_>,
    anonymous: &Named<'_>,
) -> Result<Option<RecordId>, L::Error> {
    let at = message.ordered_at();
    let profile = named_profile(ledger, RecordKind::Anonymous, anonymous, message)?;
    let Body::Anonymous(body) = &mut profile.body else { return Ok(None) };
    body.seen.take_in(at);
    if message.account.is_none() {
        body.seen_loose.take_in(at);
    }
    match body.users.at(at) {
        Answer::Known(user) => Ok(user),
        Answer::NeedsStatements => Ok(resolve(&ledger.statements(anonymous.id, RecordKind::User)?, at)),
    }
}

/// Takes a tie between the message's user and an anonymous id into the store.
pub(crate) fn tie<L: Ledger>(
    ledger: &mut L,
    message: &Message<'_>,
    user: &Named<'_>,
    anonymous: &Named<'_>,
) -> Result<(), L::Error> {
    let statement = Statement { stamp: message.stamp(), parent: user.id, links: true };
    ledger.keep_statement(anonymous.id, RecordKind::User, statement);
    let profile = named_profile(ledger, RecordKind::Anonymous, anonymous, message)?;
    let Body::Anonymous(body) = &mut profile.body else { return Ok(()) };
    let did = Did { all: body.seen, loose: body.seen_loose, exact: !body.stale };
    let merged = body.users.merge(statement, &user.external_id);
    let users: Vec<RecordId> = body.users.links().iter().map(|link| link.parent).collect();
    if merged.first_heard {
        relate(ledger, message, user, anonymous)?;
    }
    let Some(last) = did.all.last() else { return Ok(()) };
    let received_at = message.received_at;
    match (merged.before, merged.after) {
        // The first user of all takes what waited for one.
        (None, Some(first)) if did.exact => gain(ledger, received_at, first, did),
        (None, Some(first)) => doubt(ledger, received_at, first, did),
        _ if merged.rewrites_past => users.into_iter().try_for_each(|user| doubt(ledger, received_at, user, did)),
        (Some(before), Some(after)) if before != after && last >= statement.stamp.at => {
            doubt(ledger, received_at, before, did)?;
            doubt(ledger, received_at, after, did)
        }
        _ => Ok(()),
    }
}

/// Has the anonymous id found from the user and from every parent that was ever named for the user.
fn relate<L: Ledger>(
    ledger: &mut L,
    message: &Message<'_>,
    user: &Named<'_>,
    anonymous: &Named<'_>,
) -> Result<(), L::Error> {
    let Body::User(body) = &mut named_profile(ledger, RecordKind::User, user, message)?.body else { return Ok(()) };
    body.tied = true;
    let parents: Vec<(RecordKind, RecordId)> = body.parents().chain([(RecordKind::User, user.id)]).collect();
    for parent in parents {
        ledger.relate(parent, (RecordKind::Anonymous, anonymous.id));
    }
    Ok(())
}

/// Everything that an anonymous id did is this user's from now on.
fn gain<L: Ledger>(ledger: &mut L, received_at: Micros, user: RecordId, did: Did) -> Result<(), L::Error> {
    let Some(body) = touched_user(ledger, received_at, user)? else { return Ok(()) };
    body.seen.join(did.all);
    body.seen_loose.join(did.loose);
    let Some(first) = did.loose.first() else { return Ok(()) };
    // Known at the first instant means the same at every later one.
    let known = body.accounts.at(first);
    for account in linked(body) {
        let new = NewProfile { kind: RecordKind::Account, id: account, external_id: "", received_at };
        let profile = ledger.profile(new)?;
        profile.touch(received_at);
        let Body::Account(body) = &mut profile.body else { continue };
        match known {
            Answer::Known(Some(id)) if id == account => body.seen.join(did.loose),
            Answer::Known(_) => {}
            Answer::NeedsStatements => body.seen_stale = true,
        }
    }
    Ok(())
}

/// Some of what an anonymous id did may be this user's now, or be it no more.
fn doubt<L: Ledger>(ledger: &mut L, received_at: Micros, user: RecordId, did: Did) -> Result<(), L::Error> {
    let Some(body) = touched_user(ledger, received_at, user)? else { return Ok(()) };
    body.seen.join(did.all);
    body.seen_stale = true;
    if did.loose.bounds().is_none() {
        return Ok(());
    }
    body.seen_loose.join(did.loose);
    body.loose_stale = true;
    for account in linked(body) {
        let new = NewProfile { kind: RecordKind::Account, id: account, external_id: "", received_at };
        let profile = ledger.profile(new)?;
        profile.touch(received_at);
        if let Body::Account(account) = &mut profile.body {
            account.seen_stale = true;
        }
    }
    Ok(())
}

fn touched_user<L: Ledger>(ledger: &mut L, received_at: Micros, id: RecordId) -> Result<Option<&mut User>, L::Error> {
    let profile = ledger.profile(NewProfile { kind: RecordKind::User, id, external_id: "", received_at })?;
    profile.touch(received_at);
    Ok(if let Body::User(user) = &mut profile.body { Some(user) } else { None })
}

/// Every account that the user was ever linked to.
fn linked(user: &User) -> Vec<RecordId> {
    let ever = user.accounts.links().iter().filter(|link| link.linked > Stamp::NEVER);
    ever.map(|link| link.parent).collect()
}

/// Instants from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    pub first: Micros,
    pub last: Micros,
}

impl Stretch {
    /// Whether an instant is one of them.
    #[must_use]
    pub fn holds(&self, at: Micros) -> bool {
        self.first <= at && at <= self.last
    }
}

/// When an anonymous id was this user, from all ties about it in any order: stretches in the order of time, neighbours
/// joined.
#[must_use]
pub fn stretches(ties: &[Statement], user: RecordId) -> Vec<Stretch> {
    let mut ties = ties.to_vec();
    ties.sort_unstable_by_key(|tie| tie.stamp);
    let mut found: Vec<Stretch> = Vec::new();
    for (number, tie) in ties.iter().enumerate() {
        let first = if number == 0 { Micros::MIN } else { tie.stamp.at };
        let last = ties.get(number + 1).map_or(Micros::MAX, |next| next.stamp.at.plus_micros(-1));
        if tie.parent != user || last < first {
            continue;
        }
        match found.last_mut() {
            Some(before) if before.last.plus_micros(1) == first => before.last = last,
            _ => found.push(Stretch { first, last }),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Identity;

    fn ties(ties: &[(i64, u128)]) -> Vec<Statement> {
        let tie = |(number, (at, user)): (usize, &(i64, u128))| {
            let stamp = Stamp { at: Micros(*at), by: Identity(number as u128) };
            Statement { stamp, parent: RecordId(*user), links: true }
        };
        ties.iter().enumerate().map(tie).collect()
    }

    #[test]
    fn stretches_are_where_the_rule_says_that_it_is_the_user() {
        for story in [
            &[(5, 1)][..],
            &[(5, 1), (7, 2)],
            &[(5, 1), (6, 1), (7, 2), (9, 1)],
            &[(5, 1), (5, 2), (5, 1), (8, 2)],
            &[(3, 2), (4, 1), (4, 2), (6, 1), (6, 1)],
            &[],
        ] {
            let known = ties(story);
            for user in [1, 2, 3] {
                let stretches = stretches(&known, RecordId(user));
                assert!(stretches.is_sorted_by(|one, other| one.last < other.first), "{story:?} {stretches:?}");
                for at in 0..12 {
                    let is = resolve(&known, Micros(at)) == Some(RecordId(user));
                    let held = stretches.iter().any(|stretch| stretch.holds(Micros(at)));
                    assert_eq!(held, is, "{story:?}: user {user} at {at}");
                }
            }
        }
    }
}
