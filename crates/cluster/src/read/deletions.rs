//! What was deleted.

use std::sync::Arc;

use muster_model::{deletion::DeletionId, id::WorkspaceId};
use muster_store::{
    Answer, codec,
    deletion::{Deletion, DeletionPage, Deletions},
    error::ReadError,
};

use crate::{
    cluster::Cluster,
    fault::Fault,
    sql::{connection::Transaction, values::Id},
};

const PAGE: &str =
    "select body from deletion where workspace = $1 and ($2::uuid is null or id < $2) order by id desc limit $3";
const ONE: &str = "select body from deletion where workspace = $1 and id = $2";
const SCHEDULED: &str = "select body from deletion where workspace = $1 and scheduled";

/// Reads a deletion back.
pub fn decoded(bytes: &[u8]) -> Result<Deletion, Fault> {
    codec::deletion::decode(bytes).map_err(|_| Fault::Damaged("a deletion"))
}

impl Deletions for Cluster {
    fn deletions(
        &self,
        workspace: WorkspaceId,
        from: Option<DeletionId>,
        limit: usize,
    ) -> Answer<'_, DeletionPage, ReadError> {
        self.with_book(workspace, move |book| {
            let limit = limit.max(1);
            let from = from.map(|from| Id(from.0));
            let rows = book.transaction().query(PAGE, &[&book.workspace(), &from, &(limit as i64 + 1)])?;
            let mut deletions: Vec<Deletion> =
                rows.iter().map(|row| decoded(row.get(0))).collect::<Result<_, Fault>>()?;
            let more = deletions.len() > limit;
            deletions.truncate(limit);
            let next = deletions.last().filter(|_| more).map(|deletion| deletion.id);
            Ok(DeletionPage { deletions, next })
        })
    }

    fn deletion(&self, workspace: WorkspaceId, id: DeletionId) -> Answer<'_, Option<Deletion>, ReadError> {
        self.with_book(workspace, move |book| {
            let row = book.transaction().query_opt(ONE, &[&book.workspace(), &Id(id.0)])?;
            row.map(|row| decoded(row.get(0))).transpose()
        })
    }

    fn scheduled(&self) -> Answer<'_, Vec<(WorkspaceId, Deletion)>, ReadError> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let workspaces: Vec<WorkspaceId> =
                inner.registry.held().workspaces.iter().map(|workspace| workspace.id).collect();
            let read = move |transaction: &mut Transaction<'_>| {
                let mut found = Vec::new();
                for workspace in &workspaces {
                    transaction.enter(*workspace)?;
                    for row in transaction.query(SCHEDULED, &[&(workspace.0 as i32)])? {
                        found.push((*workspace, decoded(row.get(0))?));
                    }
                }
                Ok(found)
            };
            inner.read_about(None, read).await
        })
    }
}
