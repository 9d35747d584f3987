//! What a journal is told of an import: that it begins, that a part of it is done, that it is complete.
//!
//! The byte form is part of the stored formats (`docs/storage-format.md`). It names files by their names alone; nothing of
//! what they hold is in it.

use muster_model::{id::ImportId, time::Micros};

use crate::{
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

/// Bytes of the names of an import's sources, and of the word for their form.
pub const NAME_BYTES_MAX: usize = 512;

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
    /// A part of it is done.
    Part { id: ImportId, at: Micros, part: Part },
    /// All of it is done.
    End { id: ImportId, at: Micros },
    /// Nothing is left of it, and it need not be known any more.
    Forget { id: ImportId },
    /// What it brought is to be taken back.
    Undo { id: ImportId, at: Micros },
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
            [PART, a, b, c, d, ..] => (Some(ImportId(u32::from_le_bytes([*a, *b, *c, *d]))), false),
            [UNDO, ..] => (None, true),
            _ => (None, false),
        }
    }

    /// The same with the outcomes of the messages of its batch.
    #[must_use]
    pub fn tallied(self, receipt: &Receipt) -> Note {
        match self {
            Note::Part { id, at, part } => Note::Part { id, at, part: part.tallied(receipt) },
            other => other,
        }
    }

    /// Appends the byte form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Note::Begin { id, at, key_id, source } => {
                put_head(out, BEGIN, *id);
                out.extend_from_slice(&at.0.to_le_bytes());
                out.extend_from_slice(&key_id.to_le_bytes());
                for text in [&source.name, &source.form] {
                    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
                    out.extend_from_slice(text.as_bytes());
                }
                put_option(out, source.bytes.map(u64::to_le_bytes));
                put_option(out, source.fingerprint.map(u128::to_le_bytes));
            }
            Note::Part { id, at, part } => {
                put_head(out, PART, *id);
                out.extend_from_slice(&at.0.to_le_bytes());
                let Part { from, to, stored, duplicates, refused, position, refused_bytes, bytes, total } = *part;
                for number in [from, to, stored, duplicates, refused, position, refused_bytes, bytes] {
                    out.extend_from_slice(&number.to_le_bytes());
                }
                put_option(out, total.map(u64::to_le_bytes));
            }
            Note::End { id, at } => {
                put_head(out, END, *id);
                out.extend_from_slice(&at.0.to_le_bytes());
            }
            Note::Forget { id } => put_head(out, FORGET, *id),
            Note::Undo { id, at } => {
                put_head(out, UNDO, *id);
                out.extend_from_slice(&at.0.to_le_bytes());
            }
            Note::UndoFiles { id, below } => {
                put_head(out, UNDO_FILES, *id);
                out.extend_from_slice(&below.to_le_bytes());
            }
            Note::Undone { id, at, messages } => {
                put_head(out, UNDONE, *id);
                out.extend_from_slice(&at.0.to_le_bytes());
                out.extend_from_slice(&messages.to_le_bytes());
            }
        }
    }

    /// Reads the byte form.
    pub fn decode(bytes: &[u8]) -> Result<Note, NotARecord> {
        let mut input = Input { bytes };
        let tag = input.array::<1>()?[0];
        let id = ImportId(u32::from_le_bytes(input.array()?));
        let note = match tag {
            BEGIN => Note::Begin { id, at: input.instant()?, key_id: input.number()?, source: input.source()? },
            PART => Note::Part { id, at: input.instant()?, part: input.part()? },
            END => Note::End { id, at: input.instant()? },
            FORGET => Note::Forget { id },
            UNDO => Note::Undo { id, at: input.instant()? },
            UNDO_FILES => Note::UndoFiles { id, below: input.number()? },
            UNDONE => Note::Undone { id, at: input.instant()?, messages: input.number()? },
            _ => return Err(NotARecord),
        };
        if input.bytes.is_empty() { Ok(note) } else { Err(NotARecord) }
    }
}

fn put_head(out: &mut Vec<u8>, tag: u8, id: ImportId) {
    out.push(tag);
    out.extend_from_slice(&id.0.to_le_bytes());
}

fn put_option<const N: usize>(out: &mut Vec<u8>, value: Option<[u8; N]>) {
    out.push(u8::from(value.is_some()));
    value.iter().for_each(|value| out.extend_from_slice(value));
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

    fn number(&mut self) -> Result<u64, NotARecord> {
        self.array().map(u64::from_le_bytes)
    }

    fn instant(&mut self) -> Result<Micros, NotARecord> {
        self.array().map(|bytes| Micros(i64::from_le_bytes(bytes)))
    }

    fn text(&mut self) -> Result<Box<str>, NotARecord> {
        let length = u32::from_le_bytes(self.array()?) as usize;
        let (text, rest) = self.bytes.split_at_checked(length).ok_or(NotARecord)?;
        self.bytes = rest;
        std::str::from_utf8(text).map(Into::into).map_err(|_| NotARecord)
    }

    fn option<const N: usize>(&mut self) -> Result<Option<[u8; N]>, NotARecord> {
        match self.array::<1>()?[0] {
            0 => Ok(None),
            1 => self.array().map(Some),
            _ => Err(NotARecord),
        }
    }

    fn source(&mut self) -> Result<Source, NotARecord> {
        let (name, form) = (self.text()?, self.text()?);
        let bytes = self.option()?.map(u64::from_le_bytes);
        Ok(Source { name, form, bytes, fingerprint: self.option()?.map(u128::from_le_bytes) })
    }

    fn part(&mut self) -> Result<Part, NotARecord> {
        Ok(Part {
            from: self.number()?,
            to: self.number()?,
            stored: self.number()?,
            duplicates: self.number()?,
            refused: self.number()?,
            position: self.number()?,
            refused_bytes: self.number()?,
            bytes: self.number()?,
            total: self.option()?.map(u64::from_le_bytes),
        })
    }
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
            Note::Part { id, at, part },
            Note::End { id, at },
            Note::Forget { id },
            Note::Undo { id, at },
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
