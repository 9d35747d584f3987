//! Views and queries under names.

use std::sync::Arc;

use muster_model::id::WorkspaceId;
use muster_store::{
    Answer,
    error::AdminError,
    saved::{NewSaved, Saved, SavedChange, SavedViews, changed, check_new, in_order, unknown},
};

use super::{change, held::Held};
use crate::{
    cluster::Cluster,
    sql::{connection::Transaction, values::At},
};

/// The counter of the numbers that a workspace gave.
const COUNT: &str = "insert into counter (workspace, name, last) values ($1, 'saved', 1)
    on conflict (workspace, name) do update set last = counter.last + 1 returning last";

impl Held {
    fn saved(&self, workspace: WorkspaceId) -> Vec<Saved> {
        let of = self.saved.iter().filter(|(owner, _)| *owner == workspace);
        in_order(of.map(|(_, one)| one.clone()).collect())
    }
}

impl SavedViews for Cluster {
    fn saved(&self, workspace: WorkspaceId) -> Vec<Saved> {
        self.inner.registry.held().saved(workspace)
    }

    fn save(&self, workspace: WorkspaceId, new: NewSaved) -> Answer<'_, Saved, AdminError> {
        Box::pin(async move {
            let save = move |held: &Held, transaction: &mut Transaction<'_>| {
                if held.workspace(workspace).is_none() {
                    return Err(AdminError::NotFound("there is no such workspace".to_owned()));
                }
                check_new(&held.saved(workspace), &new)?;
                let owner = workspace.0 as i32;
                let id: i64 = transaction.query_one(COUNT, &[&owner])?.get(0);
                let NewSaved { kind, name, text, saved_by, saved_at } = new.clone();
                let (number, by) = (i16::from(kind as u8), saved_by as i64);
                transaction.execute(
                    "insert into saved (workspace, id, kind, name, body, saved_by, saved_at)
                        values ($1, $2, $3, $4, $5, $6, $7)",
                    &[&owner, &id, &number, &name.as_bytes(), &text.as_bytes(), &by, &At(saved_at)],
                )?;
                Ok(Saved { id: id as u64, kind, name, text, saved_by, saved_at })
            };
            change(&self.inner.pool, Arc::clone(&self.inner.registry), save).await
        })
    }

    fn change_saved(&self, workspace: WorkspaceId, id: u64, asked: SavedChange) -> Answer<'_, Saved, AdminError> {
        Box::pin(async move {
            let alter = move |held: &Held, transaction: &mut Transaction<'_>| {
                let one = changed(&held.saved(workspace), id, asked.clone())?;
                transaction.execute(
                    "update saved set name = $3, body = $4 where workspace = $1 and id = $2",
                    &[&(workspace.0 as i32), &(id as i64), &one.name.as_bytes(), &one.text.as_bytes()],
                )?;
                Ok(one)
            };
            change(&self.inner.pool, Arc::clone(&self.inner.registry), alter).await
        })
    }

    fn remove_saved(&self, workspace: WorkspaceId, id: u64) -> Answer<'_, Saved, AdminError> {
        Box::pin(async move {
            let remove = move |held: &Held, transaction: &mut Transaction<'_>| {
                let one = held.saved(workspace).into_iter().find(|one| one.id == id).ok_or_else(unknown)?;
                let delete = "delete from saved where workspace = $1 and id = $2";
                transaction.execute(delete, &[&(workspace.0 as i32), &(id as i64)])?;
                Ok(one)
            };
            change(&self.inner.pool, Arc::clone(&self.inner.registry), remove).await
        })
    }
}
