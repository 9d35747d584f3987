//! Views and queries that workspaces keep: all in memory for reading, durable in the state store before a change counts.

use std::sync::Arc;

use muster_model::{id::WorkspaceId, time::Micros};
use muster_store::{
    Answer,
    byte_form::{Input, Malformed, Output},
    credentials::Workspace,
    error::AdminError,
    saved::{NewSaved, Saved, SavedChange, SavedKind, SavedViews, changed, check_new, in_order, unknown},
};
use parking_lot::{Mutex, RwLock};

use crate::{
    engine::Embedded,
    error::{OpenError, damaged, state_failed},
    state::State,
};

/// Their entries among workspaces and keys start with this.
const PREFIX: u8 = b's';
/// The version of this layout.
const VERSION: u8 = 1;
/// The entry of this number holds the last number that its workspace gave.
const LAST: u64 = 0;

/// Everything that every workspace keeps.
pub struct Shelf {
    state: State,
    held: RwLock<Held>,
    /// One change at a time.
    changing: Mutex<()>,
}

#[derive(Default)]
struct Held {
    saved: Vec<(WorkspaceId, Saved)>,
    /// The last number that was given in each workspace.
    last: Vec<(WorkspaceId, u64)>,
}

impl Held {
    /// Takes one entry of the state store.
    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), Malformed> {
        match parse_key(key)? {
            (workspace, LAST) => self.last.push((workspace, decode_last(value)?)),
            (workspace, id) => self.saved.push((workspace, decode(id, value)?)),
        }
        Ok(())
    }

    fn last(&self, workspace: WorkspaceId) -> u64 {
        self.last.iter().find(|(owner, _)| *owner == workspace).map_or(0, |(_, last)| *last)
    }
}

impl Shelf {
    /// Reads all of it.
    pub fn load(state: &State) -> Result<Shelf, OpenError> {
        let mut held = Held::default();
        for entry in state.credentials.prefix([PREFIX]) {
            let (key, value) = entry.into_inner().map_err(|error| state_failed(&error))?;
            held.take(&key, &value).map_err(|_| damaged("a saved view"))?;
        }
        Ok(Shelf { state: state.clone(), held: RwLock::new(held), changing: Mutex::new(()) })
    }

    /// What a workspace keeps.
    pub fn saved(&self, workspace: WorkspaceId) -> Vec<Saved> {
        let held = self.held.read();
        let of = held.saved.iter().filter(|(owner, _)| *owner == workspace);
        in_order(of.map(|(_, one)| one.clone()).collect())
    }

    /// The last number that was given in a workspace.
    pub fn last(&self, workspace: WorkspaceId) -> u64 {
        self.held.read().last(workspace)
    }

    /// Keeps one more. Writes to the disk.
    fn save(&self, workspace: Option<Workspace>, new: NewSaved) -> Result<Saved, AdminError> {
        let workspace = workspace.ok_or_else(|| AdminError::NotFound("there is no such workspace".to_owned()))?.id;
        let _one_at_a_time = self.changing.lock();
        check_new(&self.saved(workspace), &new)?;
        let id = self.held.read().last(workspace) + 1;
        let NewSaved { kind, name, text, saved_by, saved_at } = new;
        let saved = Saved { id, kind, name, text, saved_by, saved_at };
        let mut batch = self.state.batch();
        for (key, value) in [entry(workspace, &saved), last_entry(workspace, id)] {
            batch.insert(&self.state.credentials, key, value);
        }
        batch.commit().map_err(|error| AdminError::Failed(error.to_string()))?;
        let mut held = self.held.write();
        held.last.retain(|(owner, _)| *owner != workspace);
        held.last.push((workspace, id));
        held.saved.push((workspace, saved.clone()));
        Ok(saved)
    }

    /// Gives one another name or text. Writes to the disk.
    fn change(&self, workspace: WorkspaceId, id: u64, change: SavedChange) -> Result<Saved, AdminError> {
        let _one_at_a_time = self.changing.lock();
        let changed = changed(&self.saved(workspace), id, change)?;
        let mut batch = self.state.batch();
        batch.insert(&self.state.credentials, key(workspace, id), encode(&changed));
        batch.commit().map_err(|error| AdminError::Failed(error.to_string()))?;
        let mut held = self.held.write();
        let of = held.saved.iter_mut().filter(|(owner, one)| *owner == workspace && one.id == id);
        of.for_each(|(_, one)| one.clone_from(&changed));
        Ok(changed)
    }

