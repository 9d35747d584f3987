//! Folding one message into the records it concerns.
//!
//! `apply` is the only way state changes. It sees a store as a `Ledger`; whatever the store, the same messages
//! leave the same profiles, whichever came first. It must be given each message once: the counts it keeps count only
//! what the duplicate check let through.

use crate::{
    association::{Associations, Merged, Statement},
    id::RecordId,
    kind::{Kind, RecordKind},
    kinds, members,
    message::{Message, Named},
    nps,
    profile::{Body, Profile, Span, User},
    time::Micros,
};

/// What folding needs of a store.
pub trait Ledger {
    /// Why the store could not be read.
    type Error;

    /// The profile, created empty if there is none yet.
    fn profile(&mut self, new: NewProfile<'_>) -> Result<&mut Profile, Self::Error>;

    /// All statements ever recorded about a user and parents of one kind, in any order; with users for parents, about an
    /// anonymous id.
    fn statements(&mut self, user: RecordId, parents: RecordKind) -> Result<Vec<Statement>, Self::Error>;

    /// Keeps a statement for [`Ledger::statements`].
    fn keep_statement(&mut self, user: RecordId, parents: RecordKind, statement: Statement);

    /// The records of kind `children` that ever named `parent`, in any order, each once.
    fn children(&mut self, parent: (RecordKind, RecordId), children: RecordKind) -> Result<Vec<RecordId>, Self::Error>;

    /// A look at a profile that is not to be changed; nothing if there is none.
    fn look<T>(
        &mut self,
        kind: RecordKind,
        id: RecordId,
        look: impl FnOnce(&Profile) -> T,
    ) -> Result<Option<T>, Self::Error>;

    /// Notes that `child` named `parent` for the first time, so that it is found from there.
    fn relate(&mut self, parent: (RecordKind, RecordId), child: (RecordKind, RecordId));
}

/// Which profile is meant, and what it starts with if it does not exist.
#[derive(Clone, Copy, Debug)]
pub struct NewProfile<'a> {
    pub kind: RecordKind,
    pub id: RecordId,
    pub external_id: &'a str,
    pub received_at: Micros,
}

/// Folds a message into the store.
pub fn apply<L: Ledger>(ledger: &mut L, message: &Message<'_>) -> Result<(), L::Error> {
    for (kind, id, external_id) in kinds::fields::named(message) {
        let profile = ledger.profile(NewProfile { kind, id, external_id, received_at: message.received_at })?;
        profile.touch(message.received_at);
        if kind == RecordKind::CustomObject {
            prefer_name(profile, external_id);
        }
        profile.first_known = profile.first_known.min(message.ordered_at());
    }
    match message.kind {
        Kind::Organization => kinds::organization::apply(ledger, message),
        Kind::Account => kinds::account::apply(ledger, message),
        Kind::User => kinds::user::apply(ledger, message),
        Kind::Track => kinds::track::apply(ledger, message),
        Kind::Unlink => kinds::unlink::apply(ledger, message),
        Kind::CustomObjectInstance => kinds::custom_object_instance::apply(ledger, message),
        Kind::CustomObject => kinds::custom_object::apply(ledger, message),
        Kind::NpsResponse => kinds::nps_response::apply(ledger, message),
        Kind::Leave => kinds::leave::apply(ledger, message),
    }
}

/// A custom object may be named by its UUID, in any spelling, or by the name from which that follows. There is one such
/// name at most, so it does not matter what came first.
fn prefer_name(profile: &mut Profile, external_id: &str) {
    let is_uuid = |text: &str| RecordId::parse_hyphenated(text).is_some();
    if !is_uuid(&profile.external_id) {
        return;
    }
    let preferred = if is_uuid(external_id) { profile.id.to_string() } else { external_id.to_owned() };
    if profile.external_id.as_ref() != preferred {
        profile.external_id = preferred.into();
    }
}

/// The profile of a record that `message` names.
pub(crate) fn named_profile<'l, L: Ledger>(
    ledger: &'l mut L,
    kind: RecordKind,
    named: &Named<'_>,
    message: &Message<'_>,
) -> Result<&'l mut Profile, L::Error> {
    let external_id = named.external_id.as_ref();
    ledger.profile(NewProfile { kind, id: named.id, external_id, received_at: message.received_at })
}

/// States the message's traits about the record of its own kind.
pub(crate) fn describe(profile: &mut Profile, message: &Message<'_>) {
    profile.stated = true;
    let stamp = message.stamp();
    profile.traits.expect_keys(message.traits.len());
    for stated in &message.traits {
        profile.traits.state(stamp, &stated.key, stated.value);
    }
}

