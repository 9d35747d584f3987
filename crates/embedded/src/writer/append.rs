//! Making a group durable, and finding what it will change meanwhile.

use muster_store::{batch::Batch, error::ReadError};

use super::apply::{self, Prepared};
use crate::{
    counters::Counters,
    journal::log::{Log, LogError},
    views::Views,
};

/// Messages from which on a group is prepared while it is synced. For fewer, waking another thread would take longer than
/// what there is to do.
const MESSAGES_MIN: usize = 64;

/// Appends what is to be kept, syncs once, and prepares it for being applied. A group of which nothing is new needs no
/// sync: what made it known is durable already.
pub fn append<'a>(
    kept: &'a [Batch],
    log: &mut Log,
    views: &Views,
    counters: &Counters,
) -> Result<Result<Prepared<'a>, ReadError>, LogError> {
    let prepare = || apply::prepare(kept, views);
    if kept.is_empty() {
        return Ok(prepare());
    }
    let (took, prepared) = if kept.iter().map(Batch::messages).sum::<usize>() < MESSAGES_MIN {
        (log.append(kept.iter())?, prepare())
    } else {
        log.append_beside(kept.iter(), prepare)?
    };
    counters.synced(took);
    counters.journal_grew(kept.iter().map(|batch| batch.bytes().len()).sum());
    Ok(prepared)
}
