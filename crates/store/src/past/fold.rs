//! A record as it was, from the messages that tell of it.

use std::{collections::HashMap, convert::Infallible};

use muster_model::{
    association::Statement,
    change::{Ledger, NewProfile, apply},
    id::RecordId,
    kind::RecordKind,
    message::Message,
    profile::{Account, Body, Organization, Profile, Span, User},
    time::Micros,
};

use crate::error::ReadError;

/// Messages that a record is folded from at the most.
const FOLDED_MAX: usize = 200_000;

/// A ledger with nothing in it but what it is given.
#[derive(Debug, Default)]
pub struct Fold {
    profiles: HashMap<(RecordKind, RecordId), Profile>,
    statements: HashMap<(RecordKind, RecordId), Vec<Statement>>,
    taken: usize,
    received_at: Option<Micros>,
}

impl Fold {
    /// Takes a message in.
    ///
    /// # Errors
    ///
    /// [`ReadError::TooLarge`] when there were very many.
    pub fn take(&mut self, message: &Message<'_>) -> Result<(), ReadError> {
        self.taken += 1;
        if self.taken > FOLDED_MAX {
            let what =
                format!("more than {FOLDED_MAX} messages describe the record up to then; ask for an earlier time");
            return Err(ReadError::TooLarge { what });
        }
        self.received_at = self.received_at.max(Some(message.received_at));
        let Ok(()) = apply(self, message);
        Ok(())
    }

    /// What the messages say of a record that is known by now, with what only it tells.
    #[must_use]
    pub fn into_profile(mut self, now: &Profile, seen: Span) -> Profile {
        let empty = || Profile::new(now.kind(), now.id, &now.external_id, now.created_at);
        let mut profile = self.profiles.remove(&(now.kind(), now.id)).unwrap_or_else(empty);
        profile.external_id.clone_from(&now.external_id);
        profile.created_at = now.created_at;
        profile.updated_at = self.received_at.unwrap_or(now.created_at);
        profile.first_known = now.first_known;
        profile.body = match profile.body {
            Body::Account(body) => Body::Account(Account { organization: body.organization, ..Account::default() }),
            Body::User(User { accounts, organizations, .. }) => {
                Body::User(User { accounts, organizations, seen, ..User::default() })
            }
            Body::Organization(_) => Body::Organization(Organization::default()),
            other @ (Body::Instance(_) | Body::CustomObject | Body::NpsResponse(_) | Body::Anonymous(_)) => other,
        };
        profile
    }
}

impl Ledger for Fold {
    type Error = Infallible;

    fn profile(&mut self, new: NewProfile<'_>) -> Result<&mut Profile, Infallible> {
        let fresh = || Profile::new(new.kind, new.id, new.external_id, new.received_at);
        Ok(self.profiles.entry((new.kind, new.id)).or_insert_with(fresh))
    }

    fn statements(&mut self, user: RecordId, parents: RecordKind) -> Result<Vec<Statement>, Infallible> {
        Ok(self.statements.get(&(parents, user)).cloned().unwrap_or_default())
    }

    fn keep_statement(&mut self, user: RecordId, parents: RecordKind, statement: Statement) {
        self.statements.entry((parents, user)).or_default().push(statement);
    }

    /// Only what one record's own messages say is folded here; what follows for its parents is of no account.
    fn children(&mut self, _: (RecordKind, RecordId), _: RecordKind) -> Result<Vec<RecordId>, Infallible> {
        Ok(Vec::new())
    }

    fn look<T>(&mut self, _: RecordKind, _: RecordId, _: impl FnOnce(&Profile) -> T) -> Result<Option<T>, Infallible> {
        Ok(None)
    }

    fn relate(&mut self, _: (RecordKind, RecordId), _: (RecordKind, RecordId)) {}
}
