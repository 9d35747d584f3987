//! Telling new messages from repeated and conflicting ones.
//!
//! The decision is made here, inside the one thread that commits, and nowhere else. Identities heard since the last
//! checkpoint are in memory, all others in the state store. A conflicting message becomes a message set aside.

use std::{collections::hash_map::Entry, sync::Arc, time::Duration};

use fjall::Keyspace;
use muster_model::{
    id::{Identity, WorkspaceId},
    message::same_content,
    time::Micros,
};
use muster_store::{
    batch::{self, Batch, BatchBuilder},
    error::ReadError,
    import::Note,
    receipt::{Outcome, Receipt},
    record,
    refused::Refused,
};
use rustc_hash::FxHashMap;

use super::collect::{Group, Reply};
use crate::{
    erase::{
        screen::{is_gone, screen},
        tombstones::Instants,
    },
    error::{not_a_record, state_failed},
    keys,
    options::Options,
    views::Views,
};

/// Whose message, and which.
pub type IdentityKey = (WorkspaceId, Identity);
/// The digest of the content, and the receipt, of each identity.
pub type IdentityMap = FxHashMap<IdentityKey, Known>;

/// What is remembered of a stored message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    pub content: u64,
    /// When it was received.
    pub received_at: Micros,
}

const MICROS_PER_DAY: i64 = 86_400 * 1_000_000;
const SECONDS_PER_DAY: u64 = 86_400;

impl Known {
    fn of(record: &[u8]) -> Result<(Identity, Known), ReadError> {
        let head = record::peek(record).map_err(not_a_record("a batch"))?;
        Ok((head.identity, Known { content: head.content, received_at: head.received_at }))
    }

    /// The stored value.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut value = [0; 16];
        value[..8].copy_from_slice(&self.content.to_le_bytes());
        value[8..].copy_from_slice(&self.received_at.0.to_le_bytes());
        value
    }

    /// Reads the stored value.
    pub fn from_bytes(value: &[u8]) -> Option<Known> {
        let content = u64::from_le_bytes(value.get(..8)?.try_into().ok()?);
        let received_at = Micros(i64::from_le_bytes(value.get(8..16)?.try_into().ok()?));
        Some(Known { content, received_at })
    }

    /// Days since 1970 of its receipt; a retention is counted in days.
    pub fn day(self) -> i64 {
        self.received_at.0.div_euclid(MICROS_PER_DAY)
    }
}

/// Identities that are not on disk yet.
#[derive(Debug, Default)]
pub struct Identities {
    live: IdentityMap,
    frozen: Option<Arc<IdentityMap>>,
    /// The identity that could not be read last.
    unread: Option<IdentityKey>,
}

/// A group of which every message's fate is decided.
pub struct Sifted {
    /// What to keep, batch by batch; batches of which nothing is new are left out.
    pub kept: Vec<Batch>,
    pub replies: Vec<(Reply, Receipt)>,
    /// Identities that became known by this group.
    pub fresh: Vec<IdentityKey>,
}

impl Identities {
    /// Notes a message that is known to be new, as in a replay.
    pub fn insert_new(&mut self, workspace: WorkspaceId, record: &[u8]) -> Result<(), ReadError> {
        let (identity, known) = Known::of(record)?;
        self.live.insert((workspace, identity), known);
        Ok(())
    }

    /// Hands what is known in memory to a checkpoint.
    pub fn freeze(&mut self) -> Arc<IdentityMap> {
        let frozen = Arc::new(std::mem::take(&mut self.live));
        self.frozen = Some(Arc::clone(&frozen));
        frozen
    }

    /// The checkpoint has it on disk.
    pub fn thaw(&mut self) {
        self.frozen = None;
    }

    /// Forgets identities whose messages could not be made durable.
    pub fn take_back(&mut self, fresh: &[IdentityKey]) {
        for key in fresh {
            self.live.remove(key);
        }
    }

    /// Whether what could not be read last can be read now.
    pub fn read_again(&mut self, disk: &Keyspace) -> bool {
        let readable = self.unread.is_none_or(|key| read_known(disk, key).is_ok());
        if readable {
            self.unread = None;
        }
        readable
    }

    fn outcome(
        &mut self,
        workspace: WorkspaceId,
        record: &[u8],
        disk: &Keyspace,
        memory: Memory<'_>,
    ) -> Result<(IdentityKey, Outcome), ReadError> {
        let (identity, known) = Known::of(record)?;
        let key = (workspace, identity);
        let vacant = match self.live.entry(key) {
            Entry::Occupied(before) if memory.keeps(*before.get(), known, record) => {
                return Ok((key, fate(*before.get(), known)));
            }
            Entry::Occupied(mut expired) => {
                expired.insert(known);
                return Ok((key, Outcome::Stored));
            }
            Entry::Vacant(vacant) => vacant,
        };
        let below = match self.frozen.as_ref().and_then(|frozen| frozen.get(&key)) {
            Some(before) => Some(*before),
            None => read_known(disk, key).inspect_err(|_| self.unread = Some(key))?,
        };
        if let Some(before) = below.filter(|before| memory.keeps(*before, known, record)) {
            return Ok((key, fate(before, known)));
        }
        vacant.insert(known);
        Ok((key, Outcome::Stored))
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
        let days = |days| before.day().saturating_add(i64::from(days)) >= now.day();
        self.retention_days.is_none_or(days)
            && self.deleted.is_none_or(|deleted| !is_gone(record, before.received_at, deleted))
    }
}

/// What becomes of a message whose identity is known.
fn fate(before: Known, now: Known) -> Outcome {
    if same_content(before.content, now.content) { Outcome::Duplicate } else { Outcome::Conflict }
}

fn read_known(disk: &Keyspace, (workspace, identity): IdentityKey) -> Result<Option<Known>, ReadError> {
    let value = disk.get(keys::identity_key(workspace, identity)).map_err(|error| state_failed(&error))?;
    let Some(value) = value else { return Ok(None) };
    let known = Known::from_bytes(&value);
    known.map(Some).ok_or_else(|| ReadError::Damaged { what: "an identity in the state store".to_owned() })
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
    fresh: &mut Vec<IdentityKey>,
) -> Result<(Option<Batch>, Receipt), ReadError> {
    let disk = &views.state.identities;
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
    fresh: &mut Vec<IdentityKey>,
) -> Result<(Option<Batch>, Receipt), ReadError> {
    let workspace = batch.workspace();
    let mut receipt = Receipt { outcomes: Vec::with_capacity(batch.messages()) };
    for entry in batch.entries() {
        if let batch::Entry::Message(record) = entry {
            let (key, outcome) = identities.outcome(workspace, record, disk, memory)?;
            if outcome == Outcome::Stored {
                fresh.push(key);
            }
            receipt.outcomes.push(outcome);
        }
    }
    // Nearly always everything is new and the batch is kept as the bytes it is; only of an import the outcomes are kept.
    let is_told = batch.entries().all(|entry| !matches!(entry, batch::Entry::Import(_)));
    if is_told && receipt.outcomes.iter().all(|outcome| *outcome == Outcome::Stored) {
        return Ok((Some(batch.clone()), receipt));
    }
    Ok((Some(keep_part(batch, &receipt)?), receipt))
}

/// The batch without its duplicates, conflicts set aside.
fn keep_part(batch: &Batch, receipt: &Receipt) -> Result<Batch, ReadError> {
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
        }
    }
    Ok(kept.build())
}
