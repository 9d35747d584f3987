//! The twin keeps nothing on a disk, so there is nothing to back up; it says so.

use std::path::PathBuf;

use super::MemoryStore;
use crate::{
    Answer,
    backup::{Backup, Backups},
    error::AdminError,
};

impl Backups for MemoryStore {
    fn backup(&self, _into: PathBuf) -> Answer<'_, Backup, AdminError> {
        let says = "this store is in memory only and has nothing to back up".to_owned();
        Box::pin(async move { Err(AdminError::Invalid(says)) })
    }
}
