//! Making what was checked durable.
//!
//! One append for one request. Its answer says what became of each message; until it comes, nothing was promised.

use std::time::Instant;

use muster_store::{
    batch::{Batch, BatchBuilder},
    receipt::Receipt,
};
use tokio::time::timeout;

use super::check::Checked;
use crate::{error::ApiError, state::AppState};

/// A request whose messages are stored or set aside.
pub(crate) struct Journaled {
    pub checked: Checked,
    pub receipt: Receipt,
}

/// Appends what was checked; a request with nothing to append is done already.
pub(crate) async fn append(state: &AppState, mut checked: Checked) -> Result<Journaled, ApiError> {
    let taken = BatchBuilder::new(checked.order.workspace, 0).build();
    let batch = std::mem::replace(&mut checked.batch, taken);
    let receipt = if batch.is_empty() { Receipt::default() } else { append_batch(state, batch).await? };
    Ok(Journaled { checked, receipt })
}

/// Appends a batch.
pub(crate) async fn append_batch(state: &AppState, batch: Batch) -> Result<Receipt, ApiError> {
    let messages = batch.messages();
    let watched = state.feed.look(&batch, state.clock.now()).map(|looked| (looked, Instant::now()));
    let appended = timeout(state.settings.store_timeout, state.store.append(batch)).await;
    let receipt = appended.map_err(|_| ApiError::StoreTimeout)?.map_err(ApiError::Append)?;
    debug_assert_eq!(receipt.outcomes.len(), messages, "an outcome for each message");
    if let Some((looked, began)) = watched {
        looked.tell(&receipt, began.elapsed());
    }
    Ok(receipt)
}
