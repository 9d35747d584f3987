//! Everything one workspace was given.
//!
//! Messages are kept as their record bytes, in the order of arrival. What follows from them is computed when it is
//! asked for and thrown away when another message arrives.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use muster_model::{
    deletion::{DeletionId, Fate, Reach, Subject},
    id::{IdSpace, Identity, ImportId, RecordId},
    kinds::fields::named,
    message::{Message, same_content},
    rejection::Code,
};

use super::{
    fold::{Folded, fold},
    receipts::Receipts,
};
use crate::{
    batch::{Batch, Entry, decode_refused},
    catalogue::Stated,
    deletion::{Decree, Delete, Deletion, Erasure, mentions, receipt::chain_end},
    import::{Import, Note, Owners},
    receipt::{Outcome, Receipt},
    record::{self, NotARecord},
    refused::{Refused, RefusedId},
};

/// What a workspace holds.
#[derive(Debug, Default)]
pub struct Accepted {
    records: Vec<Box<[u8]>>,
    /// How many messages had arrived with each of them, and with the last one of all.
    arrivals: Vec<u64>,
    arrived: u64,
    /// The digest of the content that stands for each identity.
    contents: HashMap<Identity, u64>,
    /// Who owns each message that does not stay for good.
    owners: HashMap<Identity, Owners>,
    refused: HashMap<RefusedId, Refused<'static>>,
    receipts: Receipts,
    stated: Stated,
    folded: Option<Arc<Folded>>,
    imports: BTreeMap<ImportId, Import>,
    deletions: BTreeMap<DeletionId, Deletion>,
    /// What was ever deleted.
    deleted: Vec<Erasure>,
}

/// What a batch would change.
#[derive(Debug)]
pub struct Plan {
    pub receipt: Receipt,
    changes: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Keep(Box<[u8]>),
    SetAside(Refused<'static>),
    Forget(RefusedId),
    Decree(Decree),
    Import(Note),
    Owners(Identity, Owners),
}

impl Plan {
    /// Messages, and messages set aside, that it would add; at the most.
    pub fn adds(&self) -> usize {
        let adds = |change: &&Change| matches!(change, Change::Keep(_) | Change::SetAside(_));
        self.changes.iter().filter(adds).count()
    }

    /// Messages in it that were refused before they got here.
    pub fn refused(&self) -> usize {
        let set_aside =
            |change: &&Change| matches!(change, Change::SetAside(refused) if refused.code != Code::Conflict);
        self.changes.iter().filter(set_aside).count()
    }
}

impl Accepted {
    /// Messages, and messages set aside, that it holds.
    pub fn kept(&self) -> usize {
        self.records.len() + self.refused.len()
    }

    /// The bytes of every message, in the order of arrival.
    pub fn records(&self) -> &[Box<[u8]>] {
        &self.records
    }

    /// Messages that ever arrived.
    pub fn arrived(&self) -> u64 {
        self.arrived
    }

    /// The messages that arrived after so many, each with how many had arrived with it.
    pub fn after(&self, arrived: u64) -> impl Iterator<Item = (u64, &[u8])> {
        let from = self.arrivals.partition_point(|arrival| *arrival <= arrived);
        self.arrivals[from..].iter().copied().zip(self.records[from..].iter().map(|record| &record[..]))
    }

    /// What deletions leave of a message in its byte form.
    pub fn left(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let message = record::decode(bytes).ok()?.left(|id, reach| self.hides(id, reach))?;
        let mut left = Vec::new();
        record::encode(&message, &mut left);
        Some(left)
    }

    /// Everything set aside, in no order.
    pub fn refused(&self) -> impl Iterator<Item = &Refused<'static>> {
        self.refused.values()
    }

