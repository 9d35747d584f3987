//! What nodes tell each other, and nobody keeps.
//!
//! Whoever misses one of these finds the same out by asking PostgreSQL a little later.

use bytes::Bytes;
use muster_store::{
    byte_form::{Input, Output},
    receipt::{Outcome, Receipt},
    record::NotARecord,
};

/// Whom something is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    All,
    Node(u64),
}

impl Whom {
    /// The subject of it.
    pub fn subject(self, stream: &str) -> String {
        match self {
            Whom::All => format!("{stream}.told"),
            Whom::Node(node) => format!("{stream}.told.{node:016x}"),
        }
    }
}

const APPLIED: u8 = 1;
const RECEIPT: u8 = 2;
const REGISTRY: u8 = 3;
const WOKEN: u8 = 4;

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A lane is folded in up to here.
    Applied { lane: u32, sequence: u64 },
    /// What became of the batch of a request.
    Receipt { request: u64, receipt: Receipt },
    /// What all nodes hold in memory has changed.
    Registry,
    /// A follower has something to do.
    Woken { follower: u64 },
}

impl Told {
    /// The byte form.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        match self {
            Told::Applied { lane, sequence } => {
                out.put_u8(APPLIED);
                out.put_u32(*lane);
                out.put_u64(*sequence);
            }
            Told::Receipt { request, receipt } => {
                out.put_u8(RECEIPT);
                out.put_u64(*request);
                out.extend(outcomes(receipt));
            }
            Told::Registry => out.put_u8(REGISTRY),
            Told::Woken { follower } => {
                out.put_u8(WOKEN);
                out.put_u64(*follower);
            }
        }
        out.into()
    }

    /// Reads the byte form.
    pub fn decode(bytes: &[u8]) -> Result<Told, NotARecord> {
        let mut input = Input::new(bytes);
        match input.u8()? {
            APPLIED => Ok(Told::Applied { lane: input.u32()?, sequence: input.u64()? }),
            RECEIPT => {
                let request = input.u64()?;
                Ok(Told::Receipt { request, receipt: receipt(input.take(input.left())?)? })
            }
            REGISTRY => Ok(Told::Registry),
            WOKEN => Ok(Told::Woken { follower: input.u64()? }),
            _ => Err(NotARecord),
        }
    }
}

/// What became of messages, a byte each.
pub fn outcomes(receipt: &Receipt) -> Vec<u8> {
    let byte = |outcome: &Outcome| match outcome {
        Outcome::Stored => 0,
        Outcome::Duplicate => 1,
        Outcome::Conflict => 2,
        Outcome::Deleted => 3,
    };
    receipt.outcomes.iter().map(byte).collect()
}

/// Reads that back.
pub fn receipt(bytes: &[u8]) -> Result<Receipt, NotARecord> {
    let outcome = |byte: &u8| match byte {
        0 => Ok(Outcome::Stored),
        1 => Ok(Outcome::Duplicate),
        2 => Ok(Outcome::Conflict),
        3 => Ok(Outcome::Deleted),
        _ => Err(NotARecord),
    };
    Ok(Receipt { outcomes: bytes.iter().map(outcome).collect::<Result<_, _>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_reads_back() {
        let outcomes = vec![Outcome::Stored, Outcome::Duplicate, Outcome::Conflict, Outcome::Deleted];
        for told in [
            Told::Applied { lane: 3, sequence: 1 << 40 },
            Told::Receipt { request: 9, receipt: Receipt { outcomes } },
            Told::Receipt { request: 9, receipt: Receipt::default() },
            Told::Registry,
            Told::Woken { follower: 7 },
        ] {
            assert_eq!(Told::decode(&told.encode()), Ok(told));
        }
        assert!(Told::decode(b"").is_err() && Told::decode(&[9]).is_err() && Told::decode(&[1, 2]).is_err());
    }
}
