//! What the engine counts about itself.
//!
//! Plain atomics, written by the threads that do the work and read by whoever asks; no count decides anything.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use muster_store::{
    receipt::{Outcome, Receipt},
    status::Figures,
};

/// Counters and gauges.
#[derive(Debug, Default)]
pub struct Counters {
    stored: AtomicU64,
    duplicates: AtomicU64,
    conflicts: AtomicU64,
    deleted: AtomicU64,
    refused: AtomicU64,
    groups: AtomicU64,
    sync_micros: AtomicU64,
    checkpoints: AtomicU64,
    checkpoint_micros: AtomicU64,
    compactions: AtomicU64,
    compaction_micros: AtomicU64,
    journal_bytes: AtomicU64,
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Counters {
    pub fn acknowledged(&self, receipt: &Receipt) {
        let mut counts = [0u64; 4];
        for outcome in &receipt.outcomes {
            counts[match outcome {
                Outcome::Stored => 0,
                Outcome::Duplicate => 1,
                Outcome::Conflict => 2,
                Outcome::Deleted => 3,
            }] += 1;
        }
        self.stored.fetch_add(counts[0], Relaxed);
        self.duplicates.fetch_add(counts[1], Relaxed);
        self.conflicts.fetch_add(counts[2], Relaxed);
        self.deleted.fetch_add(counts[3], Relaxed);
    }

    pub fn set_aside(&self, count: u64) {
        self.refused.fetch_add(count, Relaxed);
    }

    pub fn synced(&self, took: Duration) {
        self.groups.fetch_add(1, Relaxed);
        self.sync_micros.fetch_add(micros(took), Relaxed);
    }

    pub fn checkpointed(&self, took: Duration) -> u64 {
        self.checkpoints.fetch_add(1, Relaxed);
        self.checkpoint_micros.fetch_add(micros(took), Relaxed);
        micros(took)
    }

    pub fn compacted(&self, took: Duration) {
        self.compactions.fetch_add(1, Relaxed);
        self.compaction_micros.fetch_add(micros(took), Relaxed);
    }

    pub fn journal_bytes(&self, bytes: u64) {
        self.journal_bytes.store(bytes, Relaxed);
    }

    pub fn journal_grew(&self, bytes: usize) {
        self.journal_bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// What is counted here; the rest of the figures is the caller's to fill in.
    pub fn figures(&self) -> Figures {
        Figures {
            stored: self.stored.load(Relaxed),
            duplicates: self.duplicates.load(Relaxed),
            conflicts: self.conflicts.load(Relaxed),
            deleted: self.deleted.load(Relaxed),
            refused: self.refused.load(Relaxed),
            groups: self.groups.load(Relaxed),
            sync_micros: self.sync_micros.load(Relaxed),
            checkpoints: self.checkpoints.load(Relaxed),
            checkpoint_micros: self.checkpoint_micros.load(Relaxed),
            compactions: self.compactions.load(Relaxed),
            compaction_micros: self.compaction_micros.load(Relaxed),
            journal_bytes: self.journal_bytes.load(Relaxed),
            ..Figures::default()
        }
    }
}
