//! What was copied, as it is shown.
//!
//! The members are those of the server's answer, so that both ways print the same.

use std::path::Path;

use muster_store::backup::Backup;
use serde::{Deserialize, Serialize};

/// A backup that was taken.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownBackup {
    pub directory: String,
    pub history_files: u64,
    pub history_bytes: u64,
    pub entries: u64,
    pub journal_bytes: u64,
}

impl ShownBackup {
    /// One that a store took.
    pub fn of(backup: &Backup) -> ShownBackup {
        let shown = |path: &Path| path.display().to_string();
        ShownBackup {
            directory: shown(&backup.directory),
            history_files: backup.history_files,
            history_bytes: backup.history_bytes,
            entries: backup.entries,
            journal_bytes: backup.journal_bytes,
        }
    }

    /// In a sentence.
    pub fn sentence(&self) -> String {
        format!(
            "{}: {} history files ({} bytes), {} entries of state, {} bytes of journal\n",
            self.directory, self.history_files, self.history_bytes, self.entries, self.journal_bytes
        )
    }
}