/// Takes a link or unlink statement about the message's user into the store.
pub(crate) fn associate<L: Ledger>(
    ledger: &mut L,
    message: &Message<'_>,
    parents: RecordKind,
    parent: &Named<'_>,
    links: bool,
) -> Result<(), L::Error> {
    let Some(user) = &message.user else { return Ok(()) };
    let statement = Statement { stamp: message.stamp(), parent: parent.id, links };
    ledger.keep_statement(user.id, parents, statement);
    let Body::User(body) = &mut named_profile(ledger, RecordKind::User, user, message)?.body else { return Ok(()) };
    let (loose, tied) = (Loose { span: body.seen_loose, exact: !body.loose_stale }, body.tied);
    let merged = associations(body, parents).merge(statement, &parent.external_id);
    let parents_named = associations(body, parents).links().iter().map(|link| link.parent);
    let others: Vec<RecordId> = if merged.rewrites_past { parents_named.collect() } else { Vec::new() };
    let answered = body.nps;
    if merged.first_heard {
        ledger.relate((parents, parent.id), (RecordKind::User, user.id));
        if answered.heard {
            find_from(ledger, (parents, parent.id), user.id, RecordKind::NpsResponse)?;
        }
        if tied {
            find_from(ledger, (parents, parent.id), user.id, RecordKind::Anonymous)?;
        }
    }
    if merged.stood != merged.stands
        && let Some(last) = answered.last
    {
        nps::link_changed(ledger, message.received_at, user.id, (parents, parent.id), last.group(), merged.stands)?;
    }
    if merged.stood != merged.stands {
        members::link(ledger, message.received_at, user.id, (parents, parent.id), merged.stands)?;
    }
    if parents != RecordKind::Account {
        return Ok(());
    }
    if merged.stood != merged.stands
        && let Body::Account(account) = &mut named_profile(ledger, parents, parent, message)?.body
    {
        account.users_count =
            if merged.stands { account.users_count.saturating_add(1) } else { account.users_count.saturating_sub(1) };
    }
    move_loose_tracks(ledger, message.received_at, statement, merged, loose, &others)
}

/// A parent was named for a user who has children of this kind: they are found from it from now on.
fn find_from<L: Ledger>(
    ledger: &mut L,
    parent: (RecordKind, RecordId),
    user: RecordId,
    kind: RecordKind,
) -> Result<(), L::Error> {
    for child in ledger.children((RecordKind::User, user), kind)? {
        ledger.relate(parent, (kind, child));
    }
    Ok(())
}

fn associations(user: &mut User, parents: RecordKind) -> &mut Associations {
    match parents {
        RecordKind::Organization => &mut user.organizations,
        RecordKind::Account
        | RecordKind::User
        | RecordKind::Instance
        | RecordKind::CustomObject
        | RecordKind::NpsResponse
        | RecordKind::Anonymous => &mut user.accounts,
    }
}

/// When a user did something that named no account.
#[derive(Clone, Copy)]
struct Loose {
    span: Span,
    exact: bool,
}

/// Keeps accounts' `seen` true when a statement changes which account a user's tracks belong to, or says that it is
/// not known any more.
fn move_loose_tracks<L: Ledger>(
    ledger: &mut L,
    received_at: Micros,
    statement: Statement,
    merged: Merged,
    loose: Loose,
    accounts: &[RecordId],
) -> Result<(), L::Error> {
    let Some(last) = loose.span.last() else { return Ok(()) };
    let mut with_account = |id: RecordId, change: &mut dyn FnMut(&mut crate::profile::Account)| {
        let new = NewProfile { kind: RecordKind::Account, id, external_id: "", received_at };
        let profile = ledger.profile(new)?;
        profile.touch(received_at);
        if let Body::Account(account) = &mut profile.body {
            change(account);
        }
        Ok(())
    };
    match (merged.before, merged.after) {
        // The first account of all takes the tracks that waited for one.
        (None, Some(first)) => with_account(first, &mut |account| {
            account.seen.join(loose.span);
            account.seen_stale |= !loose.exact;
        }),
        _ if merged.rewrites_past => {
            accounts.iter().try_for_each(|id| with_account(*id, &mut |account| account.seen_stale = true))
        }
        (Some(before), Some(after)) if before != after && last >= statement.stamp.at => {
            with_account(before, &mut |account| account.seen_stale = true)?;
            with_account(after, &mut |account| account.seen_stale = true)
        }
        _ => Ok(()),
    }
}
