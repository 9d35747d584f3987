//! The store: its queue, checkpoints, compaction, memory and retention.
//!
//! These are the settings of a store in general; which store reads them is decided in [`crate::assemble`].

use std::{ops::RangeInclusive, time::Duration};

use super::{memory, origin::SettingsError, values::Values};

const BYTES_MAX: u64 = 1 << 40;
/// Files of the state store that are kept open where handles are plenty.
pub const STATE_FILES_MAX: usize = 900;

/// Bounds and rhythms of the store.
#[derive(Clone, Debug)]
pub struct Engine {
    pub free_bytes_min: u64,
    pub queue_batches_max: usize,
    pub queue_bytes_max: usize,
    pub group_messages_max: usize,
    pub group_bytes_max: usize,
    pub checkpoint_rows_max: usize,
    pub checkpoint_bytes_max: usize,
    pub checkpoint_interval: Duration,
    pub compaction_files_min: usize,
    pub compaction_files_max: usize,
    pub compaction_file_bytes_max: u64,
    pub state_cache_bytes: u64,
    /// No setting: what a server's file handles allow.
    pub state_files_max: usize,
    /// For ever when `None`.
    pub identity_retention: Option<Duration>,
    pub identity_filter_bytes: usize,
    pub refused_max: usize,
    pub refused_retention: Duration,
    pub scan_max: usize,
    pub forward_bytes_max: u64,
    pub letters_max: usize,
    pub letters_retention: Duration,
    pub event_names_max: usize,
    pub history_cache_bytes: u64,
    pub search_bytes: usize,
}

impl Engine {
    pub fn read(values: &Values) -> Result<Engine, SettingsError> {
        let identity_retention = values.days("identity.retention_days", 0..=36_500)?;
        Ok(Engine {
            free_bytes_min: values.number("disk.free_bytes_min", 0..=BYTES_MAX)?,
            queue_batches_max: values.size("intake.queue_batches_max", 1..=1_000_000)?,
            queue_bytes_max: values.size("intake.queue_bytes_max", 1 << 20..=BYTES_MAX)?,
            group_messages_max: values.size("intake.group_messages_max", 100..=10_000_000)?,
            group_bytes_max: values.size("intake.group_bytes_max", 65_536..=1 << 30)?,
            checkpoint_rows_max: values.size("checkpoint.rows_max", 1..=100_000_000)?,
            checkpoint_bytes_max: checkpoint_bytes_max(values)?,
            checkpoint_interval: values.seconds("checkpoint.interval_seconds", 1..=86_400)?,
            compaction_files_min: values.size("compaction.files_min", 2..=10_000)?,
            compaction_files_max: values.size("compaction.files_max", 2..=10_000)?,
            compaction_file_bytes_max: values.number("compaction.file_bytes_max", 1 << 20..=BYTES_MAX)?,
            state_cache_bytes: values.number("state.cache_bytes", 1 << 20..=BYTES_MAX)?,
            state_files_max: STATE_FILES_MAX,
            identity_retention: Some(identity_retention).filter(|retention| !retention.is_zero()),
            identity_filter_bytes: values.size("identity.filter_bytes", 0..=BYTES_MAX)?,
            refused_max: values.size("refused.messages_max", 1..=100_000_000)?,
            refused_retention: values.days("refused.retention_days", 1..=36_500)?,
            scan_max: values.size("reading.scan_max", 1_000..=10_000_000)?,
            forward_bytes_max: values.number("forward.kept_bytes_max", 0..=BYTES_MAX)?,
            letters_max: values.size("forward.letters_max", 1..=1_000_000)?,
            letters_retention: values.days("forward.letters_retention_days", 1..=36_500)?,
            event_names_max: values.size("reading.event_names_max", 1..=1_000_000)?,
            history_cache_bytes: values.number("reading.history_cache_bytes", 1 << 20..=BYTES_MAX)?,
            search_bytes: values.size("reading.search_bytes", 0..=1 << 32)?,
        })
    }
}

/// The larger it is, the more often several messages about one record meet in memory and the less there is to merge; the smaller,
/// the less a start has to read again after a kill.
const CHECKPOINT_SUITS: RangeInclusive<u64> = 64 << 20..=512 << 20;
/// Checkpoints take three times as much in all, so that this leaves most of a small machine to everything else.
const CHECKPOINT_SHARE: u64 = 32;

fn checkpoint_bytes_max(values: &Values) -> Result<usize, SettingsError> {
    const NAME: &str = "checkpoint.bytes_max";
    match values.size(NAME, 0..=BYTES_MAX)? {
        0 => Ok(what_suits(memory::bytes())),
        1..4_096 => Err(values.refuse(NAME, "must be 4096 or more, or 0 for what suits the machine's memory")),
        bytes => Ok(bytes),
    }
}

/// What suits a machine of which so much may be used, if that is known.
fn what_suits(memory_bytes: Option<u64>) -> usize {
    let (least, most) = CHECKPOINT_SUITS.into_inner();
    let share = memory_bytes.map_or(most / 2, |bytes| bytes / CHECKPOINT_SHARE);
    share.clamp(least, most) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_takes_a_share_of_the_memory_within_bounds() {
        let suits = |gib: u64| what_suits(Some(gib << 30)) >> 20;
        assert_eq!([1, 4, 8, 16, 256].map(suits), [64, 128, 256, 512, 512]);
        assert_eq!(what_suits(None) >> 20, 256);
    }
}
