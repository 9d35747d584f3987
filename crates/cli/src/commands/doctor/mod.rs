//! `muster doctor`: what is wrong with a data directory, with the server that runs over it, or with a cluster.
//!
//! Without a server the directory itself is examined, every byte of it; beside one, the server is asked. The machine is
//! looked at in both cases. Changes nothing; the exit code says how bad the worst finding is.

/// Disk space, file handles, the clock.
pub mod machine;

/// Asking the server that uses the directory.
pub mod beside;

/// Looking at a cluster.
pub mod cluster;

/// Receipts that somebody kept.
pub mod receipts;

/// The command, and the form of its findings.
pub mod run;

pub use run::run;
