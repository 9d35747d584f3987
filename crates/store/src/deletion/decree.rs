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

use crate::{
    byte_form::{Input, Malformed, Output},
    record::NotARecord,
};

const DELETE: u8 = 1;
const SCHEDULE: u8 = 2;
const CANCEL: u8 = 3;
const DELETE_WITH_PARTS: u8 = 4;
/// To cancel, with whoever asked for it.
const CANCEL_BY: u8 = 5;

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
    /// Do not delete what was scheduled. Without effect once it is deleted. `by` is the key that asked, if anybody did.
    Cancel { id: DeletionId, at: Micros, by: Option<u64> },
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
                out.put_i64(delete.at.0);
                out.put_u32(delete.subjects.len() as u32);
                delete.subjects.iter().for_each(|subject| put_subject(out, *subject));
                if !delete.parts.is_empty() {
                    out.put_u32(delete.parts.len() as u32);
                    delete.parts.iter().for_each(|part| put_part(out, *part));
                }
            }
            Decree::Schedule { id, root, requested_at, key_id, due } => {
                out.push(SCHEDULE);
                put_head(out, *id, *root, *requested_at, *key_id);
                out.put_i64(due.0);
            }
            Decree::Cancel { id, at, by } => {
                out.push(if by.is_some() { CANCEL_BY } else { CANCEL });
                out.put_u128(id.0);
                out.put_i64(at.0);
                by.iter().for_each(|by| out.put_u64(*by));
            }
        }
    }

    /// Reads the byte form.
    pub fn decode(bytes: &[u8]) -> Result<Decree, NotARecord> {
        let mut input = Input::new(bytes);
        let decree = match input.u8()? {
            tag @ (DELETE | DELETE_WITH_PARTS) => {
                let (id, root, requested_at, key_id) = head(&mut input)?;
                let at = input.instant()?;
                let count = input.count(SUBJECT_BYTES)?;
                let subjects = (0..count).map(|_| subject(&mut input)).collect::<Result<_, _>>()?;
                let count = if tag == DELETE { 0 } else { input.count(PART_BYTES)? };
                let parts = (0..count).map(|_| part(&mut input)).collect::<Result<_, _>>()?;
                Decree::Delete(Delete { id, root, requested_at, key_id, at, subjects, parts })
            }
            SCHEDULE => {
                let (id, root, requested_at, key_id) = head(&mut input)?;
                Decree::Schedule { id, root, requested_at, key_id, due: input.instant()? }
            }
            tag @ (CANCEL | CANCEL_BY) => {
                let (id, at) = (DeletionId(input.u128()?), input.instant()?);
                Decree::Cancel { id, at, by: if tag == CANCEL { None } else { Some(input.u64()?) } }
            }
            _ => return Err(NotARecord),
        };
        input.end()?;
        Ok(decree)
    }
}

fn put_head(out: &mut Vec<u8>, id: DeletionId, root: Subject, requested_at: Micros, key_id: u64) {
    out.put_u128(id.0);
    put_subject(out, root);
    out.put_i64(requested_at.0);
    out.put_u64(key_id);
}

fn put_subject(out: &mut Vec<u8>, (kind, id): Subject) {
    out.put_u8(kind as u8);
    out.put_u128(id.0);
}

fn put_part(out: &mut Vec<u8>, part: Part) {
    out.put_u128(part.anonymous.0);
    out.put_i64(part.stretch.first.0);
    out.put_i64(part.stretch.last.0);
}

fn subject(input: &mut Input<'_>) -> Result<Subject, Malformed> {
    let kind = RecordKind::from_number(input.u8()?).ok_or(Malformed)?;
    Ok((kind, RecordId(input.u128()?)))
}

fn part(input: &mut Input<'_>) -> Result<Part, Malformed> {
    let anonymous = RecordId(input.u128()?);
    Ok(Part { anonymous, stretch: Stretch { first: input.instant()?, last: input.instant()? } })
}

fn head(input: &mut Input<'_>) -> Result<(DeletionId, Subject, Micros, u64), Malformed> {
    Ok((DeletionId(input.u128()?), subject(input)?, input.instant()?, input.u64()?))
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
            Decree::Cancel { id, at, by: None },
            Decree::Cancel { id, at, by: Some(1 << 63) },
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
