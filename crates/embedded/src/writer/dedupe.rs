//! Telling new messages from repeated and conflicting ones.
//!
//! The decision is made here, inside the one thread that commits, and nowhere else. Identities heard since the last
//! checkpoint are in memory, all others in the state store, and [`crate::writer::sieve`] tells which ones are in neither. A conflicting
//! message becomes a message set aside.

use std::{sync::Arc, time::Duration};

use fjall::Keyspace;
use muster_history::error::not_a_record;
use muster_model::{
    id::{Identity, ImportId, WorkspaceId},
    message::same_content,
};
use muster_store::{
    batch::{self, Batch, BatchBuilder},
    deletion::Instants,
    error::ReadError,
    import::{Note, Owned, TakenBack},
    receipt::{Outcome, Receipt},
    record,
    refused::Refused,
};

use super::{
    collect::{Group, Reply},
    known::{IdentityKey, IdentityMap, Known, Whose},
    sieve::Sieve,
};
use crate::{
    erase::screen::{is_gone, screen},
    options::Options,
    touch::touch,
    views::Views,
};

const SECONDS_PER_DAY: u64 = 86_400;

/// What is known of identities: those that are not on disk yet, and which there are.
#[derive(Debug)]
pub struct Identities {
    sieve: Sieve,
    live: IdentityMap,
    frozen: Option<Arc<IdentityMap>>,
    /// The identity that could not be read last.
    unread: Option<IdentityKey>,
}

/// An identity that a group changed, and what was known of it in memory before.
pub type Fresh = (IdentityKey, Option<Known>);

/// A group of which every message's fate is decided.
pub struct Sifted {
    /// What to keep, batch by batch; batches of which nothing is new are left out.
    pub kept: Vec<Batch>,
    pub replies: Vec<(Reply, Receipt)>,
    /// Identities that this group changed, in order.
    pub fresh: Vec<Fresh>,
}

/// What a batch is found to be besides the outcomes of its messages.
#[derive(Default)]
struct Findings {
    /// Messages that came again and have other owners now, or lost one.
    owned: Vec<Owned>,
    /// What may be taken back and is.
    taken: Vec<(ImportId, Vec<Identity>)>,
}

impl Identities {
    /// Nothing heard yet besides what the filter holds.
    pub fn new(sieve: Sieve) -> Identities {
        Identities { sieve, live: IdentityMap::default(), frozen: None, unread: None }
    }

    /// Notes what a batch says that the writer took, as in a replay.
    pub fn replay(&mut self, batch: &Batch) -> Result<u64, ReadError> {
        let workspace = batch.workspace();
        let unreadable = not_a_record("a batch");
        let mut messages = 0;
        for entry in batch.entries() {
            match entry {
                batch::Entry::Message(record) => {
                    let (identity, known) = Known::of(record, batch.import())?;
                    self.put((workspace, identity), known);
                    messages += 1;
                }
                batch::Entry::Owners(bytes) => {
                    let owned = Owned::decode(bytes).map_err(&unreadable)?;
                    self.put((workspace, owned.identity), Known::of_owned(&owned));
                }
                batch::Entry::TakeBack(bytes) => {
                    let taken = TakenBack::decode(bytes).map_err(&unreadable)?;
                    for identity in taken.identities() {
                        self.put((workspace, identity), Known::gone());
                    }
                }
                batch::Entry::Refused(_)
                | batch::Entry::Forget(_)
                | batch::Entry::Decree(_)
                | batch::Entry::Import(_) => {}
            }
        }
        Ok(messages)
    }

    /// Hands what is known in memory to a checkpoint.
    pub fn freeze(&mut self) -> Arc<IdentityMap> {
        let next = IdentityMap::with_capacity(self.live.entries().len());
        let frozen = Arc::new(std::mem::replace(&mut self.live, next));
        self.frozen = Some(Arc::clone(&frozen));
        frozen
    }

    /// The checkpoint has it on disk.
    pub fn thaw(&mut self) {
        self.frozen = None;
    }

    /// Forgets what could not be made durable.
    pub fn take_back(&mut self, fresh: &[Fresh]) {
        for (key, before) in fresh.iter().rev() {
            match before {
                Some(before) => drop(self.live.insert(*key, *before)),
                None => self.live.remove(key),
            }
        }
    }

    /// Whether what could not be read last can be read now.
    pub fn read_again(&mut self, disk: &Keyspace) -> bool {
        let readable = self.unread.is_none_or(|key| Known::read(disk, key).is_ok());
        if readable {
            self.unread = None;
        }
        readable
    }

    fn put(&mut self, key: IdentityKey, known: Known) -> Option<Known> {
        self.sieve.put(key);
        self.live.insert(key, known)
    }

    fn change(&mut self, key: IdentityKey, known: Known, fresh: &mut Vec<Fresh>) {
        fresh.push((key, self.put(key, known)));
    }

