//! Parts of an import that are on their way together reach the journal in their order.
//!
//! Whoever imports sends several requests at once; they are read and checked side by side. What was received first has to
//! be stored first, so each part is offered to the journal only once the one before it was. Offered, not acknowledged: one
//! sync then covers several. A part whose predecessor does not come is sent away and comes again.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use muster_model::id::{ImportId, WorkspaceId};
use muster_store::{batch::Batch, error::AppendError, import::Import, receipt::Receipt};
use tokio::{sync::watch, time::timeout};

use crate::{error::ApiError, state::AppState};

/// How long a part waits for the one before it.
const WAIT: Duration = Duration::from_secs(10);
/// When a part that waited in vain is to come again.
const RETRY: Duration = Duration::from_secs(1);
/// Imports whose turn is remembered; what is forgotten follows from the import itself.
const IMPORTS_MAX: usize = 64;

/// Up to where the parts of an import were offered.
type Offered = watch::Sender<u64>;

/// Whose turn it is, import by import.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<(WorkspaceId, ImportId), Arc<Offered>>>);

impl Turns {
    /// Waits until everything before a part was offered.
    pub(crate) async fn wait(
        &self,
        workspace: WorkspaceId,
        known: &Import,
        from: u64,
    ) -> Result<Arc<Offered>, ApiError> {
        let offered = self.of(workspace, known);
        let mut watching = offered.subscribe();
        let turn = timeout(WAIT, watching.wait_for(|offered| from <= *offered)).await;
        match turn {
            Ok(Ok(_)) => Ok(offered),
            Ok(Err(_)) | Err(_) => Err(ApiError::Append(AppendError::Full { retry_after: RETRY })),
        }
    }

    fn of(&self, workspace: WorkspaceId, known: &Import) -> Arc<Offered> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (workspace, known.id);
        if turns.len() >= IMPORTS_MAX && !turns.contains_key(&key) {
            turns.clear();
        }
        let offered = turns.entry(key).or_insert_with(|| Arc::new(watch::Sender::new(0)));
        offered.send_if_modified(|offered| raise(offered, known.done_until()));
        Arc::clone(offered)
    }
}

/// Appends a batch and tells, once the journal has it, that everything before a place was offered.
pub(crate) async fn append(state: &AppState, batch: Batch, offered: &Offered, to: u64) -> Result<Receipt, AppendError> {
    let mut appending = state.store.append(batch);
    let first = poll_fn(|context| Poll::Ready(appending.as_mut().poll(context))).await;
    if !matches!(first, Poll::Ready(Err(_))) {
        offered.send_if_modified(|known| raise(known, to));
    }
    match first {
        Poll::Ready(answer) => answer,
        Poll::Pending => appending.await,
    }
}

fn raise(offered: &mut u64, to: u64) -> bool {
    let more = to > *offered;
    *offered = to.max(*offered);
    more
}
