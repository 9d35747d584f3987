//! Whose a stored message is: that of whoever sent it, for good, or that of imports, which may be taken back.
//!
//! A message belongs to the import that brought it first. Another import that brings it too owns it as well; a sender who is
//! told that it is stored makes it stay for good. Taking an import back leaves what anybody else owns.

use muster_model::{
    id::{Identity, ImportId},
    time::Micros,
};

use crate::{
    byte_form::{Input, Output},
    record::NotARecord,
};

/// Imports that own a message at once; with one more it stays for good.
pub const OWNERS_MAX: usize = 2;

/// The imports that own a message; it stays for good when there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owners([u32; OWNERS_MAX]);

impl Owners {
    /// Of a message that an import brings, or somebody else.
    #[must_use]
    pub fn of(import: Option<ImportId>) -> Owners {
        Owners([import.map_or(0, |id| id.0), 0])
    }

    /// Whether nothing can take it back.
    #[must_use]
    pub fn is_for_good(self) -> bool {
        self.0[0] == 0
    }

    /// Whether an import owns it.
    #[must_use]
    pub fn has(self, id: ImportId) -> bool {
        self.0.contains(&id.0)
    }

    /// The same once it came again, by an import or otherwise.
    #[must_use]
    pub fn claimed(self, by: Option<ImportId>) -> Owners {
        match (self, by) {
            (_, None) => Owners::default(),
            (owners, Some(id)) if owners.is_for_good() || owners.has(id) => owners,
            (Owners([first, 0]), Some(id)) => Owners([first, id.0]),
            (_, Some(_)) => Owners::default(),
        }
    }

    /// The same without an import; nothing when nobody is left.
    #[must_use]
    pub fn released(self, id: ImportId) -> Option<Owners> {
        match self.0 {
            [first, 0] if first == id.0 => None,
            [first, second] if first == id.0 => Some(Owners([second, 0])),
            [first, second] if second == id.0 => Some(Owners([first, 0])),
            _ => Some(self),
        }
    }

    /// The byte form.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 8] {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&self.0[0].to_le_bytes());
        bytes[4..].copy_from_slice(&self.0[1].to_le_bytes());
        bytes
    }

    /// Reads the byte form.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 8]) -> Owners {
        let [a, b, c, d, e, f, g, h] = bytes;
        Owners([u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])])
    }
}

/// A stored message whose owners changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owned {
    pub identity: Identity,
    /// The digest of its content, and when it was received.
    pub content: u64,
    pub received_at: Micros,
    pub owners: Owners,
}

const IDENTITY_BYTES: usize = 16;

impl Owned {
    /// Appends the byte form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u128(self.identity.0);
        out.put_u64(self.content);
        out.put_i64(self.received_at.0);
        out.extend_from_slice(&self.owners.to_bytes());
    }

    /// Reads the byte form.
    pub fn decode(bytes: &[u8]) -> Result<Owned, NotARecord> {
        let mut input = Input::new(bytes);
        let (identity, content, received_at) = (Identity(input.u128()?), input.u64()?, input.instant()?);
        let owners = Owners([input.u32()?, input.u32()?]);
        input.end()?;
        Ok(Owned { identity, content, received_at, owners })
    }
}

/// Messages that are taken back with an import. Asked of a journal they are those that may be; what it keeps are those
/// that nobody else owned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenBack<'a> {
    pub id: ImportId,
    identities: &'a [u8],
}

impl<'a> TakenBack<'a> {
    /// Reads the byte form.
    pub fn decode(bytes: &'a [u8]) -> Result<TakenBack<'a>, NotARecord> {
        let mut input = Input::new(bytes);
        let id = ImportId(input.u32()?);
        let identities = input.take(input.left())?;
        if !identities.len().is_multiple_of(IDENTITY_BYTES) {
            return Err(NotARecord);
        }
        Ok(TakenBack { id, identities })
    }

    /// Appends the byte form.
    pub fn encode(id: ImportId, identities: &[Identity], out: &mut Vec<u8>) {
        out.extend_from_slice(&id.0.to_le_bytes());
        identities.iter().for_each(|identity| out.extend_from_slice(&identity.0.to_le_bytes()));
    }

    /// The messages.
    pub fn identities(&self) -> impl Iterator<Item = Identity> + use<'a> {
        self.identities.chunks_exact(IDENTITY_BYTES).map(|bytes| {
            let bytes: [u8; IDENTITY_BYTES] = std::array::from_fn(|at| bytes[at]);
            Identity(u128::from_le_bytes(bytes))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ImportId = ImportId(1);
    const TWO: ImportId = ImportId(2);

    #[test]
    fn a_message_goes_with_the_last_who_owns_it() {
        let one = Owners::of(Some(ONE));
        assert_eq!((one.has(ONE), one.has(TWO), one.is_for_good()), (true, false, false));
        assert_eq!((one.released(ONE), one.released(TWO)), (None, Some(one)));
        assert_eq!(one.claimed(Some(ONE)), one);
        let both = one.claimed(Some(TWO));
        assert_eq!((both.released(ONE), both.released(TWO)), (Some(Owners::of(Some(TWO))), Some(one)));
        for for_good in [Owners::of(None), one.claimed(None), both.claimed(None), both.claimed(Some(ImportId(3)))] {
            assert!(for_good.is_for_good() && for_good.claimed(Some(ONE)).is_for_good());
            assert_eq!(for_good.released(ONE), Some(for_good));
        }
    }

    #[test]
    fn owners_and_what_is_taken_back_read_back() {
        let owners = Owners::of(Some(ONE)).claimed(Some(TWO));
        let owned = Owned { identity: Identity(1 << 90), content: 7, received_at: Micros(-3), owners };
        let mut bytes = Vec::new();
        owned.encode(&mut bytes);
        assert_eq!(Owned::decode(&bytes), Ok(owned));
        assert!((0..bytes.len()).all(|end| Owned::decode(&bytes[..end]).is_err()));
        let mut bytes = Vec::new();
        TakenBack::encode(TWO, &[Identity(5), Identity(1 << 100)], &mut bytes);
        let taken = TakenBack::decode(&bytes).unwrap();
        assert_eq!((taken.id, taken.identities().collect::<Vec<_>>()), (TWO, vec![Identity(5), Identity(1 << 100)]));
        assert_eq!(TakenBack::decode(&bytes[..bytes.len() - 1]), Err(NotARecord));
    }
}
