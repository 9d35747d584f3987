//! Imports, as the notes in batches tell of them.

use std::sync::Arc;

use muster_model::id::{ImportId, WorkspaceId};
use muster_store::{
    Answer, codec,
    error::ReadError,
    import::{Import, Imports},
};
use rustc_hash::FxHashMap;

use crate::{cluster::Cluster, fault::Fault, sql::connection::Transaction};

const ONE: &str = "select body from import where workspace = $1 and id = $2";
const ALL: &str = "select body from import where workspace = $1 order by id desc";
const KEEP: &str = "insert into import (workspace, id, body) select $1, * from unnest($2::int4[], $3::bytea[])
    on conflict (workspace, id) do update set body = excluded.body";
const FORGET: &str = "delete from import where workspace = $1 and id = any($2)";

/// One import, if it is known.
pub fn one(transaction: &mut Transaction<'_>, workspace: WorkspaceId, id: ImportId) -> Result<Option<Import>, Fault> {
    let row = transaction.query_opt(ONE, &[&(workspace.0 as i32), &(id.0 as i32)])?;
    row.map(|row| decoded(row.get(0))).transpose()
}

/// Keeps imports as they are now.
pub fn write(
    transaction: &mut Transaction<'_>,
    workspace: WorkspaceId,
    imports: &FxHashMap<ImportId, Option<Import>>,
) -> Result<(), Fault> {
    if imports.is_empty() {
        return Ok(());
    }
    let forgotten: Vec<i32> =
        imports.iter().filter(|(_, import)| import.is_none()).map(|(id, _)| id.0 as i32).collect();
    if !forgotten.is_empty() {
        transaction.execute(FORGET, &[&(workspace.0 as i32), &forgotten])?;
    }
    let kept: Vec<&Import> = imports.values().flatten().collect();
    let ids: Vec<i32> = kept.iter().map(|import| import.id.0 as i32).collect();
    let encoded = |import: &&Import| {
        let mut bytes = Vec::new();
        codec::import::encode(import, &mut bytes);
        bytes
    };
    let bodies: Vec<Vec<u8>> = kept.iter().map(encoded).collect();
    transaction.execute(KEEP, &[&(workspace.0 as i32), &ids, &bodies])?;
    Ok(())
}

/// Reads an import back.
pub fn decoded(bytes: &[u8]) -> Result<Import, Fault> {
    codec::import::decode(bytes).map_err(|_| Fault::Damaged("an import"))
}

impl Imports for Cluster {
    fn imports(&self, workspace: WorkspaceId) -> Answer<'_, Vec<Import>, ReadError> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let read = move |transaction: &mut Transaction<'_>| {
                let rows = transaction.query(ALL, &[&(workspace.0 as i32)])?;
                rows.iter().map(|row| decoded(row.get(0))).collect()
            };
            inner.read(workspace, read).await
        })
    }

    fn import(&self, workspace: WorkspaceId, id: ImportId) -> Answer<'_, Option<Import>, ReadError> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { inner.read(workspace, move |transaction| one(transaction, workspace, id)).await })
    }
}
