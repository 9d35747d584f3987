//! What one request asks a journal to take.
//!
//! A batch is bytes from the start: the thread that checked the messages also encoded them, and nobody after it parses
//! or copies a message again. A batch belongs to one workspace and is taken whole or not at all.

use std::borrow::Cow;

use bytes::Bytes;
use muster_model::{
    id::{Identity, ImportId, WorkspaceId},
    message::Message,
    rejection::Code,
};

use crate::{
    byte_form::Input,
    deletion::Decree,
    import::{Note, Owned, TakenBack},
    record::{self, NotARecord},
    refused::{Refused, RefusedId, Way},
};

const TAG_MESSAGE: u8 = 1;
const TAG_REFUSED: u8 = 2;
const TAG_FORGET: u8 = 3;
const TAG_DECREE: u8 = 4;
const TAG_IMPORT: u8 = 5;
const TAG_OWNERS: u8 = 6;
const TAG_TAKE_BACK: u8 = 7;
const ENTRY_HEADER_BYTES: usize = 5;

/// One entry of a batch, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A checked message, in its byte form.
    Message(&'a [u8]),
    /// A message to set aside, in its byte form.
    Refused(&'a [u8]),
    /// A message set aside before that is resent or dropped now.
    Forget(RefusedId),
    /// A deletion asked for, scheduled or cancelled, in its byte form.
    Decree(&'a [u8]),
    /// How an import goes on, in its byte form.
    Import(&'a [u8]),
    /// Who owns a stored message now, in its byte form.
    Owners(&'a [u8]),
    /// Messages that are taken back with an import, in their byte form.
    TakeBack(&'a [u8]),
}

/// Builds a [`Batch`].
#[derive(Debug)]
pub struct BatchBuilder {
    workspace: WorkspaceId,
    key_id: u64,
    bytes: Vec<u8>,
    messages: usize,
    import: Option<ImportId>,
    /// It ends an import for good.
    undoes: bool,
    /// Entries about deletions; they stand after all others, so that they hide every message of their own batch.
    decrees: Vec<Vec<u8>>,
}

impl BatchBuilder {
    /// An empty batch for a workspace, expecting about so many bytes.
    #[must_use]
    pub fn new(workspace: WorkspaceId, bytes_hint: usize) -> Self {
        BatchBuilder {
            workspace,
            key_id: 0,
            bytes: Vec::with_capacity(bytes_hint),
            messages: 0,
            import: None,
            undoes: false,
            decrees: Vec::new(),
        }
    }

    /// The key that sends the batch; a conflict is set aside under it.
    #[must_use]
    pub fn sent_with(self, key_id: u64) -> Self {
        BatchBuilder { key_id, ..self }
    }

    /// Adds a message.
    pub fn message(&mut self, message: &Message<'_>) {
        self.entry(TAG_MESSAGE, |out| record::encode(message, out));
        self.messages += 1;
    }

    /// Adds a message that an earlier stage encoded.
    pub fn encoded_message(&mut self, bytes: &[u8]) {
        self.entry(TAG_MESSAGE, |out| out.extend_from_slice(bytes));
        self.messages += 1;
    }

    /// Adds a message to set aside.
    pub fn refused(&mut self, refused: &Refused<'_>) {
        self.entry(TAG_REFUSED, |out| encode_refused(refused, out));
    }

    /// Adds a message to set aside that an earlier stage encoded.
    pub fn encoded_refused(&mut self, bytes: &[u8]) {
        self.entry(TAG_REFUSED, |out| out.extend_from_slice(bytes));
    }

    /// Adds the end of a message set aside.
    pub fn forget(&mut self, id: RefusedId) {
        self.entry(TAG_FORGET, |out| out.extend_from_slice(&id.0.to_le_bytes()));
    }

    /// Adds a decree about a deletion. It counts for every message of the batch.
    pub fn decree(&mut self, decree: &Decree) {
        let mut bytes = Vec::new();
        decree.encode(&mut bytes);
        self.decrees.push(bytes);
    }

    /// Adds a decree that an earlier stage encoded.
    pub fn encoded_decree(&mut self, bytes: &[u8]) {
        self.decrees.push(bytes.to_vec());
    }

    /// Adds how an import goes on. It stands after the messages that it tells of.
    pub fn import(&mut self, note: &Note) {
        let mut bytes = Vec::new();
        note.encode(&mut bytes);
        self.encoded_import(&bytes);
    }

    /// Adds how an import goes on, as an earlier stage encoded it.
    pub fn encoded_import(&mut self, bytes: &[u8]) {
        let (part_of, undoes) = Note::glance(bytes);
        self.import = self.import.or(part_of);
        self.undoes |= undoes;
        self.entry(TAG_IMPORT, |out| out.extend_from_slice(bytes));
    }

    /// Adds who owns a stored message now.
    pub fn owners(&mut self, owned: &Owned) {
        self.entry(TAG_OWNERS, |out| owned.encode(out));
    }

    /// Adds messages that are to be taken back with an import.
    pub fn take_back(&mut self, id: ImportId, identities: &[Identity]) {
        self.entry(TAG_TAKE_BACK, |out| TakenBack::encode(id, identities, out));
    }

    /// Adds who owns a stored message, as an earlier stage encoded it.
    pub fn encoded_owners(&mut self, bytes: &[u8]) {
        self.entry(TAG_OWNERS, |out| out.extend_from_slice(bytes));
    }

    /// Adds messages taken back, as an earlier stage encoded them.
    pub fn encoded_take_back(&mut self, bytes: &[u8]) {
        self.entry(TAG_TAKE_BACK, |out| out.extend_from_slice(bytes));
    }

    /// The batch.
    #[must_use]
    pub fn build(mut self) -> Batch {
        let decrees = std::mem::take(&mut self.decrees);
        decrees.iter().for_each(|decree| self.entry(TAG_DECREE, |out| out.extend_from_slice(decree)));
        let BatchBuilder { workspace, key_id, bytes, messages, import, undoes, .. } = self;
        // A store may keep it for long, so it takes no more than it holds; what it was built in serves the next one.
        let bytes = Bytes::copy_from_slice(&bytes);
        Batch { workspace, key_id, bytes, messages, import, undoes, decrees: decrees.len() }
    }

    fn entry(&mut self, tag: u8, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; ENTRY_HEADER_BYTES]);
        write(&mut self.bytes);
        let length = (self.bytes.len() - start - ENTRY_HEADER_BYTES) as u32;
        self.bytes[start] = tag;
        self.bytes[start + 1..start + ENTRY_HEADER_BYTES].copy_from_slice(&length.to_le_bytes());
    }
}

/// Checked messages and messages to set aside, of one workspace, in the order sent.
#[derive(Clone, Debug)]
pub struct Batch {
    workspace: WorkspaceId,
    key_id: u64,
    bytes: Bytes,
    messages: usize,
    import: Option<ImportId>,
    undoes: bool,
    decrees: usize,
}

impl Batch {
    /// A batch whose bytes were kept by a log or a queue; refuses bytes that are no sequence of entries.
    pub fn from_bytes(workspace: WorkspaceId, bytes: Bytes) -> Result<Batch, NotARecord> {
        let mut entries = Entries { bytes: &bytes };
        let (mut messages, mut decrees, mut import, mut undoes) = (0, 0, None, false);
        while let Some(entry) = entries.try_next()? {
            messages += usize::from(matches!(entry, Entry::Message(_)));
            decrees += usize::from(matches!(entry, Entry::Decree(_)));
            if let Entry::Import(bytes) = entry {
                let (part_of, ends) = Note::glance(bytes);
                (import, undoes) = (import.or(part_of), undoes || ends);
            }
        }
        Ok(Batch { workspace, key_id: 0, bytes, messages, import, undoes, decrees })
    }

    /// Whose batch it is.
    #[must_use]
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// The key that sent it, or 0. Not part of the bytes: what is kept has had its conflicts taken out.
    #[must_use]
    pub fn key_id(&self) -> u64 {
        self.key_id
    }

    /// The entries' bytes, for a log or a queue to keep.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// How many of the entries are messages to store.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.messages
    }

    /// How many of the entries are about deletions.
    #[must_use]
    pub fn decrees(&self) -> usize {
        self.decrees
    }

    /// The import whose part its messages are.
    #[must_use]
    pub fn import(&self) -> Option<ImportId> {
        self.import
    }

    /// Whether what comes after it depends on it, so that nothing else may be decided together with it.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.decrees > 0 || self.undoes
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The entries, in order.
    #[must_use]
    pub fn entries(&self) -> Entries<'_> {
        Entries { bytes: &self.bytes }
    }
}

/// Iterates over a batch's entries.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    bytes: &'a [u8],
}

