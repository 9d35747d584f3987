//! What a journal is told of an import: that it begins, that a part of it is done, that it is complete.
//!
//! The byte form is part of the stored formats (`docs/storage-format.md`). It names files by their names alone; nothing of
//! what they hold is in it.

use muster_model::{id::ImportId, time::Micros};

use crate::{
    byte_form::{Input, Malformed, Output},
    receipt::{Outcome, Receipt},
    record::NotARecord,
};

const BEGIN: u8 = 1;
const PART: u8 = 2;
const END: u8 = 3;
const FORGET: u8 = 4;
const UNDO: u8 = 5;
const UNDO_FILES: u8 = 6;
const UNDONE: u8 = 7;
/// A part that comes with a bookmark.
const MARKED_PART: u8 = 8;
/// To undo, with whoever asked for it.
const UNDO_BY: u8 = 9;

/// Bytes of the names of an import's sources, and of the word for their form.
pub const NAME_BYTES_MAX: usize = 512;

/// Bytes of a bookmark.
pub const BOOKMARK_BYTES_MAX: usize = 1_024;

/// Where an import comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The names of its files, for people.
    pub name: Box<str>,
    /// What the files are.
    pub form: Box<str>,
    /// Bytes in all, where that is known.
    pub bytes: Option<u64>,
    /// The same for the same sources, read in the same way; `None` for what cannot be read twice.
    pub fingerprint: Option<u128>,
}

/// A part of an import's sources, from one place to another. Places count what was read, message by message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    pub from: u64,
    pub to: u64,
    /// What became of its messages. The journal's writer counts them; what is told before that is made anew by it.
    pub stored: u64,
    pub duplicates: u64,
    /// Of what it read, what is no message that could be stored.
    pub refused: u64,
    /// Everything before this place was acknowledged to whoever imports.
    pub position: u64,
    /// How many bytes whoever imports had written of what was refused before that place.
    pub refused_bytes: u64,
    /// Bytes of the sources read so far.
    pub bytes: u64,
    /// How much there is to read in all, once that is known.
    pub total: Option<u64>,
}

impl Part {
    /// The same with the outcomes of the messages that came with it; `refused` counts conflicts too.
    #[must_use]
    pub fn tallied(&self, receipt: &Receipt) -> Part {
        let conflicts = receipt.count(Outcome::Conflict) as u64;
        Part {
            stored: receipt.count(Outcome::Stored) as u64,
            duplicates: receipt.count(Outcome::Duplicate) as u64,
            refused: self.refused + conflicts,
            ..*self
        }
    }
}

/// One entry of a batch about an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// It begins. One that is known already goes on as it is.
    Begin { id: ImportId, at: Micros, key_id: u64, source: Source },
    /// A part of it is done. A bookmark is for whoever imports: by it what is read again is known to be the same up to the
    /// place that the part tells, or is asked for from there on.
    Part { id: ImportId, at: Micros, part: Part, bookmark: Option<Box<str>> },
    /// All of it is done.
    End { id: ImportId, at: Micros },
    /// Nothing is left of it, and it need not be known any more.
    Forget { id: ImportId },
    /// What it brought is to be taken back. `by` is the key that asked, if it is known.
    Undo { id: ImportId, at: Micros, by: Option<u64> },
    /// All that it brought lies in what was written before this.
    UndoFiles { id: ImportId, below: u64 },
    /// So many messages were taken back, and nothing is left of them.
    Undone { id: ImportId, at: Micros, messages: u64 },
}

impl Note {
    /// The import that it is about.
    #[must_use]
    pub fn id(&self) -> ImportId {
        match self {
            Note::Begin { id, .. }
            | Note::Part { id, .. }
            | Note::End { id, .. }
            | Note::Forget { id }
            | Note::Undo { id, .. }
            | Note::UndoFiles { id, .. }
            | Note::Undone { id, .. } => *id,
        }
    }

    /// The import whose part the messages beside it are.
    #[must_use]
    pub fn part_of(&self) -> Option<ImportId> {
        if let Note::Part { id, .. } = self { Some(*id) } else { None }
    }

    /// Whether nothing more is taken of its import from now on.
    #[must_use]
    pub fn undoes(&self) -> bool {
        matches!(self, Note::Undo { .. })
    }

    /// The same two of the byte form, without reading all of it.
    #[must_use]
    pub fn glance(bytes: &[u8]) -> (Option<ImportId>, bool) {
        match bytes {
            [PART | MARKED_PART, a, b, c, d, ..] => (Some(ImportId(u32::from_le_bytes([*a, *b, *c, *d]))), false),
            [UNDO | UNDO_BY, ..] => (None, true),
            _ => (None, false),
        }
    }

    /// The same with the outcomes of the messages of its batch.
    #[must_use]
    pub fn tallied(self, receipt: &Receipt) -> Note {
        match self {
            Note::Part { id, at, part, bookmark } => Note::Part { id, at, part: part.tallied(receipt), bookmark },
            other => other,
        }
    }

