//! Keeping late messages about deleted records out.
//!
//! Runs before the duplicate check, on the records' names alone. A batch of which nothing is concerned is left as the
//! bytes it is.

use muster_history::error::not_a_record;
use muster_model::{
    deletion::{Fate, reach},
    id::IdSpace,
    time::Micros,
};
use muster_store::{
    batch::{Batch, BatchBuilder, Entry, decode_refused},
    deletion::{Instants, mentions},
    error::ReadError,
    receipt::{Outcome, Receipt},
    record,
};

/// A batch without what deletions hide of it.
pub struct Screened {
    pub batch: Batch,
    /// For each message of the batch as it came, whether it was taken out.
    dropped: Vec<bool>,
}

/// Takes out what deletions hide; `None` when that is nothing.
pub fn screen(
    batch: &Batch,
    deleted: &Instants,
    ids: impl Fn() -> Result<IdSpace, ReadError>,
) -> Result<Option<Screened>, ReadError> {
    let hides = |id, reach| deleted.hides(id, reach);
    let unreadable = not_a_record("a batch");
    let mut fates = Vec::with_capacity(batch.messages());
    let mut set_aside = Vec::new();
    for entry in batch.entries() {
        match entry {
            Entry::Message(bytes) => {
                let names = record::names(bytes).map_err(&unreadable)?;
                fates.push(names.fate(names.reach(), hides));
            }
            Entry::Refused(bytes) => {
                let refused = decode_refused(bytes).map_err(&unreadable)?;
                let named = |id| deleted.deleted_at(id).is_some_and(|at| refused.received_at <= at);
                set_aside.push(!mentions(&refused.body, ids()?, named));
            }
            Entry::Forget(_) | Entry::Decree(_) | Entry::Import(_) | Entry::Owners(_) | Entry::TakeBack(_) => {}
        }
    }
    if fates.iter().all(|fate| *fate == Fate::Keep) && set_aside.iter().all(|keep| *keep) {
        return Ok(None);
    }
    let mut set_aside = set_aside.into_iter();
    let mut left = BatchBuilder::new(batch.workspace(), batch.bytes().len()).sent_with(batch.key_id());
    let mut next = fates.iter();
    for entry in batch.entries() {
        match entry {
            Entry::Message(bytes) => match next.next() {
                Some(Fate::Redact) => {
                    left.message(&record::decode(bytes).map_err(&unreadable)?.redacted(hides));
                }
                Some(Fate::Drop) => {}
                Some(Fate::Keep) | None => left.encoded_message(bytes),
            },
            Entry::Refused(bytes) if set_aside.next() == Some(true) => left.encoded_refused(bytes),
            Entry::Refused(_) => {}
            Entry::Forget(id) => left.forget(id),
            Entry::Decree(bytes) => left.encoded_decree(bytes),
            Entry::Import(bytes) => left.encoded_import(bytes),
            Entry::Owners(bytes) => left.encoded_owners(bytes),
            Entry::TakeBack(bytes) => left.encoded_take_back(bytes),
        }
    }
    let dropped = fates.iter().map(|fate| *fate == Fate::Drop).collect();
    Ok(Some(Screened { batch: left.build(), dropped }))
}

impl Screened {
    /// The fate of every message as it came, from the fate of those that were left.
    pub fn receipt(&self, of_left: &Receipt) -> Receipt {
        let mut left = of_left.outcomes.iter().copied();
        let outcome = |dropped: &bool| if *dropped { Outcome::Deleted } else { left.next().unwrap_or(Outcome::Stored) };
        Receipt { outcomes: self.dropped.iter().map(outcome).collect() }
    }
}

/// What deletions leave of a message in its byte form; `whose` says in an error where it lay.
pub fn left(deleted: Option<&Instants>, record: &[u8], whose: &str) -> Result<Option<Vec<u8>>, ReadError> {
    let Some(deleted) = deleted else { return Ok(Some(record.to_vec())) };
    let unreadable = not_a_record(whose);
    let names = record::names(record).map_err(&unreadable)?;
    let hides = |id, reach| deleted.hides(id, reach);
    Ok(match names.fate(names.reach(), hides) {
        Fate::Keep => Some(record.to_vec()),
        Fate::Drop => None,
        Fate::Redact => {
            let mut left = Vec::with_capacity(record.len());
            record::encode(&record::decode(record).map_err(&unreadable)?.redacted(hides), &mut left);
            Some(left)
        }
    })
}

/// Whether a message that was stored under this record's identity at an instant is gone: whoever sends it again, at a
/// time after the deletion, starts anew.
pub fn is_gone(record: &[u8], stored_at: Micros, deleted: &Instants) -> bool {
    record::names(record).is_ok_and(|names| {
        names.fate(reach(names.timestamp, stored_at), |id, reach| deleted.hides(id, reach)) == Fate::Drop
    })
}
