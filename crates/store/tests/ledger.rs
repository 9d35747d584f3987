//! The incremental fold that engines use, against the twin that folds by definition.
//!
//! A ledger over hash maps, driven by [`muster_model::change::apply`] in the order of arrival, must agree with the twin on
//! every profile, every child and the place of every event.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    convert::Infallible,
};

use muster_model::{
    association::{Answer, Associations, Statement, resolve},
    change::{Ledger, NewProfile, apply},
    id::{IdSpace, Identity, RecordId},
    kind::RecordKind,
    message::Message,
    profile::{Body, Profile},
    time::Micros,
};
use muster_store::{
    history::Event,
    memory::MemoryStore,
    profiles::{Children, ListOrder, ListQuery, Profiles},
    suite::{
        Desk, Pace, Sent,
        arbitrary::{Arrival, Shape, Step, for_all},
        order::deliver,
        subject::Twin,
    },
};

type Key = (RecordKind, RecordId);

#[derive(Default)]
struct Hashed {
    profiles: HashMap<Key, Profile>,
    statements: HashMap<Key, Vec<Statement>>,
    children: HashMap<Key, BTreeSet<Key>>,
    known: HashSet<Identity>,
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

impl Hashed {
    fn of(arrival: &Arrival) -> Self {
        let mut ledger = Hashed::default();
        for step in &arrival.steps {
            let Step::Batch(numbers) = step else { continue };
            for number in numbers {
                ledger.take(&arrival.sent[*number]);
            }
        }
        ledger
    }

    fn take(&mut self, sent: &Sent) {
        let Ok(message) = sent.check(IdSpace::new("default")) else { return };
        if self.known.insert(message.identity) {
            let Ok(()) = apply(self, &message);
        }
    }

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

async fn compare(ledger: &Hashed, twin: &Desk<'_, Twin>, arrival: &Arrival, same_order: bool) -> Result<(), String> {
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
            if !same_order {
                (found.created_at, found.updated_at) = (expected.created_at, expected.updated_at);
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
    for sent in &arrival.sent {
        let Ok(message) = sent.check(IdSpace::new("default")) else { continue };
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

fn agrees(cases: u32, messages_max: usize, shape: Shape) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for_all(cases, messages_max, shape, |arrival| {
        runtime.block_on(async {
            let subject = Twin::new();
            let mut twin = Desk::open(&subject, Pace::Straight).await;
            deliver(&mut twin, arrival).await;
            compare(&Hashed::of(arrival), &twin, arrival, true).await?;
            if !shape.conflicts {
                compare(&Hashed::of(&arrival.plain()), &twin, arrival, false).await?;
            }
            Ok::<(), String>(())
        })
    });
}

#[test]
fn on_few_messages() {
    agrees(6_000, 5, Shape::ORDERLESS);
}

#[test]
fn on_some_messages() {
    agrees(1_500, 20, Shape::ORDERLESS);
}

#[test]
fn on_many_messages() {
    agrees(60, 200, Shape::ORDERLESS);
}

#[test]
fn on_conflicting_messages() {
    agrees(1_500, 20, Shape::ANY);
}
