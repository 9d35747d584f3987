//! Everything one workspace was given.
//!
//! Messages are kept as their record bytes, in the order of arrival. What follows from them is computed when it is
//! asked for and thrown away when another message arrives.

use std::{collections::HashMap, sync::Arc};

use muster_model::{
    id::Identity,
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
    receipt::{Outcome, Receipt},
    record::{self, NotARecord},
    refused::{Refused, RefusedId},
};

/// What a workspace holds.
#[derive(Debug, Default)]
pub struct Accepted {
    records: Vec<Box<[u8]>>,
    /// The digest of the content that stands for each identity.
    contents: HashMap<Identity, u64>,
    refused: HashMap<RefusedId, Refused<'static>>,
    receipts: Receipts,
    stated: Stated,
    folded: Option<Arc<Folded>>,
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
}

impl Plan {
    /// Messages, and messages set aside, that it would add; at the most.
    pub fn adds(&self) -> usize {
        self.changes.iter().filter(|change| !matches!(change, Change::Forget(_))).count()
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
    pub fn plan(&self, batch: &Batch) -> Result<Plan, NotARecord> {
        let mut plan = Plan { receipt: Receipt::default(), changes: Vec::new() };
        let mut fresh: HashMap<Identity, u64> = HashMap::new();
        for entry in batch.entries() {
            match entry {
                Entry::Message(bytes) => {
                    let message = record::decode(bytes)?;
                    let known = self.contents.get(&message.identity).or_else(|| fresh.get(&message.identity));
                    let outcome = match known {
                        None => Outcome::Stored,
                        Some(content) if same_content(*content, message.content) => Outcome::Duplicate,
                        Some(_) => Outcome::Conflict,
                    };
                    match outcome {
                        Outcome::Stored => {
                            fresh.insert(message.identity, message.content);
                            plan.changes.push(Change::Keep(bytes.into()));
                        }
                        Outcome::Conflict => {
                            plan.changes.push(Change::SetAside(Refused::conflict(&message, batch.key_id())))
                        }
                        Outcome::Duplicate => {}
                    }
                    plan.receipt.outcomes.push(outcome);
                }
                Entry::Refused(bytes) => plan.changes.push(Change::SetAside(decode_refused(bytes)?.into_owned())),
                Entry::Forget(id) => plan.changes.push(Change::Forget(id)),
            }
        }
        Ok(plan)
    }

    /// Does what was planned. Of messages set aside with one id the first one stays.
    pub fn carry_out(&mut self, plan: Plan) {
        for change in plan.changes {
            match change {
                Change::Keep(bytes) => {
                    let message = decoded(&bytes);
                    self.contents.insert(message.identity, message.content);
                    self.receipts.hear(&message);
                    self.stated.hear(&message);
                    self.records.push(bytes);
                    self.folded = None;
                }
                Change::SetAside(refused) => {
                    self.refused.entry(refused.id).or_insert(refused);
                }
                Change::Forget(id) => {
                    self.refused.remove(&id);
                }
            }
        }
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