    /// Looks where messages lie that are about to be looked up: in the filter, and in memory, where nearly all are to be put.
    fn warm(&self, workspace: WorkspaceId, batch: &Batch) {
        let look = |entry| match entry {
            batch::Entry::Message(record) => record::peek(record).map_or(0, |head| {
                let key = (workspace, head.identity);
                self.sieve.warm(key) ^ u64::from(self.live.get(&key).is_some())
            }),
            _ => 0,
        };
        touch(batch.entries().map(look));
    }

    fn in_memory(&self, key: IdentityKey) -> Option<&Known> {
        self.live.get(&key).or_else(|| self.frozen.as_ref()?.get(&key))
    }

    /// What is known of an identity, in memory or on disk.
    fn find(&mut self, key: IdentityKey, disk: &Keyspace) -> Result<Option<Known>, ReadError> {
        if !self.sieve.may_hold(key) {
            debug_assert!(self.in_memory(key).is_none(), "the filter excludes what is in memory");
            debug_assert!(!matches!(Known::read(disk, key), Ok(Some(_))), "the filter excludes what is on disk");
            return Ok(None);
        }
        match self.in_memory(key) {
            Some(known) => Ok(Some(*known)),
            None => Known::read(disk, key).inspect_err(|_| self.unread = Some(key)),
        }
    }

    /// The fate of a message.
    fn outcome(
        &mut self,
        (workspace, import): (WorkspaceId, Option<ImportId>),
        record: &[u8],
        (disk, memory): (&Keyspace, Memory<'_>),
        (findings, fresh): (&mut Findings, &mut Vec<Fresh>),
    ) -> Result<Outcome, ReadError> {
        let (identity, known) = Known::of(record, import)?;
        let key = (workspace, identity);
        let before = self.find(key, disk)?.filter(|before| memory.keeps(*before, known, record));
        let Some(before) = before else {
            self.change(key, known, fresh);
            return Ok(Outcome::Stored);
        };
        if !same_content(before.content, known.content) {
            return Ok(Outcome::Conflict);
        }
        if let Whose::Owned(owners) = before.whose
            && owners.claimed(import) != owners
        {
            let Known { content, received_at, .. } = before;
            let owned = Owned { identity, content, received_at, owners: owners.claimed(import) };
            findings.owned.push(owned);
            self.change(key, Known::of_owned(&owned), fresh);
        }
        Ok(Outcome::Duplicate)
    }

    /// Takes back what nobody but an import owns of these messages.
    fn take(
        &mut self,
        workspace: WorkspaceId,
        asked: &TakenBack<'_>,
        disk: &Keyspace,
        (findings, fresh): (&mut Findings, &mut Vec<Fresh>),
    ) -> Result<(), ReadError> {
        let mut taken = Vec::new();
        for identity in asked.identities() {
            let key = (workspace, identity);
            let Some(known) = self.find(key, disk)?.filter(|known| known.is_of(asked.id)) else { continue };
            let Known { content, received_at, whose: Whose::Owned(owners) } = known else { continue };
            match owners.released(asked.id) {
                None => {
                    taken.push(identity);
                    self.change(key, Known::gone(), fresh);
                }
                Some(owners) => {
                    let owned = Owned { identity, content, received_at, owners };
                    findings.owned.push(owned);
                    self.change(key, Known::of_owned(&owned), fresh);
                }
            }
        }
        findings.taken.push((asked.id, taken));
        Ok(())
    }
}

/// What is not remembered.
#[derive(Clone, Copy)]
struct Memory<'a> {
    retention_days: Option<u32>,
    deleted: Option<&'a Instants>,
}

impl Memory<'_> {
    /// Whether what is known of a record's identity still counts.
    fn keeps(&self, before: Known, now: Known, record: &[u8]) -> bool {
        if before.whose == Whose::Gone {
            return false;
        }
        let days = |days| before.day().saturating_add(i64::from(days)) >= now.day();
        self.retention_days.is_none_or(days)
            && self.deleted.is_none_or(|deleted| !is_gone(record, before.received_at, deleted))
    }
}

/// Decides the fate of every message of a group. On a fault the group is given back whole, nothing noted.
pub fn sift(
    group: Group,
    identities: &mut Identities,
    views: &Views,
    options: &Options,
) -> Result<Sifted, (Group, ReadError)> {
    let retention_days = options.identity_retention.map(days);
    let mut sifted = Sifted { kept: Vec::with_capacity(group.pending.len()), replies: Vec::new(), fresh: Vec::new() };
    let mut fates = Vec::with_capacity(group.pending.len());
    for pending in &group.pending {
        let deleted = views.tombstones.of(pending.batch.workspace());
        let memory = Memory { retention_days, deleted: deleted.as_deref() };
        match sift_screened(&pending.batch, identities, views, memory, &mut sifted.fresh) {
            Ok(fate) => fates.push(fate),
            Err(fault) => {
                identities.take_back(&sifted.fresh);
                return Err((group, fault));
            }
        }
    }
    for (pending, (kept, receipt)) in group.pending.into_iter().zip(fates) {
        sifted.kept.extend(kept.filter(|batch| !batch.is_empty()));
        sifted.replies.push((pending.reply, receipt));
    }
    Ok(sifted)
}

