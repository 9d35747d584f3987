//! Where a follower stands, and the bytes of that.
//!
//! Everything before the place was handed on. Layouts: `docs/storage-format.md`.

use muster_model::{
    id::{Identity, WorkspaceId},
    time::Micros,
};
use muster_store::follow::{Follower, FollowerId, LetterId};

use muster_store::byte_form::{Input, Malformed, Output};

/// The version of the layouts of a follower and of its place.
const VERSION: u8 = 1;
const FOLLOWER: u8 = b'f';
const PLACE: u8 = b'p';
const LETTER: u8 = b'l';

/// A place in the order in which the history is read: by time of receipt, then by identity.
pub type Spot = (Micros, Identity);

/// The place before all others.
pub const BEGINNING: Spot = (Micros(i64::MIN), Identity(0));

/// What a follower still reads from the history before it goes on in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    pub after: Spot,
    /// The last time of receipt; `None` until somebody has looked what the latest one is.
    pub until: Option<Micros>,
}

impl Past {
    /// Everything.
    pub const ALL: Past = Past { after: BEGINNING, until: None };

    /// What was received from one instant to another, added to what is still to be read.
    pub fn with(past: Option<Past>, first: Micros, last: Micros) -> Past {
        let after = (Micros(first.0.saturating_sub(1)), Identity(u128::MAX));
        match past {
            None => Past { after, until: Some(last) },
            Some(past) => Past { after: past.after.min(after), until: past.until.map(|until| until.max(last)) },
        }
    }
}

/// Where a follower stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The journal frame that is next, and how many of its entries are done with.
    pub sequence: u64,
    pub entry: u32,
    pub past: Option<Past>,
}

impl Place {
    /// Before the first entry of a frame.
    pub fn at(sequence: u64) -> Place {
        Place { sequence, entry: 0, past: None }
    }

    /// Where to go on who kept `kept` while this is the place on disk; nothing when what comes after `kept` may be gone.
    pub fn resumed(self, kept: Place) -> Option<Place> {
        let further = (kept.sequence, kept.entry) >= (self.sequence, self.entry);
        match (self.past, kept.past) {
            // Everything before `kept` was had, and what is to be read again of the history lies before the place on disk.
            (_, None) if further => Some(kept),
            (None, _) => None,
            (Some(on_disk), Some(had)) => {
                let same = (kept.sequence, kept.entry) == (self.sequence, self.entry)
                    && (on_disk.until.is_none() || on_disk.until == had.until);
                Some(if same && had.after >= on_disk.after { kept } else { self })
            }
            (Some(_), None) => Some(self),
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(48);
        value.put_u8(VERSION);
        value.put_u64(self.sequence);
        value.put_u32(self.entry);
        value.put_option(self.past, |out, past| {
            out.put_i64(past.after.0.0);
            out.put_u128(past.after.1.0);
            out.put_option(past.until, |out, until| out.put_i64(until.0));
        });
        value
    }

    pub fn decode(value: &[u8]) -> Result<Place, Malformed> {
        let mut input = Input::new(value);
        if input.u8()? != VERSION {
            return Err(Malformed);
        }
        let (sequence, entry) = (input.u64()?, input.u32()?);
        let past = input.option(|input| {
            let after = (Micros(input.i64()?), Identity(input.u128()?));
            Ok(Past { after, until: input.option(Input::i64)?.map(Micros) })
        })?;
        input.end()?;
        Ok(Place { sequence, entry, past })
    }
}

/// What an entry among the followers is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    Follower(WorkspaceId, FollowerId),
    Place(FollowerId),
    Letter(WorkspaceId, FollowerId, LetterId),
}

pub fn follower_key(workspace: WorkspaceId, id: FollowerId) -> [u8; 13] {
    key(FOLLOWER, workspace, id)
}

pub fn place_key(workspace: WorkspaceId, id: FollowerId) -> [u8; 13] {
    key(PLACE, workspace, id)
}

/// What the keys of all letters of a follower start with.
pub fn letters_prefix(workspace: WorkspaceId, id: FollowerId) -> [u8; 13] {
    key(LETTER, workspace, id)
}

/// A letter's place among the letters of its follower: oldest first.
pub fn letter_key(workspace: WorkspaceId, id: FollowerId, letter: LetterId) -> [u8; 37] {
    let mut key = [0; 37];
    key[..13].copy_from_slice(&letters_prefix(workspace, id));
    key[13..21].copy_from_slice(&((letter.kept_at.0 as u64) ^ (1 << 63)).to_be_bytes());
    key[21..].copy_from_slice(&letter.identity.0.to_be_bytes());
    key
}

fn key(tag: u8, workspace: WorkspaceId, id: FollowerId) -> [u8; 13] {
    let mut key = [0; 13];
    key[..4].copy_from_slice(&workspace.0.to_be_bytes());
    key[4] = tag;
    key[5..].copy_from_slice(&id.0.to_be_bytes());
    key
}

/// What a key says.
pub fn parse_key(key: &[u8]) -> Option<Entry> {
    let workspace = WorkspaceId(u32::from_be_bytes(key.get(..4)?.try_into().ok()?));
    let id = FollowerId(u64::from_be_bytes(key.get(5..13)?.try_into().ok()?));
    match (key[4], key.len()) {
        (FOLLOWER, 13) => Some(Entry::Follower(workspace, id)),
        (PLACE, 13) => Some(Entry::Place(id)),
        (LETTER, 37) => {
            let at = u64::from_be_bytes(key.get(13..21)?.try_into().ok()?) ^ (1 << 63);
            let identity = Identity(u128::from_be_bytes(key.get(21..)?.try_into().ok()?));
            Some(Entry::Letter(workspace, id, LetterId { kept_at: Micros(at as i64), identity }))
        }
        _ => None,
    }
}

