//! What a deletion changes about anonymous ids, worked out with everything else that it changes ([`crate::deletion::wipe`]).
//!
//! An id that was nobody else goes with its user. One that was others as well stays without what it did while it was that
//! user, and without the ties that said so. Whom the rest of it belongs to, and so when others were seen first and last,
//! is read from events until a correction has gone through the messages that are left.

use muster_model::{
    deletion::Subject,
    id::RecordId,
    kind::RecordKind,
    profile::{Anonymous, Body, Profile, Span, User},
};

use super::wipe::Wipe;
use crate::{error::ReadError, records::Records};

/// When an anonymous id did something, and when it did so without naming an account.
type Did = (Span, Span);

impl<R: Records> Wipe<R> {
    /// An anonymous id goes: those that it was lose what it did.
    pub(super) fn anonymous(&mut self, subject: Subject, body: &Anonymous) -> Result<(), ReadError> {
        for link in body.users.links() {
            let user = (RecordKind::User, link.parent);
            self.unrelate(user, subject);
            if let Some(profile) = self.records.profile(user)? {
                profile.as_user().into_iter().flat_map(User::parents).for_each(|parent| self.unrelate(parent, subject));
            }
            self.doubt(link.parent, (body.seen, body.seen_loose))?;
        }
        Ok(())
    }

    /// A user goes whom an anonymous id was that stays.
    pub(super) fn untie(&mut self, anonymous: RecordId, user: RecordId, body: &User) -> Result<(), ReadError> {
        let subject = (RecordKind::Anonymous, anonymous);
        if self.goes(subject) {
            return Ok(());
        }
        self.unsay(anonymous, (RecordKind::User, user));
        self.unrelate((RecordKind::User, user), subject);
        let mut left: Option<(Vec<RecordId>, Did)> = None;
        self.change(subject, |body| {
            if let Body::Anonymous(body) = body {
                body.users.forget(user);
                let users = body.users.links().iter().map(|link| link.parent).collect();
                left = Some((users, (body.seen, body.seen_loose)));
            }
        })?;
        let Some((others, did)) = left else { return Ok(()) };
        let mut found_from = Vec::new();
        for other in others {
            let other_user = self.records.profile((RecordKind::User, other))?;
            found_from.extend(other_user.as_deref().and_then(Profile::as_user).into_iter().flat_map(User::parents));
            self.doubt(other, did)?;
        }
        let lost = body.parents().filter(|parent| !found_from.contains(parent));
        lost.for_each(|parent| self.unrelate(parent, subject));
        Ok(())
    }

    /// Some of what an anonymous id did goes.
    pub(super) fn part(&mut self, anonymous: RecordId) -> Result<(), ReadError> {
        let mut left: Option<(Vec<RecordId>, Did)> = None;
        self.change((RecordKind::Anonymous, anonymous), |body| {
            if let Body::Anonymous(body) = body {
                body.stale = true;
                let users = body.users.links().iter().map(|link| link.parent).collect();
                left = Some((users, (body.seen, body.seen_loose)));
            }
        })?;
        let Some((users, did)) = left else { return Ok(()) };
        users.into_iter().try_for_each(|user| self.doubt(user, did))
    }

    /// What an anonymous id did may be this user's now, or be it no more.
    fn doubt(&mut self, user: RecordId, (all, loose): Did) -> Result<(), ReadError> {
        let mut accounts = Vec::new();
        self.change((RecordKind::User, user), |body| {
            if let Body::User(user) = body {
                user.seen.join(all);
                user.seen_loose.join(loose);
                (user.seen_stale, user.loose_stale) = (true, true);
                accounts = user.accounts.links().iter().map(|link| link.parent).collect();
            }
        })?;
        for account in accounts.into_iter().filter(|_| loose.bounds().is_some()) {
            self.change((RecordKind::Account, account), |body| {
                if let Body::Account(account) = body {
                    account.seen_stale = true;
                }
            })?;
        }
        Ok(())
    }
}
