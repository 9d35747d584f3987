//! Deletions, and their receipts.

use crate::deletion::{Deletion, Erasure, Removed, Seal, Stage};
use muster_model::{
    deletion::{DeletionId, Part, Subject},
    id::RecordId,
    kind::RecordKind,
    ties::Stretch,
    time::Micros,
};

use super::bytes::{Input, Malformed, Output};

/// The version of this layout. The first one knew no anonymous ids, the second not who called a deletion off.
pub const VERSION: u8 = 3;
const WITHOUT_ANONYMOUS: u8 = 1;
const WITHOUT_CANCELLED_BY: u8 = 2;

const SCHEDULED: u8 = 0;
const CANCELLED: u8 = 1;
const ERASING: u8 = 2;
const FINISHED: u8 = 3;

/// Appends a deletion.
pub fn encode(deletion: &Deletion, out: &mut Vec<u8>) {
    out.put_u8(VERSION);
    out.put_u128(deletion.id.0);
    put_subject(out, deletion.root);
    out.put_i64(deletion.requested_at.0);
    out.put_u64(deletion.key_id);
    out.put_option(deletion.due, |out, due| out.put_i64(due.0));
    match &deletion.stage {
        Stage::Scheduled => out.put_u8(SCHEDULED),
        Stage::Cancelled { at, by } => {
            out.put_u8(CANCELLED);
            out.put_i64(at.0);
            out.put_option(*by, |out, by| out.put_u64(by));
        }
        Stage::Erasing(erasure) => {
            out.put_u8(ERASING);
            put_erasure(out, erasure);
        }
        Stage::Finished(erasure, seal) => {
            out.put_u8(FINISHED);
            put_erasure(out, erasure);
            out.put_u64(seal.number);
            out.put_i64(seal.finished_at.0);
            out.extend_from_slice(&seal.previous);
            out.extend_from_slice(&seal.hash);
        }
    }
}

/// Reads a deletion.
pub fn decode(bytes: &[u8]) -> Result<Deletion, Malformed> {
    let mut input = Input::new(bytes);
    let version = input.u8()?;
    if !matches!(version, WITHOUT_ANONYMOUS | WITHOUT_CANCELLED_BY | VERSION) {
        return Err(Malformed);
    }
    let id = DeletionId(input.u128()?);
    let root = take_subject(&mut input)?;
    let requested_at = Micros(input.i64()?);
    let key_id = input.u64()?;
    let due = input.option(Input::i64)?.map(Micros);
    let stage = match input.u8()? {
        SCHEDULED => Stage::Scheduled,
        CANCELLED => {
            let at = Micros(input.i64()?);
            Stage::Cancelled { at, by: if version == VERSION { input.option(Input::u64)? } else { None } }
        }
        ERASING => Stage::Erasing(take_erasure(&mut input, version)?),
        FINISHED => {
            let erasure = take_erasure(&mut input, version)?;
            let (number, finished_at) = (input.u64()?, Micros(input.i64()?));
            Stage::Finished(erasure, Seal { number, finished_at, previous: hash(&mut input)?, hash: hash(&mut input)? })
        }
        _ => return Err(Malformed),
    };
    input.end()?;
    Ok(Deletion { id, root, requested_at, key_id, due, stage })
}

fn put_subject(out: &mut Vec<u8>, (kind, id): Subject) {
    out.put_u8(kind as u8);
    out.put_u128(id.0);
}

fn take_subject(input: &mut Input<'_>) -> Result<Subject, Malformed> {
    let kind = RecordKind::from_number(input.u8()?).ok_or(Malformed)?;
    Ok((kind, RecordId(input.u128()?)))
}

fn put_erasure(out: &mut Vec<u8>, erasure: &Erasure) {
    out.put_i64(erasure.at.0);
    let Removed { organizations, accounts, users, instances, custom_objects, responses, .. } = erasure.removed;
    let Removed { messages, redacted, refused, identities, files, .. } = erasure.removed;
    for count in [organizations, accounts, users, instances, custom_objects, responses] {
        out.put_u64(count);
    }
    for count in [messages, redacted, refused, identities, files] {
        out.put_u64(count);
    }
    out.put_u32(erasure.subjects.len() as u32);
    erasure.subjects.iter().for_each(|subject| put_subject(out, *subject));
    out.put_u64(erasure.removed.anonymous);
    out.put_u32(erasure.parts.len() as u32);
    for part in &erasure.parts {
        out.put_u128(part.anonymous.0);
        out.put_i64(part.stretch.first.0);
        out.put_i64(part.stretch.last.0);
    }
}

fn take_erasure(input: &mut Input<'_>, version: u8) -> Result<Erasure, Malformed> {
    let at = Micros(input.i64()?);
    let mut removed = Removed {
        anonymous: 0,
        organizations: input.u64()?,
        accounts: input.u64()?,
        users: input.u64()?,
        instances: input.u64()?,
        custom_objects: input.u64()?,
        responses: input.u64()?,
        messages: input.u64()?,
        redacted: input.u64()?,
        refused: input.u64()?,
        identities: input.u64()?,
        files: input.u64()?,
    };
    let count = input.count(17)?;
    let subjects = (0..count).map(|_| take_subject(input)).collect::<Result<_, _>>()?;
    let mut parts = Vec::new();
    if version != WITHOUT_ANONYMOUS {
        removed.anonymous = input.u64()?;
        for _ in 0..input.count(32)? {
            let anonymous = RecordId(input.u128()?);
            let (first, last) = (Micros(input.i64()?), Micros(input.i64()?));
            parts.push(Part { anonymous, stretch: Stretch { first, last } });
        }
    }
    Ok(Erasure { at, subjects, parts, removed })
}

fn hash(input: &mut Input<'_>) -> Result<[u8; 32], Malformed> {
    input.take(32)?.try_into().map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_reads_back() {
        let root = (RecordKind::Account, RecordId(7));
        let removed = Removed { users: 2, messages: 3, files: 4, anonymous: 5, ..Removed::default() };
        let subjects = vec![root, (RecordKind::User, RecordId(8))];
        let part = Part { anonymous: RecordId(9), stretch: Stretch { first: Micros::MIN, last: Micros(3) } };
        let erasure = Erasure { at: Micros(-3), subjects, parts: vec![part], removed };
        let seal = Seal { number: 4, finished_at: Micros(9), previous: [1; 32], hash: [2; 32] };
        let stages = [
            Stage::Scheduled,
            Stage::Cancelled { at: Micros(5), by: None },
            Stage::Cancelled { at: Micros(5), by: Some(9) },
            Stage::Erasing(erasure.clone()),
            Stage::Finished(erasure, seal),
        ];
        for stage in stages {
            let id = DeletionId::of(root, Micros(1));
            let deletion = Deletion { id, root, requested_at: Micros(1), key_id: 6, due: Some(Micros(2)), stage };
            let mut bytes = Vec::new();
            encode(&deletion, &mut bytes);
            assert_eq!(decode(&bytes), Ok(deletion));
            assert!((0..bytes.len()).all(|end| decode(&bytes[..end]).is_err()));
        }
    }
}
