//! What a journal is asked: to delete, to schedule, to cancel.
//!
//! The byte form is part of the stored formats (`docs/storage-format.md`). It names records by their ids alone; no text
//! of a customer is in it.

use muster_model::{
    deletion::{DeletionId, Part, Subject},
    id::RecordId,
    kind::RecordKind,
    ties::Stretch,
    time::Micros,
};

use crate::record::NotARecord;

const DELETE: u8 = 1;
const SCHEDULE: u8 = 2;
const CANCEL: u8 = 3;
const DELETE_WITH_PARTS: u8 = 4;

/// Records that one deletion covers at the most.
pub const SUBJECTS_MAX: usize = 200_000;
const SUBJECT_BYTES: usize = 17;
/// Stretches of anonymous ids that one deletion covers at the most.
pub const PARTS_MAX: usize = 20_000;
const PART_BYTES: usize = 32;
const DECREE_BYTES_MAX: usize = SUBJECTS_MAX * SUBJECT_BYTES + PARTS_MAX * PART_BYTES;
const _: () = assert!(DECREE_BYTES_MAX < 4 << 20, "a deletion fits a group of the journal");

/// Records to delete, decided once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    pub id: DeletionId,
    /// The record that somebody asked to delete.
    pub root: Subject,
    pub requested_at: Micros,
    /// The key that asked.
    pub key_id: u64,
    /// What reaches back to this instant or before is hidden.
    pub at: Micros,
    /// The root and everything that goes with it.
    pub subjects: Vec<Subject>,
    /// What goes of anonymous ids that others were, too.
    pub parts: Vec<Part>,
}

/// One entry of a batch about deletions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decree {
    /// Delete now. One that was carried out or cancelled before is left as it is.
    Delete(Delete),
    /// Delete when `due` has come; somebody will send the [`Decree::Delete`] then.
    Schedule { id: DeletionId, root: Subject, requested_at: Micros, key_id: u64, due: Micros },
    /// Do not delete what was scheduled. Without effect once it is deleted.
    Cancel { id: DeletionId, at: Micros },
}

impl Decree {
    /// The deletion that it is about.
    #[must_use]
    pub fn id(&self) -> DeletionId {
        match self {
            Decree::Delete(delete) => delete.id,
            Decree::Schedule { id, .. } | Decree::Cancel { id, .. } => *id,
        }
    }

    /// Appends the byte form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Decree::Delete(delete) => {
                out.push(if delete.parts.is_empty() { DELETE } else { DELETE_WITH_PARTS });
                put_head(out, delete.id, delete.root, delete.requested_at, delete.key_id);
                out.extend_from_slice(&delete.at.0.to_le_bytes());
                out.extend_from_slice(&(delete.subjects.len() as u32).to_le_bytes());
                delete.subjects.iter().for_each(|subject| put_subject(out, *subject));
                if !delete.parts.is_empty() {
                    out.extend_from_slice(&(delete.parts.len() as u32).to_le_bytes());
                    delete.parts.iter().for_each(|part| put_part(out, *part));
                }
            }
            Decree::Schedule { id, root, requested_at, key_id, due } => {
                out.push(SCHEDULE);
                put_head(out, *id, *root, *requested_at, *key_id);
                out.extend_from_slice(&due.0.to_le_bytes());
            }
            Decree::Cancel { id, at } => {
                out.push(CANCEL);
                out.extend_from_slice(&id.0.to_le_bytes());
                out.extend_from_slice(&at.0.to_le_bytes());
            }
        }
    }

    /// Reads the byte form.
    pub fn decode(bytes: &[u8]) -> Result<Decree, NotARecord> {
        let mut input = Input { bytes };
        let decree = match input.u8()? {
            tag @ (DELETE | DELETE_WITH_PARTS) => {
                let (id, root, requested_at, key_id) = input.head()?;
                let at = input.instant()?;
                let count = u32::from_le_bytes(input.array()?) as usize;
                if count > input.bytes.len() / SUBJECT_BYTES {
                    return Err(NotARecord);
                }
                let subjects = (0..count).map(|_| input.subject()).collect::<Result<_, _>>()?;
                let parts = if tag == DELETE { Vec::new() } else { input.parts()? };
                Decree::Delete(Delete { id, root, requested_at, key_id, at, subjects, parts })
            }
            SCHEDULE => {
                let (id, root, requested_at, key_id) = input.head()?;
                Decree::Schedule { id, root, requested_at, key_id, due: input.instant()? }
            }
            CANCEL => Decree::Cancel { id: DeletionId(u128::from_le_bytes(input.array()?)), at: input.instant()? },
            _ => return Err(NotARecord),
        };
        if input.bytes.is_empty() { Ok(decree) } else { Err(NotARecord) }
    }
}

