//! What every node holds in memory: workspaces, keys, teams, saved views and followers.
//!
//! A change is made in PostgreSQL, one at a time over all nodes, checked there against what is there, and counts on every node
//! when it is answered: nodes are told, and waited for. One that cannot be reached is waited for no longer than a bound, and looks
//! for itself now and then.

/// All of it, as of one version.
pub mod held;

/// Workspaces and keys.
mod credentials;

/// Team members.
mod team;

/// Views and queries under names.
mod saved;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use muster_model::id::{IdSpace, WorkspaceId};
use muster_store::error::AdminError;
use parking_lot::RwLock;
use tracing::debug;

use crate::{
    fault::Fault,
    roster,
    sql::{
        connection::{Connection, Mode, Transaction},
        pool::Pool,
    },
};
use held::Held;

/// What is held, and how it is changed.
pub struct Registry {
    held: RwLock<Arc<Held>>,
    /// This node's number.
    node: u64,
    /// Told after each change that this node made.
    changed: Box<dyn Fn() + Send + Sync>,
}

impl Registry {
    /// Reads all of it.
    pub fn load(
        connection: &mut Connection,
        node: u64,
        changed: Box<dyn Fn() + Send + Sync>,
    ) -> Result<Registry, Fault> {
        let mut transaction = connection.begin(Mode::Read, None)?;
        let held = Held::read(&mut transaction)?;
        Ok(Registry { held: RwLock::new(Arc::new(held)), node, changed })
    }

    /// What is held now.
    pub fn held(&self) -> Arc<Held> {
        Arc::clone(&self.held.read())
    }

    /// Takes in what a transaction sees, unless something newer is held; and something older if it does not see even what was held
    /// before it began, which is gone then.
    pub fn refresh(&self, transaction: &mut Transaction<'_>, before: i64) -> Result<(), Fault> {
        let version = Held::version(transaction)?;
        if version > self.held.read().version || version < before {
            let fresh = Arc::new(Held::read(transaction)?);
            let mut held = self.held.write();
            if fresh.version > held.version || (fresh.version < before && held.version == before) {
                *held = fresh;
            }
        }
        Ok(())
    }

    /// The ids of a workspace's records; a workspace that another node has just made is looked up.
    pub fn ids(&self, transaction: &mut Transaction<'_>, workspace: WorkspaceId) -> Result<IdSpace, Fault> {
        if let Some(known) = self.held().workspace(workspace) {
            return Ok(IdSpace::new(&known.name));
        }
        let row = transaction.query_opt("select name from workspace where id = $1", &[&(workspace.0 as i32)])?;
        let name: String = row.ok_or(Fault::NoWorkspace)?.get(0);
        Ok(IdSpace::new(&name))
    }
}

/// How long other nodes are waited for that have not taken a change in, and between two looks whether they have.
const TAKEN_IN_WITHIN: Duration = Duration::from_secs(2);
const LOOK_WHETHER: Duration = Duration::from_millis(5);

/// Changes what is held: `change` is given what is there now, in a transaction that no other change runs beside.
pub async fn change<T: Send + 'static>(
    pool: &Pool,
    registry: Arc<Registry>,
    change: impl Fn(&Held, &mut Transaction<'_>) -> Result<T, AdminError> + Send + 'static,
) -> Result<T, AdminError> {
    let node = registry.node;
    let changed = pool.ask(move |connection| {
        let mut transaction = connection.begin(Mode::Write, None)?;
        transaction.execute("update registry set version = version + 1", &[])?;
        let held = Held::read(&mut transaction)?;
        let changed = match change(&held, &mut transaction) {
            Ok(changed) => changed,
            Err(refused) => {
                // What stands against it may be another node's doing; whoever asked finds it here now.
                drop(transaction);
                let before = registry.held().version;
                registry.refresh(&mut connection.begin(Mode::Read, None)?, before)?;
                return Ok(Err(refused));
            }
        };
        let fresh = Held::read(&mut transaction)?;
        let version = fresh.version;
        transaction.commit()?;
        let mut held = registry.held.write();
        if fresh.version > held.version {
            *held = Arc::new(fresh);
        }
        drop(held);
        (registry.changed)();
        Ok(Ok((changed, version)))
    });
    let (changed, version) = changed.await??;
    taken_in(pool, node, version).await;
    Ok(changed)
}

/// Waits until every other node that serves has taken a version in, within a bound.
async fn taken_in(pool: &Pool, node: u64, version: i64) {
    let until = Instant::now() + TAKEN_IN_WITHIN;
    while Instant::now() < until {
        match pool.ask(move |connection| roster::is_behind(connection, node, version)).await {
            Ok(true) => tokio::time::sleep(LOOK_WHETHER).await,
            Ok(false) => return,
            Err(fault) => return debug!(error = %fault, "whether other nodes know of a change cannot be told"),
        }
    }
    debug!("some node has not taken a change in yet");
}
