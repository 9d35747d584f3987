//! Messages of a benchmark as the batches that senders make of them. Never measures by itself.

use muster_model::{
    draft::Draft,
    id::{IdSpace, WorkspaceId},
    kinds::{Context, check_typed},
    limits::MessageLimits,
    time::Micros,
};
use muster_store::batch::{Batch, BatchBuilder};

use crate::messages;

const BATCH: usize = 100;

/// So many messages from a number on, about so many users.
pub fn batches(workspace: WorkspaceId, from: usize, count: usize, users: usize) -> Vec<Batch> {
    let context = Context {
        ids: IdSpace::new("default"),
        received_at: Micros(messages::START + from as i64 * 10),
        limits: MessageLimits::default(),
    };
    let mut batches = Vec::with_capacity(count / BATCH);
    for first in (from..from + count).step_by(BATCH) {
        let mut builder = BatchBuilder::new(workspace, BATCH * 400);
        for number in first..(first + BATCH).min(from + count) {
            let text = messages::message(number, users);
            let draft = Draft::from_text(&text, context.limits.message_depth_max);
            builder.message(&check_typed(&draft, &context).expect("a valid message"));
        }
        batches.push(builder.build());
    }
    batches
}
