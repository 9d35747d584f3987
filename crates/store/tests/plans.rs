//! What is worked out for deletions and for messages taken back, against the twin that folds by definition.
//!
//! A store over hash maps that keeps every message makes the changes at once, as an engine with transactions does: what it
//! knows then must be what the twin knows, which was given the same or only what is left.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use hashed::{Hashed, Key, compare_events, compare_records};
use muster_model::{
    change::apply,
    deletion::{DeletionId, Fate, Part},
    id::{IdSpace, RecordId},
    kind::RecordKind,
    kinds::fields::named,
    message::Message,
    ties::Stretch,
};
use muster_store::{
    deletion::{
        Changes, Concerned, Correction, Decree, Delete, Instants, Wipe,
        renewal::{Heard, doubt, taken_out},
    },
    record,
    records::parents_of,
    suite::{
        Desk, Pace, Sent,
        arbitrary::{Arrival, Shape, Step, arrivals_with_deletions, for_all, for_each},
        desk::START,
        order::deliver,
        subject::Twin,
    },
};

mod hashed;

/// Records, and every message by its identity in its byte form.
#[derive(Default)]
struct Kept {
    records: Hashed,
    messages: BTreeMap<u128, Vec<u8>>,
    deleted: Instants,
}

impl Kept {
    fn of(arrival: &Arrival) -> Kept {
        let mut kept = Kept::default();
        for step in &arrival.steps {
            match step {
                Step::Batch(numbers) => numbers.iter().for_each(|number| kept.take(&arrival.sent[*number])),
                Step::Decree(number) => match &arrival.decrees[*number] {
                    Decree::Delete(delete) => kept.delete(delete),
                    Decree::Schedule { .. } | Decree::Cancel { .. } => {}
                },
                Step::Settle | Step::Reopen | Step::Recover => {}
            }
        }
        kept
    }

    fn take(&mut self, sent: &Sent) {
        let Ok(message) = sent.check(IdSpace::new("default")) else { return };
        let Some(message) = message.left(|id, reach| self.deleted.hides(id, reach)) else { return };
        if let Entry::Vacant(unknown) = self.messages.entry(message.identity.0) {
            unknown.insert(encoded(&message));
            let Ok(()) = apply(&mut self.records, &message);
        }
    }

    fn delete(&mut self, delete: &Delete) {
        self.deleted.note(&delete.subjects, &delete.parts, delete.at);
        let changes = Wipe::plan(&self.records, delete).unwrap();
        let doubtful: BTreeSet<RecordId> = changes.doubtful.iter().map(|((_, id), _)| *id).collect();
        change(&mut self.records, changes);
        let concerned = self.remove();
        for bytes in self.messages.values() {
            let message = record::decode(bytes).unwrap();
            if named(&message).any(|(_, id, _)| doubtful.contains(&id)) {
                let Ok(()) = apply(&mut self.records, &message);
            }
        }
        let mut correction = Correction::new(&self.records, Arc::new(self.deleted.clone()), &concerned).unwrap();
        let wanted = correction.wanted();
        for bytes in self.messages.values() {
            let message = record::decode(bytes).unwrap();
            if named(&message).any(|(_, id, _)| wanted.contains(&id)) {
                correction.take(message);
            }
        }
        let changes = correction.changes(&self.records).unwrap();
        change(&mut self.records, changes);
        let changes = correction.corrected(&self.records).unwrap();
        change(&mut self.records, changes);
        for bytes in correction.into_heard_again() {
            let Ok(()) = apply(&mut self.records, &record::decode(&bytes).unwrap());
        }
    }

    /// Removes what was deleted of messages.
    fn remove(&mut self) -> Concerned {
        let mut concerned = Concerned::default();
        let hides = |id, reach| self.deleted.hides(id, reach);
        self.messages.retain(|_, bytes| {
            let names = record::names(bytes).unwrap();
            concerned.look(&names, &self.deleted);
            match names.fate(names.reach(), hides) {
                Fate::Keep => true,
                Fate::Drop => false,
                Fate::Redact => {
                    *bytes = encoded(&record::decode(bytes).unwrap().redacted(hides));
                    true
                }
            }
        });
        concerned
    }

    /// Takes messages back.
    fn take_back(&mut self, sent: impl Iterator<Item = u128>) {
        let mut subjects: BTreeSet<Key> = BTreeSet::new();
        for identity in sent {
            let Some(bytes) = self.messages.remove(&identity) else { continue };
            subjects.extend(record::names(&bytes).unwrap().subjects.into_iter().flatten());
        }
        let subjects: Vec<Key> = subjects.into_iter().collect();
        let wanted = subjects.iter().map(|(_, id)| *id).collect();
        let mut heard = Heard::new(wanted, Arc::new(self.deleted.clone()));
        self.messages.values().for_each(|bytes| heard.take(record::decode(bytes).unwrap()));
        let changes = Wipe::plan(&self.records, &taken_out(subjects.clone())).unwrap();
        change(&mut self.records, changes);
        for bytes in heard.into_records() {
            let Ok(()) = apply(&mut self.records, &record::decode(&bytes).unwrap());
        }
        let changes = doubt(&self.records, &subjects).unwrap();
        change(&mut self.records, changes);
    }

