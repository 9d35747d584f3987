//! Workspaces and keys.

use std::{collections::HashMap, sync::Arc};

use muster_model::{
    id::{IdSpace, WorkspaceId},
    time::Micros,
};

use super::MemoryStore;
use crate::{
    Answer,
    credentials::{Credentials, Key, NewKey, TokenHash, Workspace, check_workspace_name},
    error::AdminError,
    saved::Saved,
    team::Member,
};

/// Every workspace and key, oldest first, every team member, and every view and query that is kept.
#[derive(Debug, Default)]
pub struct Registry {
    pub workspaces: Vec<Workspace>,
    keys: Vec<(TokenHash, Arc<Key>)>,
    pub members: Vec<(WorkspaceId, Member)>,
    pub saved: Vec<(WorkspaceId, Saved)>,
    /// The last number given to what a workspace keeps.
    pub last_saved: HashMap<u32, u64>,
}

impl Registry {
    /// How a workspace derives the ids of its records.
    pub fn ids(&self, id: WorkspaceId) -> IdSpace {
        let known = self.workspaces.iter().find(|workspace| workspace.id == id);
        IdSpace::new(known.map_or("", |workspace| &workspace.name))
    }

    fn create_key(&mut self, new: NewKey) -> Result<Arc<Key>, AdminError> {
        check_workspace_name(&new.workspace_name)?;
        if self.keys.iter().any(|(hash, _)| *hash == new.token_hash) {
            return Err(AdminError::Exists("a key with this token exists already".to_owned()));
        }
        let known = self.workspaces.iter().find(|workspace| workspace.name == new.workspace_name).cloned();
        let workspace = known.unwrap_or_else(|| {
            let id = WorkspaceId(self.workspaces.len() as u32 + 1);
            let workspace = Workspace { id, name: new.workspace_name, created_at: new.created_at };
            self.workspaces.push(workspace.clone());
            workspace
        });
        let key = Arc::new(Key {
            id: self.keys.len() as u64 + 1,
            workspace,
            name: new.name,
            scopes: new.scopes,
            created_at: new.created_at,
            revoked_at: None,
        });
        self.keys.push((new.token_hash, Arc::clone(&key)));
        Ok(key)
    }

    fn revoke_key(&mut self, id: u64, at: Micros) -> Result<Arc<Key>, AdminError> {
        let found = self.keys.iter_mut().map(|(_, key)| key).find(|key| key.id == id);
        let key = found.ok_or_else(|| AdminError::NotFound(format!("no key has id {id}")))?;
        if key.revoked_at.is_none() {
            Arc::make_mut(key).revoked_at = Some(at);
        }
        Ok(Arc::clone(key))
    }
}

impl Credentials for MemoryStore {
    fn authenticate(&self, token_hash: &TokenHash) -> Option<Arc<Key>> {
        self.registry(|registry| {
            let found = registry.keys.iter().find(|(hash, key)| hash == token_hash && key.revoked_at.is_none());
            found.map(|(_, key)| Arc::clone(key))
        })
    }

    fn live_key(&self, id: u64) -> Option<(Arc<Key>, TokenHash)> {
        self.registry(|registry| {
            let found = registry.keys.iter().find(|(_, key)| key.id == id && key.revoked_at.is_none());
            found.map(|(hash, key)| (Arc::clone(key), *hash))
        })
    }

    fn keys(&self) -> Vec<Arc<Key>> {
        self.registry(|registry| registry.keys.iter().map(|(_, key)| Arc::clone(key)).collect())
    }

    fn workspaces(&self) -> Vec<Workspace> {
        self.registry(|registry| registry.workspaces.clone())
    }

    fn create_key(&self, new: NewKey) -> Answer<'_, Arc<Key>, AdminError> {
        Box::pin(async move { self.registry(|registry| registry.create_key(new)) })
    }

    fn revoke_key(&self, id: u64, at: Micros) -> Answer<'_, Arc<Key>, AdminError> {
        Box::pin(async move { self.registry(|registry| registry.revoke_key(id, at)) })
    }
}
