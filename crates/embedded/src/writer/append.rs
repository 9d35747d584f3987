//! Making a group durable.

use std::time::Instant;

use muster_store::{batch::Batch, receipt::Receipt};

use super::{collect::Reply, dedupe::Sifted};
use crate::{
    counters::Counters,
    journal::log::{Log, LogError},
};

/// A group that survives anything.
pub struct Durable {
    pub kept: Vec<Batch>,
    pub replies: Vec<(Reply, Receipt)>,
}

/// Appends what is to be kept and syncs once. A group of which nothing is new needs no sync: what made it known is
/// durable already.
pub fn append(sifted: Sifted, log: &mut Log, counters: &Counters) -> Result<Durable, (Sifted, LogError)> {
    if !sifted.kept.is_empty() {
        let started = Instant::now();
        if let Err(fault) = log.append(sifted.kept.iter()) {
            return Err((sifted, fault));
        }
        counters.synced(started.elapsed());
        counters.journal_grew(sifted.kept.iter().map(|batch| batch.bytes().len()).sum());
    }
    Ok(Durable { kept: sifted.kept, replies: sifted.replies })
}
