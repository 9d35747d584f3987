//! What an operator may set about the embedded engine.
//!
//! Every queue, buffer and retention of the engine has its bound here, with its unit in its name.

use std::{path::PathBuf, time::Duration};

/// Settings of the embedded engine.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory that holds everything; created if it does not exist.
    pub data_dir: PathBuf,
    /// Bytes of the disk that are to stay free; below them nothing is taken, so that what was taken can still be brought
    /// into its final place. None are when zero.
    pub free_bytes_min: u64,
    /// Batches that may wait for the writer.
    pub queue_batches_max: usize,
    /// Bytes that may wait for the writer.
    pub queue_bytes_max: usize,
    /// Messages that one sync covers at the most.
    pub group_messages_max: usize,
    /// Bytes that one sync covers at the most.
    pub group_bytes_max: usize,
    /// Messages folded in since the last checkpoint that start another.
    pub checkpoint_rows_max: usize,
    /// Bytes folded in since the last checkpoint that start another.
    pub checkpoint_bytes_max: usize,
    /// How long something may wait for a checkpoint.
    pub checkpoint_interval: Duration,
    /// Small history files of one month that are merged once there are so many.
    pub compaction_files_min: usize,
    /// So many wait while messages come in so fast that merging would hold up the next checkpoint.
    pub compaction_files_max: usize,
    /// Bytes from which on a history file is not small any more.
    pub compaction_file_bytes_max: u64,
    /// Bytes of the state store's block cache.
    pub state_cache_bytes: u64,
    /// Files of the state store that are kept open.
    pub state_files_max: usize,
    /// How long the identity of a message is remembered; for ever when `None`.
    pub identity_retention: Option<Duration>,
    /// Bytes of the filter that tells which identities are new.
    pub identity_filter_bytes: usize,
    /// Messages set aside that are kept at the most, per workspace; the oldest go first.
    pub refused_max: usize,
    /// How long a message set aside is kept.
    pub refused_retention: Duration,
    /// Bytes of the journal that are kept for followers that have not had them.
    pub forward_bytes_max: u64,
    /// Dead letters that are kept at the most, per follower; the oldest go first.
    pub letters_max: usize,
    /// How long a dead letter is kept.
    pub letters_retention: Duration,
    /// Names of events that are told one by one, per workspace; the others are told together.
    pub event_names_max: usize,
    /// Bytes of history files' footers and directories that are kept in memory.
    pub history_cache_bytes: u64,
    /// Bytes of texts that are kept in memory for searches; a table of them that is larger is not made.
    pub search_bytes: usize,
    /// Records a list looks at, and rows a timeline reads at a time, before it answers with what it has.
    pub scan_max: usize,
    /// A step along a list that takes so long is remembered, so that the next reader goes over it at once. Most take a few
    /// microseconds.
    pub long_step: Duration,
    /// So many places that change in lists are ingested by a checkpoint before its commit, fewer are part of that.
    pub bulk_places_min: usize,
    /// What pages and searches would wait for is read before anybody asks: for a server. Who only asks something once has no use for
    /// it.
    pub reads_ahead: bool,
}

impl Options {
    /// The [`Options::long_step`] that there is without a setting.
    pub const LONG_STEP: Duration = Duration::from_micros(100);
    /// The [`Options::bulk_places_min`] that there is without a setting.
    pub const BULK_PLACES_MIN: usize = 10_000;

    /// The defaults, in a directory.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Options {
            data_dir: data_dir.into(),
            free_bytes_min: 256 << 20,
            queue_batches_max: 4_096,
            queue_bytes_max: 64 << 20,
            group_messages_max: 8_192,
            group_bytes_max: 4 << 20,
            checkpoint_rows_max: 4_000_000,
            checkpoint_bytes_max: 256 << 20,
            checkpoint_interval: Duration::from_secs(60),
            compaction_files_min: 8,
            compaction_files_max: 64,
            compaction_file_bytes_max: 96 << 20,
            state_cache_bytes: 128 << 20,
            state_files_max: 900,
            identity_retention: None,
            identity_filter_bytes: 128 << 20,
            refused_max: 100_000,
            refused_retention: Duration::from_secs(30 * 86_400),
            forward_bytes_max: 1 << 30,
            letters_max: 10_000,
            letters_retention: Duration::from_secs(30 * 86_400),
            event_names_max: 1_000,
            history_cache_bytes: 64 << 20,
            search_bytes: 256 << 20,
            scan_max: 20_000,
            long_step: Options::LONG_STEP,
            bulk_places_min: Options::BULK_PLACES_MIN,
            reads_ahead: false,
        }
    }
}

const _: () = assert!(usize::BITS >= 64, "byte bounds are counted in 64 bits");
