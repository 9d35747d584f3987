//! Imports, and how far each has come.

use crate::import::{Counts, Import, Source, Stage};
use muster_model::{id::ImportId, time::Micros};

use super::bytes::{Input, Malformed, Output};

/// The version of this layout. The first one had no bookmark, the second not who had it taken back.
pub const VERSION: u8 = 3;
const WITHOUT_BOOKMARK: u8 = 1;
const WITHOUT_UNDONE_BY: u8 = 2;

const RUNNING: u8 = 0;
const COMPLETE: u8 = 1;
const UNDOING: u8 = 2;
const UNDONE: u8 = 3;
/// A stretch that is done: two places.
const STRETCH_BYTES: usize = 16;

/// Appends an import.
pub fn encode(import: &Import, out: &mut Vec<u8>) {
    out.put_u8(VERSION);
    out.put_u32(import.id.0);
    out.put_text(&import.source.name);
    out.put_text(&import.source.form);
    out.put_option(import.source.bytes, |out, bytes| out.put_u64(bytes));
    out.put_option(import.source.fingerprint, |out, fingerprint| out.put_u128(fingerprint));
    out.put_u64(import.key_id);
    out.put_i64(import.started_at.0);
    out.put_i64(import.heard_at.0);
    match import.stage {
        Stage::Running => out.put_u8(RUNNING),
        Stage::Complete { at } => {
            out.put_u8(COMPLETE);
            out.put_i64(at.0);
        }
        Stage::Undoing { at, below } => {
            out.put_u8(UNDOING);
            out.put_i64(at.0);
            out.put_option(below, |out, below| out.put_u64(below));
        }
        Stage::Undone { at, messages } => {
            out.put_u8(UNDONE);
            out.put_i64(at.0);
            out.put_u64(messages);
        }
    }
    let Counts { read, stored, duplicates, refused } = import.counts;
    for count in [read, stored, duplicates, refused, import.bytes] {
        out.put_u64(count);
    }
    out.put_option(import.total, |out, total| out.put_u64(total));
    out.put_u64(import.position);
    out.put_u64(import.refused_bytes);
    out.put_option(import.bookmark.as_deref(), |out, bookmark| out.put_text(bookmark));
    out.put_option(import.undone_by, |out, by| out.put_u64(by));
    out.put_u32(import.ahead.len() as u32);
    for (from, to) in &import.ahead {
        out.put_u64(*from);
        out.put_u64(*to);
    }
}

/// Reads an import.
pub fn decode(bytes: &[u8]) -> Result<Import, Malformed> {
    let mut input = Input::new(bytes);
    let version = input.u8()?;
    if !matches!(version, WITHOUT_BOOKMARK | WITHOUT_UNDONE_BY | VERSION) {
        return Err(Malformed);
    }
    let id = ImportId(input.u32()?);
    let (name, form) = (input.text()?.into(), input.text()?.into());
    let (bytes, fingerprint) = (input.option(Input::u64)?, input.option(Input::u128)?);
    let source = Source { name, form, bytes, fingerprint };
    let key_id = input.u64()?;
    let (started_at, heard_at) = (Micros(input.i64()?), Micros(input.i64()?));
    let stage = match input.u8()? {
        RUNNING => Stage::Running,
        COMPLETE => Stage::Complete { at: Micros(input.i64()?) },
        UNDOING => Stage::Undoing { at: Micros(input.i64()?), below: input.option(Input::u64)? },
        UNDONE => Stage::Undone { at: Micros(input.i64()?), messages: input.u64()? },
        _ => return Err(Malformed),
    };
    let counts = Counts { read: input.u64()?, stored: input.u64()?, duplicates: input.u64()?, refused: input.u64()? };
    let (bytes, total) = (input.u64()?, input.option(Input::u64)?);
    let (position, refused_bytes) = (input.u64()?, input.u64()?);
    let bookmark = if version == WITHOUT_BOOKMARK { None } else { input.option(|input| Ok(input.text()?.into()))? };
    let undone_by = if version == VERSION { input.option(Input::u64)? } else { None };
    let count = input.count(STRETCH_BYTES)?;
    let ahead = (0..count).map(|_| Ok((input.u64()?, input.u64()?))).collect::<Result<_, Malformed>>()?;
    input.end()?;
    Ok(Import {
        id,
        source,
        key_id,
        undone_by,
        started_at,
        heard_at,
        stage,
        counts,
        bytes,
        total,
        position,
        refused_bytes,
        bookmark,
        ahead,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_reads_back() {
        let source = Source { name: "a.csv, b.csv".into(), form: "rows".into(), bytes: Some(7), fingerprint: Some(9) };
        let mut import = Import {
            id: ImportId(3),
            source,
            key_id: 4,
            undone_by: None,
            started_at: Micros(-5),
            heard_at: Micros(6),
            stage: Stage::Running,
            counts: Counts { read: 1, stored: 2, duplicates: 3, refused: 4 },
            bytes: 5,
            total: None,
            position: 8,
            refused_bytes: 9,
            bookmark: None,
            ahead: vec![(10, 11), (12, 13)],
        };
        let at = Micros(7);
        let undoing = |below| Stage::Undoing { at, below };
        let undone = Stage::Undone { at, messages: 9 };
        for stage in [Stage::Running, Stage::Complete { at }, undoing(None), undoing(Some(3)), undone] {
            import.stage = stage;
            let mut bytes = Vec::new();
            encode(&import, &mut bytes);
            assert_eq!(decode(&bytes), Ok(import.clone()));
            assert!((0..bytes.len()).all(|end| decode(&bytes[..end]).is_err()));
            (import.total, import.bookmark, import.undone_by) = (Some(99), Some("here".into()), Some(3));
        }
    }
}
