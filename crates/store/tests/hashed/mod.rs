//! A ledger over hash maps, and what it knows compared with the twin, which folds by definition.

use std::{
    collections::{BTreeSet, HashMap},
    convert::Infallible,
    sync::Arc,
};

use muster_model::{
    association::{Answer, Associations, Statement, resolve},
    change::{Ledger, NewProfile},
    id::RecordId,
    kind::RecordKind,
    message::Message,
    profile::{Body, Profile},
    time::Micros,
};
use muster_store::{
    error::ReadError,
    history::Event,
    memory::MemoryStore,
    profiles::{Children, ListOrder, ListQuery, Profiles},
    records::Records,
    suite::{Desk, subject::Twin},
};

pub type Key = (RecordKind, RecordId);

/// Records by their ids.
#[derive(Default)]
pub struct Hashed {
    pub profiles: HashMap<Key, Profile>,
    pub statements: HashMap<Key, Vec<Statement>>,
    pub children: HashMap<Key, BTreeSet<Key>>,
}

impl Ledger for Hashed {
    type Error = Infallible;

    fn profile(&mut self, new: NewProfile<'_>) -> Result<&mut Profile, Infallible> {
        let fresh = || {
            assert_ne!(new.external_id, "", "a record comes into being under its name");
            Profile::new(new.kind, new.id, new.external_id, new.received_at)
        };
        Ok(self.profiles.entry((new.kind, new.id)).or_insert_with(fresh))
    }

    fn statements(&mut self, user: RecordId, parents: RecordKind) -> Result<Vec<Statement>, Infallible> {
        Ok(self.statements.get(&(parents, user)).cloned().unwrap_or_default())
    }

    fn keep_statement(&mut self, user: RecordId, parents: RecordKind, statement: Statement) {
        self.statements.entry((parents, user)).or_default().push(statement);
    }

    fn children(&mut self, parent: Key, children: RecordKind) -> Result<Vec<RecordId>, Infallible> {
        let all = self.children.get(&parent).into_iter().flatten();
        Ok(all.filter(|(kind, _)| *kind == children).map(|(_, id)| *id).collect())
    }

    fn look<T>(
        &mut self,
        kind: RecordKind,
        id: RecordId,
        look: impl FnOnce(&Profile) -> T,
    ) -> Result<Option<T>, Infallible> {
        Ok(self.profiles.get(&(kind, id)).map(look))
    }

    fn relate(&mut self, parent: Key, child: Key) {
        self.children.entry(parent).or_default().insert(child);
    }
}

impl Records for Hashed {
    fn profile(&self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Profile>>, ReadError> {
        Ok(self.profiles.get(&(kind, id)).cloned().map(Arc::new))
    }

    fn children(&self, parent: Key, kind: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        let all = self.children.get(&parent).into_iter().flatten();
        Ok(all.filter(|(child, _)| *child == kind).map(|(_, id)| *id).collect())
    }

    fn statements(&self, about: RecordId, parents: RecordKind) -> Result<Vec<Statement>, ReadError> {
        Ok(self.statements.get(&(parents, about)).cloned().unwrap_or_default())
    }
}

impl Hashed {
    /// The user that an anonymous id was at an instant, likewise.
    fn user_at(&self, anonymous: RecordId, at: Micros) -> Option<RecordId> {
        let ties = self.statements.get(&(RecordKind::User, anonymous)).map_or(&[][..], Vec::as_slice);
        let resolved = resolve(ties, at);
        let body = self.profiles.get(&(RecordKind::Anonymous, anonymous)).and_then(Profile::as_anonymous);
        match body.map_or(Answer::Known(None), |body| body.users.at(at)) {
            Answer::Known(known) => assert_eq!(known, resolved, "the short cut at {at:?}"),
            Answer::NeedsStatements => assert!(ties.len() > 1),
        }
        resolved
    }