/// The value of a follower.
pub fn encode_follower(follower: &Follower) -> Vec<u8> {
    let mut value = Vec::with_capacity(follower.settings.len() + 96);
    value.put_u8(VERSION);
    value.put_text(&follower.name);
    value.put_i64(follower.created_at.0);
    value.put_u32(follower.settings.len() as u32);
    value.extend_from_slice(&follower.settings);
    value
}

/// The follower of a key and a value.
pub fn decode_follower(workspace: WorkspaceId, id: FollowerId, value: &[u8]) -> Result<Follower, Malformed> {
    let mut input = Input::new(value);
    if input.u8()? != VERSION {
        return Err(Malformed);
    }
    let name = input.text()?.to_owned();
    let created_at = Micros(input.i64()?);
    let length = input.u32()? as usize;
    let settings = input.take(length)?.to_vec();
    input.end()?;
    Ok(Follower { id, workspace, name, settings, created_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_keys_read_back() {
        let past = Past { after: (Micros(-5), Identity(9)), until: Some(Micros(7)) };
        for past in [None, Some(past), Some(Past::ALL)] {
            let place = Place { sequence: 8, entry: 3, past };
            let value = place.encode();
            assert_eq!(Place::decode(&value), Ok(place));
            for end in 0..value.len() {
                assert_eq!(Place::decode(&value[..end]), Err(Malformed), "cut at {end}");
            }
        }
        let (workspace, id) = (WorkspaceId(3), FollowerId(1 << 40));
        let letter = LetterId { kept_at: Micros(-9), identity: Identity(1 << 90) };
        assert_eq!(parse_key(&follower_key(workspace, id)), Some(Entry::Follower(workspace, id)));
        assert_eq!(parse_key(&place_key(workspace, id)), Some(Entry::Place(id)));
        assert_eq!(parse_key(&letter_key(workspace, id, letter)), Some(Entry::Letter(workspace, id, letter)));
        assert_eq!(parse_key(&letter_key(workspace, id, letter)[..20]), None);
        let follower = Follower { id, workspace, name: "n".to_owned(), settings: vec![1, 2], created_at: Micros(4) };
        let value = encode_follower(&follower);
        assert_eq!(decode_follower(workspace, id, &value), Ok(follower));
        assert_eq!(decode_follower(workspace, id, &value[1..]), Err(Malformed));
    }

    /// A reader goes on from what it kept, or from where it was moved to; never past what it has not had.
    #[test]
    fn whoever_kept_a_place_goes_on_from_it() {
        let at = |sequence, entry| Place { entry, ..Place::at(sequence) };
        let past =
            |from: i64, until: Option<i64>| Past { after: (Micros(from), Identity(0)), until: until.map(Micros) };
        let with = |place: Place, past| Place { past: Some(past), ..place };
        for (on_disk, kept, expected) in [
            (at(5, 2), at(5, 2), Some(at(5, 2))),
            (at(5, 2), at(5, 3), Some(at(5, 3))),
            (at(5, 2), at(9, 0), Some(at(9, 0))),
            (at(5, 2), at(5, 1), None),
            (at(5, 2), with(at(4, 0), past(1, None)), None),
            (at(5, 2), with(at(5, 2), past(1, Some(2))), None),
            // It was moved: what it kept is of before, or it had more than what was let go of.
            (with(at(8, 0), past(1, Some(9))), at(5, 2), Some(with(at(8, 0), past(1, Some(9))))),
            (with(at(8, 0), past(1, Some(9))), at(8, 0), Some(at(8, 0))),
            (
                with(at(8, 0), past(1, Some(9))),
                with(at(8, 0), past(4, Some(9))),
                Some(with(at(8, 0), past(4, Some(9)))),
            ),
            (with(at(8, 0), past(1, None)), with(at(8, 0), past(4, Some(9))), Some(with(at(8, 0), past(4, Some(9))))),
            (
                with(at(8, 0), past(4, Some(9))),
                with(at(8, 0), past(1, Some(9))),
                Some(with(at(8, 0), past(4, Some(9)))),
            ),
            (
                with(at(8, 0), past(1, Some(9))),
                with(at(7, 0), past(4, Some(5))),
                Some(with(at(8, 0), past(1, Some(9)))),
            ),
        ] {
            assert_eq!(on_disk.resumed(kept), expected, "{on_disk:?} {kept:?}");
        }
    }

    /// What was dropped is read again whatever was read of the history before.
    #[test]
    fn intervals_are_joined() {
        let joined = Past::with(None, Micros(5), Micros(9));
        assert!(joined.after < (Micros(5), Identity(0)) && joined.until == Some(Micros(9)));
        let more =
            Past::with(Some(Past { after: (Micros(7), Identity(1)), until: Some(Micros(8)) }), Micros(2), Micros(3));
        assert!(more.after < (Micros(2), Identity(0)) && more.until == Some(Micros(8)));
        assert_eq!(Past::with(Some(Past::ALL), Micros(2), Micros(3)), Past::ALL);
    }
}
