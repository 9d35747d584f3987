//! Moving everything to another store, and from another one: [`muster_store::transfer`], piece by piece.
//!
//! Whoever moves a cluster holds the locks of all its lanes meanwhile, so that no node folds anything in. A setting says what is
//! under way: no node starts on a cluster that is taking everything over and is not done, nor on one that was moved away.

/// Handing everything out.
pub mod source;

/// Taking everything over.
pub mod target;

/// Taking over what came since.
pub mod arrival;

/// Workspaces, keys, members and saved views of it.
mod registered;

/// Which number of arrival each message gets.
mod numbers;

use muster_model::id::WorkspaceId;
use muster_store::transfer::TransferError;

use crate::{
    applier::LOCK_CLASS,
    fault::Fault,
    roster,
    sql::connection::{Connection, Mode, Transaction},
};

/// Makes sure that no node serves, and takes the locks of all lanes, on a connection that holds them until it ends.
fn hold_lanes(connection: &mut Connection, lanes: u32) -> Result<(), TransferError> {
    if roster::alive(connection).map_err(target_failed)? > 0 {
        let says = format!(
            "a node of the cluster is running, or was killed less than {} seconds ago; stop all of them, and try again",
            roster::ALIVE_SECONDS
        );
        return Err(TransferError::Busy(says));
    }
    for lane in 0..lanes as i32 {
        let held =
            connection.ask("select pg_try_advisory_lock($1, $2)", &[&LOCK_CLASS, &lane]).map_err(target_failed)?;
        if !held[0].get::<_, bool>(0) {
            let says = "a node of the cluster is running; stop all of them, and try again";
            return Err(TransferError::Busy(says.to_owned()));
        }
    }
    Ok(())
}

/// Changes something of a workspace, or of what belongs to none.
fn change<T>(
    connection: &mut Connection,
    of: Option<WorkspaceId>,
    change: impl FnOnce(&mut Transaction<'_>) -> Result<T, Fault>,
) -> Result<T, TransferError> {
    let changed = connection.begin(Mode::Write, of).and_then(|mut transaction| {
        let changed = change(&mut transaction)?;
        transaction.commit()?;
        Ok(changed)
    });
    changed.map_err(target_failed)
}

fn source_failed(fault: Fault) -> TransferError {
    TransferError::Source(fault.to_string())
}

fn target_failed(fault: Fault) -> TransferError {
    TransferError::Target(fault.to_string())
}
