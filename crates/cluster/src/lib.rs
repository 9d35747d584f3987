//! The engine for those who outgrow one machine: a replicated stream, PostgreSQL, and as many nodes as it takes.
//!
//! A batch is durable once the stream's replicas have it. Lanes divide the stream; of each lane one node at a time takes
//! batches out, in order, and folds them in: what is new, what follows from it and the lane's position change in one
//! transaction of PostgreSQL, so that each batch counts once however often it is delivered. A read first asks the stream how
//! far its workspace's lane reaches and waits until all of that is folded in.
//!
//! Implements [`muster_store::Store`]; knows nothing of HTTP. `docs/scale.md` is for whoever operates it.

/// What goes wrong, and what is said of it.
mod fault;

/// What stands behind the question mark of a URL.
mod asked;

/// How the engine is set up.
pub mod options;

/// PostgreSQL.
mod sql;

/// The stream.
mod stream;

/// How far each lane is folded in.
mod lanes;

/// Taking batches.
mod append;

/// Taking batches out of lanes.
mod applier;

/// Folding batches in.
mod fold;

/// Deletions.
mod erase;

/// Imports.
mod imports;

/// What every node holds in memory.
mod registry;

/// Which nodes serve.
mod roster;

/// The history in a bucket.
mod archive;

/// Reading.
mod read;

/// Followers.
mod follow;

/// Moving everything to another store, and from another one.
pub mod transfer;

/// What a move has made of a cluster.
mod mark;

/// The engine.
mod cluster;

/// The engine as operators see it.
mod status;

pub use archive::{address::Address as BucketAddress, filing::Bounds as FiledRows};
pub use cluster::{Cluster, OpenError};
pub use muster_history::compact::Bounds as MergedFiles;
pub use options::{InvalidUrl, Options};
pub use sql::migrate::{MigrateError, Migrated, Standing, VERSION};

/// Brings the tables that a URL names to the version of this program, making them if there are none.
pub fn migrate(state_url: &str) -> Result<Migrated, MigrateError> {
    let config = options::state(state_url).map_err(MigrateError::Url)?;
    sql::migrate::migrate(&config)
}