fn put_head(out: &mut Vec<u8>, id: DeletionId, root: Subject, requested_at: Micros, key_id: u64) {
    out.extend_from_slice(&id.0.to_le_bytes());
    put_subject(out, root);
    out.extend_from_slice(&requested_at.0.to_le_bytes());
    out.extend_from_slice(&key_id.to_le_bytes());
}

fn put_subject(out: &mut Vec<u8>, (kind, id): Subject) {
    out.push(kind as u8);
    out.extend_from_slice(&id.0.to_le_bytes());
}

fn put_part(out: &mut Vec<u8>, part: Part) {
    out.extend_from_slice(&part.anonymous.0.to_le_bytes());
    out.extend_from_slice(&part.stretch.first.0.to_le_bytes());
    out.extend_from_slice(&part.stretch.last.0.to_le_bytes());
}

struct Input<'a> {
    bytes: &'a [u8],
}

impl Input<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], NotARecord> {
        let (taken, rest) = self.bytes.split_at_checked(N).ok_or(NotARecord)?;
        self.bytes = rest;
        taken.try_into().map_err(|_| NotARecord)
    }

    fn u8(&mut self) -> Result<u8, NotARecord> {
        Ok(self.array::<1>()?[0])
    }

    fn instant(&mut self) -> Result<Micros, NotARecord> {
        Ok(Micros(i64::from_le_bytes(self.array()?)))
    }

    fn subject(&mut self) -> Result<Subject, NotARecord> {
        let kind = RecordKind::from_number(self.u8()?).ok_or(NotARecord)?;
        Ok((kind, RecordId(u128::from_le_bytes(self.array()?))))
    }

    fn parts(&mut self) -> Result<Vec<Part>, NotARecord> {
        let count = u32::from_le_bytes(self.array()?) as usize;
        if count > self.bytes.len() / PART_BYTES {
            return Err(NotARecord);
        }
        let part = |_| {
            let anonymous = RecordId(u128::from_le_bytes(self.array()?));
            Ok(Part { anonymous, stretch: Stretch { first: self.instant()?, last: self.instant()? } })
        };
        (0..count).map(part).collect()
    }

    fn head(&mut self) -> Result<(DeletionId, Subject, Micros, u64), NotARecord> {
        let id = DeletionId(u128::from_le_bytes(self.array()?));
        Ok((id, self.subject()?, self.instant()?, u64::from_le_bytes(self.array()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decrees_read_back_and_cut_bytes_are_refused() {
        let (root, at) = ((RecordKind::Account, RecordId(7)), Micros(-5));
        let id = DeletionId::of(root, at);
        let subjects = vec![root, (RecordKind::User, RecordId(8))];
        let part = Part { anonymous: RecordId(4), stretch: Stretch { first: Micros(-2), last: Micros(7) } };
        let decrees = [
            Decree::Delete(Delete {
                id,
                root,
                requested_at: at,
                key_id: 3,
                at: Micros(9),
                subjects: subjects.clone(),
                parts: Vec::new(),
            }),
            Decree::Delete(Delete {
                id,
                root,
                requested_at: at,
                key_id: 3,
                at: Micros(9),
                subjects,
                parts: vec![part; 2],
            }),
            Decree::Schedule { id, root, requested_at: at, key_id: 3, due: Micros(11) },
            Decree::Cancel { id, at },
        ];
        for decree in decrees {
            let mut bytes = Vec::new();
            decree.encode(&mut bytes);
            assert_eq!(Decree::decode(&bytes), Ok(decree.clone()));
            for end in 0..bytes.len() {
                assert_eq!(Decree::decode(&bytes[..end]), Err(NotARecord), "{decree:?} cut at {end}");
            }
        }
    }
}
