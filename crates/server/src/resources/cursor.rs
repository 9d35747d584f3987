//! Places in lists, as text that a client hands back.
//!
//! A cursor is good for the list it came from and no other: the workspace, the kind of list and every parameter that
//! shapes it go into its checksum, as does the version of this layout. It is no secret and grants nothing; the checksum
//! only tells a cursor of this list from any other text.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use muster_model::{
    id::{RecordId, WorkspaceId},
    rank::{Number, Rank},
    time::Micros,
};
use muster_store::lists::{self, ListCursor};
use sha2::{Digest, Sha256};

use crate::error::ApiError;

/// By a time of receipt or of an event; by anything else.
const VERSION: u8 = 1;
const VERSION_OF_NUMBERS: u8 = 2;
const VERSION_OF_NOTHING: u8 = 3;
const CHECK_BYTES: usize = 8;
const CURSOR_BYTES: usize = 1 + 8 + 16 + CHECK_BYTES;

/// What makes a list this one and not another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListName {
    digest: Sha256Bytes,
}

type Sha256Bytes = [u8; 32];

/// A place in a list: after the entry with this time and this id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub at: Micros,
    pub id: u128,
}

impl ListName {
    /// The list of this workspace with these parameters, in a fixed order.
    pub(crate) fn new(workspace: WorkspaceId, parameters: &[&str]) -> ListName {
        let mut hash = Sha256::new();
        hash.update(workspace.0.to_le_bytes());
        for parameter in parameters {
            hash.update((parameter.len() as u64).to_le_bytes());
            hash.update(parameter.as_bytes());
        }
        ListName { digest: hash.finalize().into() }
    }

    /// The text for a place in this list.
    pub(crate) fn write(&self, place: Place) -> String {
        self.written(VERSION, place.at.0.to_be_bytes(), place.id)
    }

    /// The text for a place in this list of records.
    pub(crate) fn write_record(&self, cursor: ListCursor) -> String {
        let (version, value) = match cursor.place {
            lists::Place::Ranked(Rank::Time(at)) => (VERSION, at.0.to_be_bytes()),
            lists::Place::Ranked(Rank::Number(number)) => (VERSION_OF_NUMBERS, number.bits().to_be_bytes()),
            lists::Place::Unranked => (VERSION_OF_NOTHING, [0; 8]),
        };
        self.written(version, value, cursor.id.0)
    }

    fn written(&self, version: u8, value: [u8; 8], id: u128) -> String {
        let mut bytes = Vec::with_capacity(CURSOR_BYTES);
        bytes.push(version);
        bytes.extend_from_slice(&value);
        bytes.extend_from_slice(&id.to_be_bytes());
        bytes.extend_from_slice(&self.check(&bytes));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The place that a text means in this list; an absent or empty text means the start.
    pub(crate) fn read(&self, text: Option<&str>) -> Result<Option<Place>, ApiError> {
        match self.parts(text)? {
            Some((VERSION, value, id)) => Ok(Some(Place { at: Micros(i64::from_be_bytes(value)), id })),
            Some(_) => Err(ApiError::Cursor),
            None => Ok(None),
        }
    }

    /// The place that a text means in this list of records.
    pub(crate) fn read_record(&self, text: Option<&str>) -> Result<Option<ListCursor>, ApiError> {
        let Some((version, value, id)) = self.parts(text)? else { return Ok(None) };
        let place = match version {
            VERSION => lists::Place::Ranked(Rank::Time(Micros(i64::from_be_bytes(value)))),
            VERSION_OF_NUMBERS => lists::Place::Ranked(Rank::Number(Number::from_bits(u64::from_be_bytes(value)))),
            VERSION_OF_NOTHING => lists::Place::Unranked,
            _ => return Err(ApiError::Cursor),
        };
        Ok(Some(ListCursor { place, id: RecordId(id) }))
    }

    fn parts(&self, text: Option<&str>) -> Result<Option<(u8, [u8; 8], u128)>, ApiError> {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| ApiError::Cursor)?;
        let bytes: [u8; CURSOR_BYTES] = bytes.try_into().map_err(|_| ApiError::Cursor)?;
        let (content, check) = bytes.split_at(CURSOR_BYTES - CHECK_BYTES);
        if check != self.check(content) {
            return Err(ApiError::Cursor);
        }
        let value = content[1..9].try_into().map_err(|_| ApiError::Cursor)?;
        let id = content[9..].try_into().map(u128::from_be_bytes).map_err(|_| ApiError::Cursor)?;
        Ok(Some((content[0], value, id)))
    }

    fn check(&self, content: &[u8]) -> [u8; CHECK_BYTES] {
        let mut hash = Sha256::new();
        hash.update(self.digest);
        hash.update(content);
        let hash: Sha256Bytes = hash.finalize().into();
        std::array::from_fn(|at| hash[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_list_only() {
        let list = ListName::new(WorkspaceId(1), &["accounts", "updatedAt", "active"]);
        let place = Place { at: Micros(-5), id: u128::MAX - 1 };
        let text = list.write(place);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{text}");
        assert_eq!(list.read(Some(&text)), Ok(Some(place)));
        assert_eq!(list.read(None), Ok(None));
        assert_eq!(list.read(Some("")), Ok(None));
        for other in [
            ListName::new(WorkspaceId(2), &["accounts", "updatedAt", "active"]),
            ListName::new(WorkspaceId(1), &["accounts", "createdAt", "active"]),
            ListName::new(WorkspaceId(1), &["accounts", "updatedAt", "churned"]),
            ListName::new(WorkspaceId(1), &["accountsupdatedAt", "", "active"]),
        ] {
            assert_eq!(other.read(Some(&text)), Err(ApiError::Cursor));
        }
    }

    #[test]
    fn damage_is_noticed() {
        let list = ListName::new(WorkspaceId(1), &["users"]);
        let text = list.write(Place { at: Micros(1), id: 2 });
        for at in 0..text.len() {
            let mut damaged = text.clone().into_bytes();
            damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(list.read(std::str::from_utf8(&damaged).ok()), Err(ApiError::Cursor), "{at}");
        }
        for bad in ["x", "0", "%", &text[1..], &format!("{text}A")] {
            assert_eq!(list.read(Some(bad)), Err(ApiError::Cursor), "{bad}");
        }
    }
}
