//! A store as operators see it: health, figures, closing.

use muster_model::{id::WorkspaceId, kind::RecordKind};

use crate::{Answer, error::ReadError};

/// Whether the store can do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Everything works.
    Ready,
    /// Writes are refused until something outside has changed, such as a full disk; then the store goes on by itself.
    /// Reads go on meanwhile.
    Hindered { reason: String },
    /// Writes are refused until a restart; reads go on.
    Stopped { reason: String },
}

/// Counters and gauges of a store, as of one moment. Counters start at zero with the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Messages stored, dropped as duplicates, set aside as conflicts, set aside as refused.
    pub stored: u64,
    pub duplicates: u64,
    pub conflicts: u64,
    pub refused: u64,
    /// Messages about records that were deleted after the messages' time, and so not stored.
    pub deleted: u64,
    /// Groups synced, and the microseconds spent in syncing them.
    pub groups: u64,
    pub sync_micros: u64,
    /// Batches and bytes waiting to be taken.
    pub queued_batches: u64,
    pub queued_bytes: u64,
    /// Messages and bytes folded in since the last checkpoint.
    pub overlay_messages: u64,
    pub overlay_bytes: u64,
    /// Checkpoints and compactions done, and the microseconds they took.
    pub checkpoints: u64,
    pub checkpoint_micros: u64,
    pub compactions: u64,
    pub compaction_micros: u64,
    /// Bytes of the journal, the history and the state on disk.
    pub journal_bytes: u64,
    pub history_bytes: u64,
    pub history_files: u64,
    pub state_bytes: u64,
    /// Bytes that are free where all of that lies, if it can be asked.
    pub free_bytes: Option<u64>,
}

/// How many records there are, whether a message described them or only named them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Records {
    pub organizations: u64,
    pub accounts: u64,
    pub users: u64,
}

impl Records {
    /// How many of a kind; `None` of one that is not counted.
    #[must_use]
    pub fn of(&self, kind: RecordKind) -> Option<u64> {
        match kind {
            RecordKind::Organization => Some(self.organizations),
            RecordKind::Account => Some(self.accounts),
            RecordKind::User => Some(self.users),
            RecordKind::Instance | RecordKind::CustomObject | RecordKind::NpsResponse | RecordKind::Anonymous => None,
        }
    }
}

/// What a workspace holds on disk and in memory, for whoever operates the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Messages; what was deleted counts until its bytes are gone.
    pub messages: u64,
    /// Bytes of its history on disk, if there is one.
    pub history_bytes: u64,
}

/// What operating a store needs.
pub trait Status: Send + Sync {
    /// Whether writes are taken.
    fn health(&self) -> Health;

    /// Counters and gauges.
    fn figures(&self) -> Figures;

    /// What each workspace holds, in no order; one that holds nothing may be left out. Must not touch a disk.
    fn sizes(&self) -> Vec<(WorkspaceId, Size)>;

    /// How many records a workspace has, as every other read would find them. `None` while they are counted, as after the
    /// first start on what an earlier version kept. Must not touch a disk.
    fn records(&self, workspace: WorkspaceId) -> Option<Records>;

    /// Takes nothing more, finishes what was taken, brings it into its final place and lets go of everything. Later
    /// appends answer [`crate::error::AppendError::Closing`]. Closing twice is harmless.
    fn close(&self) -> Answer<'_, (), ReadError>;
}
