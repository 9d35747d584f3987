//! A copy of everything a store keeps, taken while it works.

use std::path::PathBuf;

use crate::{Answer, error::AdminError};

/// What a backup holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backup {
    /// Where it lies.
    pub directory: PathBuf,
    /// Files of the history, and their bytes.
    pub history_files: u64,
    pub history_bytes: u64,
    /// Entries of the state.
    pub entries: u64,
    /// Bytes of groups that the state does not hold yet.
    pub journal_bytes: u64,
}

/// Copying a store.
///
/// When `backup` answers `Ok`, the directory holds everything that was acknowledged before the call, on stable storage,
/// as a store of its own that can be opened. Of what is acknowledged during the call it holds any part, each request
/// whole. When it answers `Err`, there is no such directory; trying again is safe. Appends and reads go on meanwhile.
pub trait Backups: Send + Sync {
    /// Copies everything into a directory that must not exist yet, or be empty.
    fn backup(&self, into: PathBuf) -> Answer<'_, Backup, AdminError>;
}
