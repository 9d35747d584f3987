//! Workspaces and keys: all in memory for looking up, durable in the state store before a change counts.

use std::sync::Arc;

use muster_model::{id::WorkspaceId, time::Micros};
use muster_store::{
    codec::credentials::{decode_key, decode_workspace, encode_key, encode_workspace},
    credentials::{Key, NewKey, TokenHash, Workspace, check_workspace_name},
    error::{AdminError, ReadError},
};
use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;

use crate::{
    error::{OpenError, damaged, state_failed},
    state::State,
};

/// Keys' entries start with this, workspaces' with the other.
const KEY_PREFIX: u8 = b'k';
const WORKSPACE_PREFIX: u8 = b'w';

/// Every workspace and key.
pub struct Registry {
    state: State,
    known: RwLock<Known>,
    /// One change at a time.
    changing: Mutex<()>,
}

#[derive(Default)]
struct Known {
    workspaces: Vec<Workspace>,
    keys: Vec<(Arc<Key>, TokenHash)>,
    by_hash: FxHashMap<TokenHash, Arc<Key>>,
}

/// The numbers of all workspaces, from the disk.
pub fn workspace_ids(state: &State) -> Result<Vec<WorkspaceId>, ReadError> {
    let entries = state.credentials.prefix([WORKSPACE_PREFIX]);
    let workspaces = entries.map(|entry| {
        let value = entry.value().map_err(|error| state_failed(&error))?;
        Ok(decode_workspace(&value).map_err(|_| damaged("a workspace"))?.id)
    });
    workspaces.collect()
}

/// The name of a workspace, from the disk.
pub fn workspace_name(state: &State, id: WorkspaceId) -> Result<String, ReadError> {
    for entry in state.credentials.prefix([WORKSPACE_PREFIX]) {
        let value = entry.value().map_err(|error| state_failed(&error))?;
        let workspace = decode_workspace(&value).map_err(|_| damaged("a workspace"))?;
        if workspace.id == id {
            return Ok(workspace.name);
        }
    }
    Err(ReadError::Damaged { what: format!("no workspace has number {}", id.0) })
}

impl Registry {
    /// Reads all of them.
    pub fn load(state: &State) -> Result<Registry, OpenError> {
        let mut known = Known::default();
        for entry in state.credentials.prefix([WORKSPACE_PREFIX]) {
            let value = entry.value().map_err(|error| state_failed(&error))?;
            known.workspaces.push(decode_workspace(&value).map_err(|_| damaged("a workspace"))?);
        }
        for entry in state.credentials.prefix([KEY_PREFIX]) {
            let value = entry.value().map_err(|error| state_failed(&error))?;
            let workspaces = &known.workspaces;
            let find = |id| workspaces.iter().find(|workspace| workspace.id == id).cloned();
            let (key, hash) = decode_key(&value, find).map_err(|_| damaged("a key"))?;
            known.keep(Arc::new(key), hash);
        }
        Ok(Registry { state: state.clone(), known: RwLock::new(known), changing: Mutex::new(()) })
    }

    pub fn authenticate(&self, hash: &TokenHash) -> Option<Arc<Key>> {
        self.known.read().by_hash.get(hash).cloned()
    }

    pub fn live_key(&self, id: u64) -> Option<(Arc<Key>, TokenHash)> {
        let known = self.known.read();
        known.keys.iter().find(|(key, _)| key.id == id && key.revoked_at.is_none()).cloned()
    }

    pub fn keys(&self) -> Vec<Arc<Key>> {
        self.known.read().keys.iter().map(|(key, _)| Arc::clone(key)).collect()
    }

    /// The same with the hashes of their tokens.
    pub fn keys_with_hashes(&self) -> Vec<(Arc<Key>, TokenHash)> {
        self.known.read().keys.clone()
    }

    pub fn workspaces(&self) -> Vec<Workspace> {
        self.known.read().workspaces.clone()
    }

    pub fn workspace_ids(&self) -> Vec<WorkspaceId> {
        self.known.read().workspaces.iter().map(|workspace| workspace.id).collect()
    }

