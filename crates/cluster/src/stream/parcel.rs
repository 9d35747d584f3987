//! A batch on its way: whose it is, who sent it, and its bytes or where they lie.

use bytes::Bytes;
use muster_model::id::WorkspaceId;
use muster_store::{
    batch::Batch,
    byte_form::{Input, Output},
    record::NotARecord,
};

/// The version of this form, with the version of messages' own.
const VERSION: u8 = muster_store::record::VERSION as u8;
const INLINE: u8 = 1;
const ELSEWHERE: u8 = 2;
/// Set beside one of the two when somebody waits.
const AWAITED: u8 = 0x80;
const HEAD_BYTES: usize = 2 + 4 + 8 + 8 + 8;

/// Who waits for what becomes of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sender {
    pub node: u64,
    pub request: u64,
}

impl Sender {
    /// A number that no other request of any node has.
    pub fn id(self) -> u128 {
        u128::from(self.node) << 64 | u128::from(self.request)
    }
}

/// What a message of the stream holds.
#[derive(Clone, Debug)]
pub struct Parcel {
    pub workspace: WorkspaceId,
    pub key_id: u64,
    pub sender: Sender,
    /// Whether the sender waits for what becomes of it.
    pub awaited: bool,
    pub body: Body,
}

/// The bytes of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Inline(Bytes),
    /// In PostgreSQL, under the number of its sender.
    Elsewhere,
}

impl Parcel {
    /// A parcel of a batch.
    pub fn of(batch: &Batch, sender: Sender, awaited: bool, payload_bytes_max: usize) -> Parcel {
        let fits = batch.bytes().len() + HEAD_BYTES <= payload_bytes_max;
        let body = if fits { Body::Inline(batch.bytes().clone()) } else { Body::Elsewhere };
        Parcel { workspace: batch.workspace(), key_id: batch.key_id(), sender, awaited, body }
    }

    /// The byte form.
    pub fn encode(&self) -> Bytes {
        let length = if let Body::Inline(bytes) = &self.body { bytes.len() } else { 0 };
        let mut out = Vec::with_capacity(HEAD_BYTES + length);
        out.put_u8(VERSION);
        let body = if self.body == Body::Elsewhere { ELSEWHERE } else { INLINE };
        out.put_u8(if self.awaited { body | AWAITED } else { body });
        out.put_u32(self.workspace.0);
        out.put_u64(self.key_id);
        out.put_u64(self.sender.node);
        out.put_u64(self.sender.request);
        if let Body::Inline(bytes) = &self.body {
            out.extend_from_slice(bytes);
        }
        out.into()
    }

    /// Reads the byte form.
    pub fn decode(bytes: &Bytes) -> Result<Parcel, NotARecord> {
        let mut input = Input::new(bytes);
        if input.u8()? != VERSION {
            return Err(NotARecord);
        }
        let tag = input.u8()?;
        let (workspace, key_id) = (WorkspaceId(input.u32()?), input.u64()?);
        let sender = Sender { node: input.u64()?, request: input.u64()? };
        let awaited = tag & AWAITED != 0;
        let body = match tag & !AWAITED {
            INLINE => Body::Inline(bytes.slice(HEAD_BYTES..)),
            ELSEWHERE => {
                input.end()?;
                Body::Elsewhere
            }
            _ => return Err(NotARecord),
        };
        Ok(Parcel { workspace, key_id, sender, awaited, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parcels_read_back_and_cut_heads_are_refused() {
        let sender = Sender { node: 1 << 63, request: 7 };
        for (body, awaited) in [(Body::Inline(Bytes::from_static(b"ab")), true), (Body::Elsewhere, false)] {
            let parcel = Parcel { workspace: WorkspaceId(3), key_id: 9, sender, awaited, body };
            let bytes = parcel.encode();
            let read = Parcel::decode(&bytes).unwrap();
            assert_eq!(
                (read.workspace, read.key_id, read.sender, read.awaited, &read.body),
                (WorkspaceId(3), 9, sender, awaited, &parcel.body)
            );
            for end in 0..HEAD_BYTES {
                assert!(Parcel::decode(&bytes.slice(..end)).is_err(), "cut at {end}");
            }
        }
    }
}