impl<'a> Entries<'a> {
    fn try_next(&mut self) -> Result<Option<Entry<'a>>, NotARecord> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let (header, rest) = self.bytes.split_at_checked(ENTRY_HEADER_BYTES).ok_or(NotARecord)?;
        let length = u32::from_le_bytes([header[1], header[2], header[3], header[4]]) as usize;
        let (body, rest) = rest.split_at_checked(length).ok_or(NotARecord)?;
        self.bytes = rest;
        let entry = match header[0] {
            TAG_MESSAGE => Entry::Message(body),
            TAG_REFUSED => Entry::Refused(body),
            TAG_FORGET => Entry::Forget(RefusedId(u128::from_le_bytes(body.try_into().map_err(|_| NotARecord)?))),
            TAG_DECREE => Entry::Decree(body),
            TAG_IMPORT => Entry::Import(body),
            TAG_OWNERS => Entry::Owners(body),
            TAG_TAKE_BACK => Entry::TakeBack(body),
            _ => return Err(NotARecord),
        };
        Ok(Some(entry))
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    /// Bytes were validated when the batch was made, so what cannot be read here does not occur; it ends the iteration.
    fn next(&mut self) -> Option<Entry<'a>> {
        self.try_next().ok().flatten()
    }
}

/// Appends the byte form of a message set aside.
pub fn encode_refused(refused: &Refused<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(&refused.id.0.to_le_bytes());
    out.extend_from_slice(&refused.received_at.0.to_le_bytes());
    out.extend_from_slice(&refused.key_id.to_le_bytes());
    out.push(refused.way.number());
    for text in [refused.code.as_str().as_bytes(), refused.pointer.as_bytes(), refused.reason.as_bytes()] {
        out.extend_from_slice(&(text.len() as u32).to_le_bytes());
        out.extend_from_slice(text);
    }
    out.extend_from_slice(&refused.body);
}

