//! Workspaces and keys.

use std::sync::Arc;

use muster_model::{id::WorkspaceId, time::Micros};
use muster_store::{
    Answer,
    credentials::{Credentials, Key, NewKey, TokenHash, Workspace, check_workspace_name},
    error::AdminError,
};

use super::{change, held::Held};
use crate::{
    cluster::Cluster,
    fault::Fault,
    sql::{connection::Transaction, values::At},
};

impl Credentials for Cluster {
    fn authenticate(&self, token_hash: &TokenHash) -> Option<Arc<Key>> {
        self.inner.registry.held().key_of(token_hash)
    }

    fn live_key(&self, id: u64) -> Option<(Arc<Key>, TokenHash)> {
        let held = self.inner.registry.held();
        held.keys.iter().find(|(key, _)| key.id == id && key.revoked_at.is_none()).cloned()
    }

    fn keys(&self) -> Vec<Arc<Key>> {
        self.inner.registry.held().keys.iter().map(|(key, _)| Arc::clone(key)).collect()
    }

    fn workspaces(&self) -> Vec<Workspace> {
        self.inner.registry.held().workspaces.clone()
    }

    fn create_key(&self, new: NewKey) -> Answer<'_, Arc<Key>, AdminError> {
        Box::pin(async move {
            check_workspace_name(&new.workspace_name)?;
            let registry = Arc::clone(&self.inner.registry);
            change(&self.inner.pool, registry, move |held, transaction| Ok(create(held, transaction, &new)?)).await?
        })
    }

    fn revoke_key(&self, id: u64, at: Micros) -> Answer<'_, Arc<Key>, AdminError> {
        Box::pin(async move {
            let registry = Arc::clone(&self.inner.registry);
            let revoked = change(&self.inner.pool, registry, move |held, transaction| {
                let known = held.keys.iter().find(|(key, _)| key.id == id);
                let (key, _) = known.ok_or_else(|| AdminError::NotFound(format!("no key has id {id}")))?;
                if key.revoked_at.is_some() {
                    return Ok(Arc::clone(key));
                }
                let revoke = "update access_key set revoked_at = $2 where id = $1";
                transaction.execute(revoke, &[&(id as i64), &At(at)])?;
                Ok(Arc::new(Key { revoked_at: Some(at), ..Key::clone(key) }))
            });
            revoked.await
        })
    }
}

fn create(held: &Held, transaction: &mut Transaction<'_>, new: &NewKey) -> Result<Result<Arc<Key>, AdminError>, Fault> {
    if held.keys.iter().any(|(_, hash)| *hash == new.token_hash) {
        return Ok(Err(AdminError::Exists("a key with this token exists already".to_owned())));
    }
    let found = held.workspaces.iter().find(|workspace| workspace.name == new.workspace_name);
    let workspace = match found {
        Some(workspace) => workspace.clone(),
        None => {
            let next = held.workspaces.iter().map(|workspace| workspace.id.0 + 1).max().unwrap_or(1);
            let insert = "insert into workspace (id, name, created_at) values ($1, $2, $3)";
            transaction.execute(insert, &[&(next as i32), &new.workspace_name, &At(new.created_at)])?;
            transaction.execute("insert into census (workspace) values ($1)", &[&(next as i32)])?;
            Workspace { id: WorkspaceId(next), name: new.workspace_name.clone(), created_at: new.created_at }
        }
    };
    let id = held.keys.iter().map(|(key, _)| key.id + 1).max().unwrap_or(1);
    let NewKey { name, scopes, token_hash, created_at, .. } = new;
    transaction.execute(
        "insert into access_key (id, workspace, name, scopes, token_hash, created_at) values ($1, $2, $3, $4, $5, $6)",
        &[
            &(id as i64),
            &(workspace.id.0 as i32),
            &name.as_bytes(),
            &i16::from(scopes.bits()),
            &token_hash.as_slice(),
            &At(*created_at),
        ],
    )?;
    let (name, scopes, created_at) = (name.clone(), *scopes, *created_at);
    Ok(Ok(Arc::new(Key { id, workspace, name, scopes, created_at, revoked_at: None })))
}
