//! Deletions as they are known: in memory since the last checkpoint, on disk before.

use muster_model::{deletion::DeletionId, id::WorkspaceId};
use muster_store::{codec, deletion::Deletion, error::ReadError};

use super::tombstones::Tombstones;
use crate::{
    error::{damaged, state_failed},
    keys,
    state::State,
    views::{Disk, Latest, Views},
};

/// What was deleted, as the disk has it.
pub fn load(state: &State) -> Result<Tombstones, ReadError> {
    let tombstones = Tombstones::default();
    for entry in state.deletions.iter() {
        let (key, value) = entry.into_inner().map_err(|error| state_failed(&error))?;
        let (workspace, _) = keys::parse_deletion_key(&key).ok_or_else(|| damaged("a deletion's key"))?;
        tombstones.load(workspace, &decode(&value)?);
    }
    Ok(tombstones)
}

/// One deletion, as of now.
pub fn deletion(views: &Views, workspace: WorkspaceId, id: DeletionId) -> Result<Option<Deletion>, ReadError> {
    let current = views.look();
    for overlay in current.overlays() {
        if let Some(deletion) = overlay.deletions.get(&(workspace, id)) {
            return Ok(Some(deletion.clone()));
        }
    }
    drop(current);
    on_disk(&Latest, &views.state, workspace, id)
}

/// One deletion, as the disk has it.
pub fn on_disk(
    disk: &impl Disk,
    state: &State,
    workspace: WorkspaceId,
    id: DeletionId,
) -> Result<Option<Deletion>, ReadError> {
    let value = disk.value(&state.deletions, &keys::deletion_key(workspace, id));
    value.map_err(|error| state_failed(&error))?.map(|value| decode(&value)).transpose()
}

/// Every deletion of a workspace on disk, newest first.
pub fn all_on_disk(state: &State, workspace: WorkspaceId) -> Result<Vec<Deletion>, ReadError> {
    let entries = state.deletions.prefix(workspace.0.to_be_bytes());
    entries.map(|entry| decode(&entry.value().map_err(|error| state_failed(&error))?)).collect()
}

/// Reads a stored deletion.
pub fn decode(value: &[u8]) -> Result<Deletion, ReadError> {
    codec::deletion::decode(value).map_err(|_| damaged("a deletion"))
}
