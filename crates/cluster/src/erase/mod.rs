//! Deletions, and imports that are taken back.
//!
//! What a deletion covers goes in the transaction that takes it in: rows, records, what others say of them. Whoever reads
//! after it sees nothing of it, and nothing is left to remove: files that hold some of it are written anew before. The workspace and
//! those of its lane wait meanwhile; others do not.

/// What was deleted, and when.
pub mod tombstones;

/// Rows of the history that name records.
pub mod rows;

/// The same in files.
mod files;

/// Deletions: asked for, scheduled, called off, carried out.
pub mod decree;

/// Taking an import back.
mod undo;

use std::cell::RefCell;

use muster_model::id::{IdSpace, WorkspaceId};

use crate::{
    archive::Archive,
    fault::Fault,
    fold::{census::Census, plan::Plan},
    sql::connection::Transaction,
};

/// Carries out what batches ask for.
pub fn carry_out(
    transaction: &RefCell<Transaction<'_>>,
    (workspace, ids): (WorkspaceId, IdSpace),
    archive: &Archive,
    plan: &Plan<'_>,
    census: &mut Census,
) -> Result<(), Fault> {
    for decree in &plan.decrees {
        decree::carry_out(transaction, (workspace, ids), archive, decree, census)?;
    }
    for id in &plan.undone {
        if let Some(import) = plan.imports.get(id).cloned().flatten() {
            undo::undo(transaction, workspace, archive, import, census)?;
        }
    }
    Ok(())
}
