//! Answering everyone who waits, exactly once.
//!
//! Someone who has stopped waiting is no fault: what was promised to nobody is kept all the same.

use muster_store::{error::AppendError, receipt::Receipt};

use super::collect::{Group, Reply};
use crate::counters::Counters;

/// Tells everyone what became of their messages.
pub fn acknowledge(replies: Vec<(Reply, Receipt)>, counters: &Counters) {
    for (reply, receipt) in replies {
        counters.acknowledged(&receipt);
        let _ = reply.send(Ok(receipt));
    }
}

/// Tells everyone in a group that nothing of theirs was taken.
pub fn refuse(group: Group, error: &AppendError) {
    for pending in group.pending {
        let _ = pending.reply.send(Err(error.clone()));
    }
}

/// The same, after the duplicate check.
pub fn refuse_replies(replies: Vec<(Reply, Receipt)>, error: &AppendError) {
    for (reply, _) in replies {
        let _ = reply.send(Err(error.clone()));
    }
}