/// The message set aside that `bytes` are the byte form of.
pub fn decode_refused(bytes: &[u8]) -> Result<Refused<'_>, NotARecord> {
    let mut input = Input::new(bytes);
    let (id, received_at, key_id) = (RefusedId(input.u128()?), input.instant()?, input.u64()?);
    let way = Way::from_number(input.u8()?).ok_or(NotARecord)?;
    let code = Code::parse(input.text()?).ok_or(NotARecord)?;
    let (pointer, reason) = (Cow::Borrowed(input.text()?), Cow::Borrowed(input.text()?));
    let body = Cow::Borrowed(input.take(input.left())?);
    Ok(Refused { id, received_at, code, pointer, reason, way, key_id, body })
}

#[cfg(test)]
mod tests {
    use muster_model::{kind::Kind, rejection::Rejection, time::Micros};

    use super::*;

    #[test]
    fn entries_read_back_and_cut_bytes_are_refused() {
        let rejection = Rejection::new(Code::UserNeedsParent, "/accountId", "send the account");
        let refused = Refused::new(&rejection, Way::Kind(Kind::User), 7, Micros(9), b"{\xff}");
        let mut builder = BatchBuilder::new(WorkspaceId(3), 0);
        builder.refused(&refused);
        builder.forget(refused.id);
        let batch = builder.build();
        let entries: Vec<Entry<'_>> = batch.entries().collect();
        let Entry::Refused(bytes) = entries[0] else { panic!("{entries:?}") };
        assert_eq!(decode_refused(bytes), Ok(refused.clone()));
        assert_eq!(entries[1], Entry::Forget(refused.id));
        assert_eq!(batch.messages(), 0);
        let read = Batch::from_bytes(WorkspaceId(3), batch.bytes().clone()).unwrap();
        assert_eq!(read.entries().count(), 2);
        for end in 1..batch.bytes().len() {
            let cut = batch.bytes().slice(..end);
            let whole = Batch::from_bytes(WorkspaceId(3), cut).map(|batch| batch.entries().count());
            assert!(matches!(whole, Err(NotARecord) | Ok(1)), "cut at {end}");
        }
    }
}