    /// Appends the byte form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Note::Begin { id, at, key_id, source } => {
                put_head(out, BEGIN, *id);
                out.put_i64(at.0);
                out.put_u64(*key_id);
                out.put_text(&source.name);
                out.put_text(&source.form);
                out.put_option(source.bytes, |out, bytes| out.put_u64(bytes));
                out.put_option(source.fingerprint, |out, fingerprint| out.put_u128(fingerprint));
            }
            Note::Part { id, at, part, bookmark } => {
                put_head(out, if bookmark.is_some() { MARKED_PART } else { PART }, *id);
                out.put_i64(at.0);
                let Part { from, to, stored, duplicates, refused, position, refused_bytes, bytes, total } = *part;
                for number in [from, to, stored, duplicates, refused, position, refused_bytes, bytes] {
                    out.put_u64(number);
                }
                out.put_option(total, |out, total| out.put_u64(total));
                bookmark.iter().for_each(|bookmark| out.put_text(bookmark));
            }
            Note::End { id, at } => {
                put_head(out, END, *id);
                out.put_i64(at.0);
            }
            Note::Forget { id } => put_head(out, FORGET, *id),
            Note::Undo { id, at, by } => {
                put_head(out, if by.is_some() { UNDO_BY } else { UNDO }, *id);
                out.put_i64(at.0);
                by.iter().for_each(|by| out.put_u64(*by));
            }
            Note::UndoFiles { id, below } => {
                put_head(out, UNDO_FILES, *id);
                out.put_u64(*below);
            }
            Note::Undone { id, at, messages } => {
                put_head(out, UNDONE, *id);
                out.put_i64(at.0);
                out.put_u64(*messages);
            }
        }
    }

    /// Reads the byte form.
    pub fn decode(bytes: &[u8]) -> Result<Note, NotARecord> {
        let mut input = Input::new(bytes);
        let (tag, id) = (input.u8()?, ImportId(input.u32()?));
        let note = match tag {
            BEGIN => Note::Begin { id, at: input.instant()?, key_id: input.u64()?, source: source(&mut input)? },
            PART => Note::Part { id, at: input.instant()?, part: part(&mut input)?, bookmark: None },
            MARKED_PART => {
                let (at, part) = (input.instant()?, part(&mut input)?);
                Note::Part { id, at, part, bookmark: Some(input.text()?.into()) }
            }
            END => Note::End { id, at: input.instant()? },
            FORGET => Note::Forget { id },
            UNDO => Note::Undo { id, at: input.instant()?, by: None },
            UNDO_BY => Note::Undo { id, at: input.instant()?, by: Some(input.u64()?) },
            UNDO_FILES => Note::UndoFiles { id, below: input.u64()? },
            UNDONE => Note::Undone { id, at: input.instant()?, messages: input.u64()? },
            _ => return Err(NotARecord),
        };
        input.end()?;
        Ok(note)
    }
}

fn put_head(out: &mut Vec<u8>, tag: u8, id: ImportId) {
    out.put_u8(tag);
    out.put_u32(id.0);
}

fn source(input: &mut Input<'_>) -> Result<Source, Malformed> {
    let (name, form) = (input.text()?.into(), input.text()?.into());
    Ok(Source { name, form, bytes: input.option(Input::u64)?, fingerprint: input.option(Input::u128)? })
}

fn part(input: &mut Input<'_>) -> Result<Part, Malformed> {
    Ok(Part {
        from: input.u64()?,
        to: input.u64()?,
        stored: input.u64()?,
        duplicates: input.u64()?,
        refused: input.u64()?,
        position: input.u64()?,
        refused_bytes: input.u64()?,
        bytes: input.u64()?,
        total: input.option(Input::u64)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_read_back_and_cut_bytes_are_refused() {
        let (id, at) = (ImportId(7), Micros(-3));
        let source =
            Source { name: "a.ndjson".into(), form: "muster".into(), bytes: Some(9), fingerprint: Some(1 << 100) };
        let part = Part { from: 3, to: 9, stored: 4, refused: 2, position: 3, total: Some(99), ..Part::default() };
        let notes = [
            Note::Begin { id, at, key_id: 5, source: source.clone() },
            Note::Begin { id, at, key_id: 0, source: Source { bytes: None, fingerprint: None, ..source } },
            Note::Part { id, at, part, bookmark: None },
            Note::Part { id, at, part, bookmark: Some("a place".into()) },
            Note::End { id, at },
            Note::Forget { id },
            Note::Undo { id, at, by: None },
            Note::Undo { id, at, by: Some(1 << 63) },
            Note::UndoFiles { id, below: 9 },
            Note::Undone { id, at, messages: 3 },
        ];
        for note in notes {
            let mut bytes = Vec::new();
            note.encode(&mut bytes);
            assert_eq!(Note::glance(&bytes), (note.part_of(), note.undoes()));
            assert_eq!(Note::decode(&bytes), Ok(note.clone()));
            for end in 0..bytes.len() {
                assert_eq!(Note::decode(&bytes[..end]), Err(NotARecord), "{note:?} cut at {end}");
            }
        }
    }
}