/// A retention in days, rounded up.
pub fn days(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs().div_ceil(SECONDS_PER_DAY)).unwrap_or(u32::MAX)
}

/// Takes out what deletions hide, then decides about the rest.
fn sift_screened(
    batch: &Batch,
    identities: &mut Identities,
    views: &Views,
    memory: Memory<'_>,
    fresh: &mut Vec<Fresh>,
) -> Result<(Option<Batch>, Receipt), ReadError> {
    let disk = &views.state.identities;
    // Nothing more is taken of an import that is taken back.
    if batch.import().is_some_and(|id| views.closed_imports.has(batch.workspace(), id)) {
        return Ok((None, Receipt { outcomes: vec![Outcome::Deleted; batch.messages()] }));
    }
    let screened = match memory.deleted {
        Some(deleted) => screen(batch, deleted, || views.id_space(batch.workspace()))?,
        None => None,
    };
    let Some(screened) = screened else { return sift_batch(batch, identities, disk, memory, fresh) };
    let (kept, receipt) = sift_batch(&screened.batch, identities, disk, memory, fresh)?;
    Ok((kept, screened.receipt(&receipt)))
}

fn sift_batch(
    batch: &Batch,
    identities: &mut Identities,
    disk: &Keyspace,
    memory: Memory<'_>,
    fresh: &mut Vec<Fresh>,
) -> Result<(Option<Batch>, Receipt), ReadError> {
    let whose = (batch.workspace(), batch.import());
    let mut receipt = Receipt { outcomes: Vec::with_capacity(batch.messages()) };
    let mut findings = Findings::default();
    identities.warm(batch.workspace(), batch);
    for entry in batch.entries() {
        match entry {
            batch::Entry::Message(record) => {
                let outcome = identities.outcome(whose, record, (disk, memory), (&mut findings, fresh))?;
                receipt.outcomes.push(outcome);
            }
            batch::Entry::TakeBack(bytes) => {
                let asked = TakenBack::decode(bytes).map_err(not_a_record("a batch"))?;
                identities.take(whose.0, &asked, disk, (&mut findings, fresh))?;
            }
            batch::Entry::Refused(_)
            | batch::Entry::Forget(_)
            | batch::Entry::Decree(_)
            | batch::Entry::Import(_)
            | batch::Entry::Owners(_) => {}
        }
    }
    // Nearly always everything is new and the batch is kept as the bytes it is; only of an import the outcomes are kept.
    let is_plain = batch.import().is_none() && findings.owned.is_empty() && findings.taken.is_empty();
    if is_plain && receipt.outcomes.iter().all(|outcome| *outcome == Outcome::Stored) {
        return Ok((Some(batch.clone()), receipt));
    }
    Ok((Some(keep_part(batch, &receipt, &findings)?), receipt))
}

/// The batch without its duplicates, conflicts set aside, with what else was found.
fn keep_part(batch: &Batch, receipt: &Receipt, findings: &Findings) -> Result<Batch, ReadError> {
    let mut kept = BatchBuilder::new(batch.workspace(), batch.bytes().len());
    let mut outcomes = receipt.outcomes.iter();
    for entry in batch.entries() {
        match entry {
            batch::Entry::Message(record) => match outcomes.next() {
                Some(Outcome::Stored) => kept.encoded_message(record),
                Some(Outcome::Conflict) => {
                    let message = record::decode(record).map_err(not_a_record("a batch"))?;
                    kept.refused(&Refused::conflict(&message, batch.key_id()));
                }
                Some(Outcome::Duplicate | Outcome::Deleted) | None => {}
            },
            batch::Entry::Refused(bytes) => kept.encoded_refused(bytes),
            batch::Entry::Forget(id) => kept.forget(id),
            batch::Entry::Decree(bytes) => kept.encoded_decree(bytes),
            batch::Entry::Import(bytes) => {
                kept.import(&Note::decode(bytes).map_err(not_a_record("a batch"))?.tallied(receipt));
            }
            // What was found of them stands below.
            batch::Entry::Owners(_) | batch::Entry::TakeBack(_) => {}
        }
    }
    findings.owned.iter().for_each(|owned| kept.owners(owned));
    for (id, identities) in findings.taken.iter().filter(|(_, identities)| !identities.is_empty()) {
        kept.take_back(*id, identities);
    }
    Ok(kept.build())
}