    /// Compares what is known with what the twin knows that was given this.
    fn compare(&self, arrival: &Arrival) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let subject = Twin::new();
            let mut twin = Desk::open(&subject, Pace::Straight).await;
            deliver(&mut twin, arrival).await;
            compare_records(&self.records, &twin, false).await?;
            let messages = self.messages.values().map(|bytes| record::decode(bytes).unwrap());
            compare_events(&self.records, &twin, messages).await
        })
    }
}

fn encoded(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    record::encode(message, &mut bytes);
    bytes
}

/// Makes changes, in the order of their parts.
fn change(records: &mut Hashed, changes: Changes) {
    for gone in changes.gone {
        records.profiles.remove(&gone);
        records.children.remove(&gone);
        for parents in parents_of(gone.0) {
            records.statements.remove(&(*parents, gone.1));
        }
    }
    for (subject, changed) in changes.changed {
        let before = records.profiles.insert(subject, (*changed.after).clone());
        assert_eq!(before.as_ref(), Some(&*changed.before), "what is changed is as it was");
    }
    for (parent, child) in changes.unrelated {
        if let Some(children) = records.children.get_mut(&parent) {
            children.remove(&child);
        }
    }
    for (about, (parents, parent)) in changes.unsaid {
        if let Some(statements) = records.statements.get_mut(&(parents, about)) {
            statements.retain(|statement| statement.parent != parent);
        }
    }
    for (about, parents, statement) in changes.said {
        records.statements.entry((parents, about)).or_default().push(statement);
    }
}

fn deletions_agree(cases: u32, messages_max: usize) {
    for_each(cases, messages_max, arrivals_with_deletions(1..=messages_max, 3), |arrival| {
        Kept::of(arrival).compare(arrival)
    });
}

#[test]
fn deletions_among_few_messages() {
    deletions_agree(3_000, 6);
}

#[test]
fn deletions_among_many_messages() {
    deletions_agree(100, 100);
}

fn taken_back_agrees(cases: u32, messages_max: usize) {
    for_all(cases, messages_max, Shape::ORDERLESS, |arrival| {
        let mut kept = Kept::of(arrival);
        let (back, left): (Vec<Sent>, Vec<Sent>) = {
            let numbered = arrival.sent.iter().cloned().enumerate();
            let (back, left): (Vec<_>, Vec<_>) = numbered.partition(|(number, _)| number % 3 == 1);
            let sent = |some: Vec<(usize, Sent)>| some.into_iter().map(|(_, sent)| sent).collect();
            (sent(back), sent(left))
        };
        let identity = |sent: &Sent| sent.check(IdSpace::new("default")).ok().map(|message| message.identity.0);
        let stays: BTreeSet<u128> = left.iter().filter_map(identity).collect();
        kept.take_back(back.iter().filter_map(identity).filter(|identity| !stays.contains(identity)));
        let steps = (0..left.len()).map(|number| Step::Batch(vec![number])).collect();
        kept.compare(&Arrival { sent: left, decrees: Vec::new(), steps })
    });
}

#[test]
fn what_is_taken_back_of_few_messages() {
    taken_back_agrees(3_000, 6);
}

#[test]
fn what_is_taken_back_of_many_messages() {
    taken_back_agrees(100, 100);
}

/// What somebody anonymous was called without anything being done, at an instant that went with a user, once left the anonymous id
/// behind as what that message had made of it: only tracks had it looked at again. No list shows anonymous ids, so no comparison of
/// stores could tell.
#[test]
fn an_anonymous_id_goes_with_the_last_message_that_named_it() {
    let text = r#"{"type":"user","callType":"identify","userId":null,"anonymousId":"x","accountId":"a","timestamp":"2024-03-01T00:00:00Z"}"#;
    let (ids, sent) = (IdSpace::new("default"), Sent::new(text, START));
    let message = sent.check(ids).unwrap();
    let (user, anonymous) = (ids.record(RecordKind::User, "u"), ids.record(RecordKind::Anonymous, "x"));
    let root = (RecordKind::User, user);
    let stretch = Stretch { first: message.ordered_at(), last: message.ordered_at() };
    let parts = vec![Part { anonymous, stretch }];
    let id = DeletionId::of(root, START);
    let mut kept = Kept::default();
    kept.take(&sent);
    kept.delete(&Delete { id, root, requested_at: START, key_id: 1, at: START, subjects: vec![root], parts });
    assert_eq!((kept.records.profiles.len(), kept.messages.len()), (0, 0));
}