    /// One message set aside.
    pub fn refused_message(&self, id: RefusedId) -> Option<&Refused<'static>> {
        self.refused.get(&id)
    }

    /// Every key that was stated.
    pub fn stated(&self) -> &Stated {
        &self.stated
    }

    /// Decides the fate of every entry and changes nothing yet.
    pub fn plan(&self, batch: &Batch, ids: IdSpace) -> Result<Plan, NotARecord> {
        let mut plan = Plan { receipt: Receipt::default(), changes: Vec::new() };
        let mut fresh: HashMap<Identity, u64> = HashMap::new();
        let import = batch.import();
        let closed = import.and_then(|id| self.imports.get(&id)).is_some_and(Import::is_closed);
        for entry in batch.entries() {
            match entry {
                Entry::Message(_) if closed => plan.receipt.outcomes.push(Outcome::Deleted),
                _ if closed => {}
                Entry::Message(bytes) => {
                    let Some(message) = record::decode(bytes)?.left(|id, reach| self.hides(id, reach)) else {
                        plan.receipt.outcomes.push(Outcome::Deleted);
                        continue;
                    };
                    let known = self.contents.get(&message.identity).or_else(|| fresh.get(&message.identity));
                    let outcome = match known {
                        None => Outcome::Stored,
                        Some(content) if same_content(*content, message.content) => Outcome::Duplicate,
                        Some(_) => Outcome::Conflict,
                    };
                    match outcome {
                        Outcome::Stored => {
                            fresh.insert(message.identity, message.content);
                            plan.changes.push(Change::Owners(message.identity, Owners::of(import)));
                            let mut bytes = Vec::new();
                            record::encode(&message, &mut bytes);
                            plan.changes.push(Change::Keep(bytes.into()));
                        }
                        Outcome::Conflict => {
                            plan.changes.push(Change::SetAside(Refused::conflict(&message, batch.key_id())))
                        }
                        Outcome::Duplicate => {
                            let known = self.owners.get(&message.identity).copied();
                            let known = known.unwrap_or_else(|| match fresh.contains_key(&message.identity) {
                                true => Owners::of(import),
                                false => Owners::default(),
                            });
                            plan.changes.push(Change::Owners(message.identity, known.claimed(import)));
                        }
                        Outcome::Deleted => {}
                    }
                    plan.receipt.outcomes.push(outcome);
                }
                Entry::Refused(bytes) => {
                    let refused = decode_refused(bytes)?.into_owned();
                    let names = |erasure: &Erasure, id| erasure.subjects.iter().any(|(_, subject)| *subject == id);
                    let covers = |erasure: &&Erasure| refused.received_at <= erasure.at;
                    let named = |id| self.deleted.iter().filter(covers).any(|erasure| names(erasure, id));
                    if !mentions(&refused.body, ids, named) {
                        plan.changes.push(Change::SetAside(refused));
                    }
                }
                Entry::Forget(id) => plan.changes.push(Change::Forget(id)),
                Entry::Decree(bytes) => plan.changes.push(Change::Decree(Decree::decode(bytes)?)),
                // Only an engine that takes back in steps writes these.
                Entry::Owners(_) | Entry::TakeBack(_) => {}
                Entry::Import(bytes) => {
                    plan.changes.push(Change::Import(Note::decode(bytes)?.tallied(&plan.receipt)));
                }
            }
        }
        Ok(plan)
    }

    /// Does what was planned. Of messages set aside with one id the first one stays.
    pub fn carry_out(&mut self, plan: Plan, ids: IdSpace) {
        for change in plan.changes {
            match change {
                Change::Keep(bytes) => {
                    let message = decoded(&bytes);
                    self.contents.insert(message.identity, message.content);
                    self.receipts.hear(&message);
                    self.stated.hear(&message);
                    self.records.push(bytes);
                    self.arrived += 1;
                    self.arrivals.push(self.arrived);
                    self.folded = None;
                }
                Change::SetAside(refused) => {
                    self.refused.entry(refused.id).or_insert(refused);
                }
                Change::Forget(id) => {
                    self.refused.remove(&id);
                }
                Change::Decree(decree) => self.decree(decree, ids),
                Change::Owners(identity, owners) => {
                    self.owners.insert(identity, owners);
                }
                Change::Import(note) => {
                    let id = note.id();
                    let undo = if let Note::Undo { at, .. } = note { Some(at) } else { None };
                    let mut known = self.imports.remove(&id);
                    let was_closed = known.as_ref().is_none_or(Import::is_closed);
                    Import::take(&mut known, note);
                    if let Some(at) = undo.filter(|_| !was_closed) {
                        let messages = self.undo(id);
                        Import::take(&mut known, Note::Undone { id, at, messages });
                    }
                    self.imports.extend(known.map(|import| (id, import)));
                }
            }
        }
    }

    /// Every import, oldest first.
    pub fn imports(&self) -> &BTreeMap<ImportId, Import> {
        &self.imports
    }

    /// Whether any deletion hides a record as far as a message of such a reach is concerned.
    fn hides(&self, id: RecordId, reach: Reach) -> bool {
        self.deleted.iter().any(|erasure| erasure.hides(id, reach))
    }

    /// Every deletion, oldest first.
    pub fn deletions(&self) -> &BTreeMap<DeletionId, Deletion> {
        &self.deletions
    }

    fn decree(&mut self, decree: Decree, ids: IdSpace) {
        let id = decree.id();
        let delete = if let Decree::Delete(delete) = &decree { Some(delete.clone()) } else { None };
        let mut known = self.deletions.remove(&id);
        let deletes = Deletion::take(&mut known, decree);
        let end = chain_end(self.deletions.values());
        if let (Some(delete), Some(deletion), true) = (delete, &mut known, deletes) {
            self.delete(&delete, deletion, ids);
            deletion.finish(end, delete.at);
        }
        self.deletions.extend(known.map(|deletion| (id, deletion)));
    }

    fn delete(&mut self, delete: &Delete, deletion: &mut Deletion, ids: IdSpace) {
        let Some(erasure) = deletion.erasure_mut() else { return };
        let before = self.folded();
        let known = delete.subjects.iter().filter(|subject| before.profiles.contains_key(subject));
        known.for_each(|(kind, _)| erasure.removed.count_record(*kind));
        self.deleted.push(erasure.clone());
        let deleted = &self.deleted;
        let hides = |id, reach| deleted.iter().any(|erasure| erasure.hides(id, reach));
        let (mut left, mut arrivals) = (Vec::new(), Vec::new());
        for (bytes, arrival) in std::mem::take(&mut self.records).into_iter().zip(std::mem::take(&mut self.arrivals)) {
            let message = decoded(&bytes);
            let fate = message.fate(hides);
            if fate != Fate::Drop {
                arrivals.push(arrival);
            }
            match fate {
                Fate::Keep => left.push(bytes),
                Fate::Redact => {
                    let mut redacted = Vec::new();
                    record::encode(&message.redacted(hides), &mut redacted);
                    left.push(redacted.into());
                    erasure.removed.redacted += 1;
                }
                Fate::Drop => {
                    self.contents.remove(&message.identity);
                    erasure.removed.messages += 1;
                    erasure.removed.identities += 1;
                }
            }
        }
        (self.records, self.arrivals) = (left, arrivals);
        let messages: Vec<Message<'_>> = self.records.iter().map(|bytes| decoded(bytes)).collect();
        self.receipts = self.receipts.without(messages.iter(), &delete.subjects);
        let refused = self.refused.len();
        let named = |id| delete.subjects.iter().any(|(_, subject)| *subject == id);
        self.refused.retain(|_, kept| kept.received_at > delete.at || !mentions(&kept.body, ids, named));
        erasure.removed.refused = (refused - self.refused.len()) as u64;
        self.folded = None;
    }

    /// Takes an import back; how many messages go with it.
    fn undo(&mut self, id: ImportId) -> u64 {
        let (mut left, mut arrivals, mut gone) = (Vec::new(), Vec::new(), 0);
        let mut concerned: Vec<Subject> = Vec::new();
        for (bytes, arrival) in std::mem::take(&mut self.records).into_iter().zip(std::mem::take(&mut self.arrivals)) {
            let message = decoded(&bytes);
            let owners = self.owners.get(&message.identity).copied().unwrap_or_default();
            match owners.released(id) {
                Some(owners) => {
                    self.owners.insert(message.identity, owners);
                    left.push(bytes);
                    arrivals.push(arrival);
                }
                None => {
                    concerned.extend(named(&message).map(|(kind, id, _)| (kind, id)));
                    self.owners.remove(&message.identity);
                    self.contents.remove(&message.identity);
                    gone += 1;
                }
            }
        }
        (self.records, self.arrivals) = (left, arrivals);
        let messages: Vec<Message<'_>> = self.records.iter().map(|bytes| decoded(bytes)).collect();
        self.receipts = self.receipts.without(messages.iter(), &concerned);
        self.folded = None;
        gone
    }

    /// Every message, in the order of arrival.
    pub fn messages(&self) -> Vec<Message<'_>> {
        self.records.iter().map(|bytes| decoded(bytes)).collect()
    }

    /// When records were heard of.
    pub fn receipts(&self) -> &Receipts {
        &self.receipts
    }

    /// What all messages together say.
    pub fn folded(&mut self) -> Arc<Folded> {
        let Accepted { records, receipts, folded, .. } = self;
        let fresh = || {
            let messages: Vec<Message<'_>> = records.iter().map(|bytes| decoded(bytes)).collect();
            Arc::new(fold(&messages, receipts))
        };
        Arc::clone(folded.get_or_insert_with(fresh))
    }
}

fn decoded(bytes: &[u8]) -> Message<'_> {
    record::decode(bytes).expect("bytes are kept only after they were decoded once")
}