    /// Keeps one no longer. Writes to the disk.
    fn remove(&self, workspace: WorkspaceId, id: u64) -> Result<Saved, AdminError> {
        let _one_at_a_time = self.changing.lock();
        let saved = self.saved(workspace).into_iter().find(|one| one.id == id).ok_or_else(unknown)?;
        let mut batch = self.state.batch();
        batch.remove(&self.state.credentials, key(workspace, id));
        batch.commit().map_err(|error| AdminError::Failed(error.to_string()))?;
        self.held.write().saved.retain(|(owner, one)| *owner != workspace || one.id != id);
        Ok(saved)
    }
}

impl SavedViews for Embedded {
    fn saved(&self, workspace: WorkspaceId) -> Vec<Saved> {
        self.shelf.saved(workspace)
    }

    fn save(&self, workspace: WorkspaceId, new: NewSaved) -> Answer<'_, Saved, AdminError> {
        let shelf = Arc::clone(&self.shelf);
        self.admin(move |registry| shelf.save(registry.workspace(workspace), new))
    }

    fn change_saved(&self, workspace: WorkspaceId, id: u64, change: SavedChange) -> Answer<'_, Saved, AdminError> {
        let shelf = Arc::clone(&self.shelf);
        self.admin(move |_| shelf.change(workspace, id, change))
    }

    fn remove_saved(&self, workspace: WorkspaceId, id: u64) -> Answer<'_, Saved, AdminError> {
        let shelf = Arc::clone(&self.shelf);
        self.admin(move |_| shelf.remove(workspace, id))
    }
}

/// The entry of one.
pub fn entry(workspace: WorkspaceId, saved: &Saved) -> ([u8; 13], Vec<u8>) {
    (key(workspace, saved.id), encode(saved))
}

/// The entry of the last number that was given in a workspace.
pub fn last_entry(workspace: WorkspaceId, last: u64) -> ([u8; 13], Vec<u8>) {
    (key(workspace, LAST), encode_last(last))
}

fn key(workspace: WorkspaceId, id: u64) -> [u8; 13] {
    let mut key = [PREFIX; 13];
    key[1..5].copy_from_slice(&workspace.0.to_be_bytes());
    key[5..].copy_from_slice(&id.to_be_bytes());
    key
}

fn parse_key(key: &[u8]) -> Result<(WorkspaceId, u64), Malformed> {
    let mut input = Input::new(key.get(1..).ok_or(Malformed)?);
    let workspace: [u8; 4] = input.take(4)?.try_into().map_err(|_| Malformed)?;
    let id: [u8; 8] = input.take(8)?.try_into().map_err(|_| Malformed)?;
    input.end()?;
    Ok((WorkspaceId(u32::from_be_bytes(workspace)), u64::from_be_bytes(id)))
}

fn encode(saved: &Saved) -> Vec<u8> {
    let mut value = Vec::with_capacity(32 + saved.name.len() + saved.text.len());
    value.put_u8(VERSION);
    value.put_u8(saved.kind as u8);
    value.put_text(&saved.name);
    value.put_text(&saved.text);
    value.put_u64(saved.saved_by);
    value.put_i64(saved.saved_at.0);
    value
}

fn decode(id: u64, value: &[u8]) -> Result<Saved, Malformed> {
    let mut input = Input::new(value);
    if input.u8()? != VERSION {
        return Err(Malformed);
    }
    let kind = SavedKind::from_number(input.u8()?).ok_or(Malformed)?;
    let (name, text) = (input.text()?.to_owned(), input.text()?.to_owned());
    let (saved_by, saved_at) = (input.u64()?, Micros(input.i64()?));
    input.end()?;
    Ok(Saved { id, kind, name, text, saved_by, saved_at })
}

fn encode_last(last: u64) -> Vec<u8> {
    let mut value = Vec::with_capacity(9);
    value.put_u8(VERSION);
    value.put_u64(last);
    value
}

fn decode_last(value: &[u8]) -> Result<u64, Malformed> {
    let mut input = Input::new(value);
    if input.u8()? != VERSION {
        return Err(Malformed);
    }
    let last = input.u64()?;
    input.end()?;
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_cut_bytes_are_refused() {
        for kind in SavedKind::ALL {
            let (name, text) = ("Best ö".to_owned(), "select\n1".to_owned());
            let saved = Saved { id: 7, kind, name, text, saved_by: 1 << 52, saved_at: Micros(-3) };
            let value = encode(&saved);
            assert_eq!(decode(7, &value), Ok(saved));
            for end in 0..value.len() {
                assert_eq!(decode(7, &value[..end]), Err(Malformed), "cut at {end}");
            }
        }
        let key = key(WorkspaceId(9), 1 << 40);
        assert_eq!(parse_key(&key), Ok((WorkspaceId(9), 1 << 40)));
        assert_eq!(parse_key(&key[..12]), Err(Malformed));
        assert_eq!(decode_last(&encode_last(5)), Ok(5));
        assert_eq!(decode_last(&encode_last(5)[..8]), Err(Malformed));
    }
}
