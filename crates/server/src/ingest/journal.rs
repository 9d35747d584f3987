//! Making what was checked durable.
//!
//! One append for one request. Its answer says what became of each message; until it comes, nothing was promised.

use std::time::Instant;

use muster_store::{
    batch::{Batch, BatchBuilder},
    error::AppendError,
    receipt::Receipt,
};
use tokio::time::timeout;

use super::check::Checked;
use crate::{error::ApiError, state::AppState};

/// A request whose messages are stored or set aside.
pub(crate) struct Journaled {
    pub checked: Checked,
    pub receipt: Receipt,
    /// Messages that are durable, and of which it is not known yet what became of them.
    pub accepted: usize,
}

/// Appends what was checked; a request with nothing to append is done already.
pub(crate) async fn append(state: &AppState, mut checked: Checked) -> Result<Journaled, ApiError> {
    let taken = BatchBuilder::new(checked.order.workspace, 0).build();
    let batch = std::mem::replace(&mut checked.batch, taken);
    if let Some(withheld) = checked.withheld.take() {
        state.feed.tell_withheld(&withheld, state.clock.now());
    }
    let mut accepted = 0;
    let receipt = match &checked.order.told {
        _ if batch.is_empty() => Receipt::default(),
        None if checked.needs_no_receipt() => {
            let messages = batch.messages();
            let receipt = accept(state, batch).await?;
            accepted = if receipt.is_none() { messages } else { 0 };
            receipt.unwrap_or_default()
        }
        None => append_batch(state, batch).await?,
        Some(told) => {
            let turn = told.turn(state, checked.order.workspace).await?;
            append_by(state, batch, |batch| async move { turn.append(state, batch).await }).await?
        }
    };
    Ok(Journaled { checked, receipt, accepted })
}

/// Has a batch made durable; what became of it only if that is known by then, or somebody watches.
async fn accept(state: &AppState, batch: Batch) -> Result<Option<Receipt>, ApiError> {
    if state.feed.is_watched(batch.workspace()) {
        return append_batch(state, batch).await.map(Some);
    }
    let accepted = timeout(state.settings.store_timeout, state.store.accept(batch)).await;
    accepted.map_err(|_| ApiError::StoreTimeout)?.map_err(ApiError::Append)
}

/// Appends a batch.
pub(crate) async fn append_batch(state: &AppState, batch: Batch) -> Result<Receipt, ApiError> {
    append_by(state, batch, |batch| state.store.append(batch)).await
}

async fn append_by<F>(state: &AppState, batch: Batch, append: impl FnOnce(Batch) -> F) -> Result<Receipt, ApiError>
where
    F: Future<Output = Result<Receipt, AppendError>>,
{
    let messages = batch.messages();
    let watched = state.feed.look(&batch, state.clock.now()).map(|looked| (looked, Instant::now()));
    let appended = timeout(state.settings.store_timeout, append(batch)).await;
    let receipt = appended.map_err(|_| ApiError::StoreTimeout)?.map_err(ApiError::Append)?;
    debug_assert_eq!(receipt.outcomes.len(), messages, "an outcome for each message");
    if let Some((looked, began)) = watched {
        looked.tell(&receipt, began.elapsed());
    }
    Ok(receipt)
}
