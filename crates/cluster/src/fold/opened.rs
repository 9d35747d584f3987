//! A batch, decoded before any transaction begins: what cannot be read is known to be so before anything depends on it.

use muster_model::{id::ImportId, message::Message};
use muster_store::{
    batch::{Batch, Entry, decode_refused},
    deletion::Decree,
    import::{Note, Owned},
    record::{self, NotARecord},
    refused::{Refused, RefusedId},
};

/// One entry.
#[derive(Debug)]
pub enum Item<'b> {
    Message(Box<Message<'b>>, &'b [u8]),
    Refused(Refused<'b>),
    Forget(RefusedId),
    Decree(Decree),
    Import(Note),
    /// As whoever decided about a message before has it.
    Owners(Owned),
}

/// A batch.
#[derive(Debug)]
pub struct Opened<'b> {
    pub key_id: u64,
    pub import: Option<ImportId>,
    pub items: Vec<Item<'b>>,
}

impl<'b> Opened<'b> {
    /// Decodes a batch; `key_id` is the key that sent it, which its bytes do not hold.
    pub fn of(batch: &'b Batch, key_id: u64) -> Result<Opened<'b>, NotARecord> {
        let mut items = Vec::with_capacity(batch.messages() + 1);
        for entry in batch.entries() {
            items.push(match entry {
                Entry::Message(bytes) => Item::Message(Box::new(record::decode(bytes)?), bytes),
                Entry::Refused(bytes) => Item::Refused(decode_refused(bytes)?),
                Entry::Forget(id) => Item::Forget(id),
                Entry::Decree(bytes) => Item::Decree(Decree::decode(bytes)?),
                Entry::Import(bytes) => Item::Import(Note::decode(bytes)?),
                // Of a message that came again, in what is moved here from a directory.
                Entry::Owners(bytes) => Item::Owners(Owned::decode(bytes)?),
                // Only an engine that takes back in steps writes these.
                Entry::TakeBack(_) => continue,
            });
        }
        Ok(Opened { key_id, import: batch.import(), items })
    }

    /// The messages in it.
    pub fn messages(&self) -> impl Iterator<Item = &Message<'b>> {
        self.items.iter().filter_map(|item| if let Item::Message(message, _) = item { Some(&**message) } else { None })
    }
}