    /// The user's parent at an instant, by the short cut where it answers and by all statements where it does not; and
    /// the two agree.
    fn parent_at(&self, user: RecordId, parents: RecordKind, at: Micros) -> Option<RecordId> {
        let statements = self.statements.get(&(parents, user)).map_or(&[][..], Vec::as_slice);
        let resolved = resolve(statements, at);
        let body = self.profiles.get(&(RecordKind::User, user)).and_then(Profile::as_user);
        let associations = body.map(|user| match parents {
            RecordKind::Organization => &user.organizations,
            _ => &user.accounts,
        });
        match associations.map_or(Answer::Known(None), |associations: &Associations| associations.at(at)) {
            Answer::Known(known) => assert_eq!(known, resolved, "the short cut at {at:?}"),
            Answer::NeedsStatements => assert!(statements.len() > 1),
        }
        resolved
    }
}

fn parents_match(ledger: &Hashed, event: &Event, at: Micros, message: &Message<'_>) -> Result<(), String> {
    let tied = || ledger.user_at(message.anonymous.as_ref()?.id, at);
    let user = message.user.as_ref().map(|named| named.id).or_else(tied);
    let account = message.account.as_ref().map(|named| named.id);
    let of_user = |parents| ledger.parent_at(user?, parents, at);
    let account = account.or_else(|| of_user(RecordKind::Account));
    let joined = account.and_then(|account| {
        let profile = &ledger.profiles[&(RecordKind::Account, account)];
        profile.as_account()?.parent().map(|parent| parent.id)
    });
    let organization = joined
        .or_else(|| message.organization.as_ref().map(|named| named.id))
        .or_else(|| of_user(RecordKind::Organization));
    let found = [&event.user, &event.account, &event.organization].map(|one| one.as_ref().map(|one| one.id));
    if [user, account, organization] == found { Ok(()) } else { Err(format!("{message:?} belongs to {found:?}")) }
}

/// Compares every record and every child with the twin's.
pub async fn compare_records(ledger: &Hashed, twin: &Desk<'_, Twin>, same_order: bool) -> Result<(), String> {
    let (store, workspace): (&MemoryStore, _) = (twin.store(), twin.workspace().id);
    let mut count = 0;
    for kind in RecordKind::ALL {
        let query = ListQuery { limit: 1_000, ..ListQuery::new(kind, ListOrder::CreatedAt) };
        for expected in store.list(workspace, query).await.unwrap().profiles {
            count += 1;
            let key = (kind, expected.id);
            let Some(mut found) = ledger.profiles.get(&key).cloned() else { return Err(format!("no {key:?}")) };
            if let (Body::Account(found), Some(exact)) = (&mut found.body, expected.as_account())
                && found.seen_stale
            {
                (found.seen, found.seen_stale) = (exact.seen, false);
            }
            if let (Body::User(found), Some(exact)) = (&mut found.body, expected.as_user()) {
                if found.seen_stale {
                    (found.seen, found.seen_stale) = (exact.seen, false);
                }
                if found.loose_stale {
                    (found.seen_loose, found.loose_stale) = (exact.seen_loose, false);
                }
            }
            if let (Body::Anonymous(found), Some(exact)) = (&mut found.body, expected.as_anonymous())
                && found.stale
            {
                (found.seen, found.seen_loose, found.stale) = (exact.seen, exact.seen_loose, false);
            }
            if !same_order {
                (found.created_at, found.updated_at) = (expected.created_at, expected.updated_at);
                // That a user was tied once stays known when nothing is left that said so.
                if let (Body::User(found), Some(exact)) = (&mut found.body, expected.as_user()) {
                    found.tied = exact.tied;
                }
            }
            if found != *expected {
                return Err(format!("incremental: {found:#?}\nby definition: {expected:#?}"));
            }
            for child in RecordKind::ALL {
                let all = ledger.children.get(&key).into_iter().flatten();
                let found: Vec<RecordId> = all.filter(|(kind, _)| *kind == child).map(|(_, id)| *id).collect();
                let expected = store.children(workspace, Children::of(key, child), usize::MAX).await.unwrap();
                if found != expected {
                    return Err(format!("{child:?} children of {key:?}: {found:?}, by definition {expected:?}"));
                }
            }
        }
    }
    if count != ledger.profiles.len() {
        return Err(format!("{count} profiles by definition, {} incrementally", ledger.profiles.len()));
    }
    Ok(())
}

/// Compares where the events of some messages belong with what the twin says.
pub async fn compare_events<'m>(
    ledger: &Hashed,
    twin: &Desk<'_, Twin>,
    messages: impl IntoIterator<Item = Message<'m>>,
) -> Result<(), String> {
    for message in messages {
        for (kind, _, external_id) in muster_model::kinds::fields::named(&message) {
            let events = twin.events(twin.about(kind, external_id)).await;
            // Of conflicting messages only the one that stands is an event.
            let place = (message.identity, message.received_at, message.timestamp);
            for event in events.iter().filter(|one| (one.identity, one.received_at, one.timestamp) == place) {
                parents_match(ledger, event, message.ordered_at(), &message)?;
            }
        }
    }
    Ok(())
}