    pub fn workspace(&self, id: WorkspaceId) -> Option<Workspace> {
        self.known.read().workspaces.iter().find(|workspace| workspace.id == id).cloned()
    }

    /// Makes a key, and its workspace if there is none of that name. Writes to the disk.
    pub fn create_key(&self, new: NewKey) -> Result<Arc<Key>, AdminError> {
        check_workspace_name(&new.workspace_name)?;
        let _one_at_a_time = self.changing.lock();
        let (found, next_workspace, next_key) = {
            let known = self.known.read();
            if known.keys.iter().any(|(_, hash)| *hash == new.token_hash) {
                return Err(AdminError::Exists("a key with this token exists already".to_owned()));
            }
            let found = known.workspaces.iter().find(|workspace| workspace.name == new.workspace_name).cloned();
            let next_workspace = known.workspaces.iter().map(|workspace| workspace.id.0 + 1).max().unwrap_or(1);
            let next_key = known.keys.iter().map(|(key, _)| key.id + 1).max().unwrap_or(1);
            (found, next_workspace, next_key)
        };
        let is_new = found.is_none();
        let workspace = found.unwrap_or(Workspace {
            id: WorkspaceId(next_workspace),
            name: new.workspace_name,
            created_at: new.created_at,
        });
        let key = Key {
            id: next_key,
            workspace,
            name: new.name,
            scopes: new.scopes,
            created_at: new.created_at,
            revoked_at: None,
        };
        self.write(&key, &new.token_hash, is_new)?;
        let key = Arc::new(key);
        let mut known = self.known.write();
        if is_new {
            known.workspaces.push(key.workspace.clone());
        }
        known.keep(Arc::clone(&key), new.token_hash);
        Ok(key)
    }

    /// Ends a key. Writes to the disk.
    pub fn revoke_key(&self, id: u64, at: Micros) -> Result<Arc<Key>, AdminError> {
        let _one_at_a_time = self.changing.lock();
        let found = self.known.read().keys.iter().find(|(key, _)| key.id == id).cloned();
        let (key, hash) = found.ok_or_else(|| AdminError::NotFound(format!("no key has id {id}")))?;
        if key.revoked_at.is_some() {
            return Ok(key);
        }
        let revoked = Key { revoked_at: Some(at), ..Key::clone(&key) };
        self.write(&revoked, &hash, false)?;
        let revoked = Arc::new(revoked);
        let mut known = self.known.write();
        known.by_hash.remove(&hash);
        known.keys.retain(|(key, _)| key.id != id);
        known.keep(Arc::clone(&revoked), hash);
        known.keys.sort_by_key(|(key, _)| key.id);
        Ok(revoked)
    }

    fn write(&self, key: &Key, hash: &TokenHash, with_workspace: bool) -> Result<(), AdminError> {
        let mut batch = self.state.batch();
        let (entry, value) = key_entry(key, hash);
        batch.insert(&self.state.credentials, entry, value);
        if with_workspace {
            let (entry, value) = workspace_entry(&key.workspace);
            batch.insert(&self.state.credentials, entry, value);
        }
        batch.commit().map_err(|error| AdminError::Failed(error.to_string()))
    }
}

impl Known {
    fn keep(&mut self, key: Arc<Key>, hash: TokenHash) {
        if key.revoked_at.is_none() {
            self.by_hash.insert(hash, Arc::clone(&key));
        }
        self.keys.push((key, hash));
    }
}

/// The entry of a key.
pub fn key_entry(key: &Key, hash: &TokenHash) -> ([u8; 9], Vec<u8>) {
    let mut value = Vec::new();
    encode_key(key, hash, &mut value);
    (entry_key(KEY_PREFIX, key.id), value)
}

/// The entry of a workspace.
pub fn workspace_entry(workspace: &Workspace) -> ([u8; 9], Vec<u8>) {
    let mut value = Vec::new();
    encode_workspace(workspace, &mut value);
    (entry_key(WORKSPACE_PREFIX, u64::from(workspace.id.0)), value)
}

fn entry_key(prefix: u8, id: u64) -> [u8; 9] {
    let mut key = [prefix; 9];
    key[1..].copy_from_slice(&id.to_be_bytes());
    key
}
