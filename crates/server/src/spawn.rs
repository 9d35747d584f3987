//! Starting tasks so that a panic in one is noticed.
//!
//! A panic ends its task and no other; it is counted and logged here, because nobody waits for most tasks. Never
//! restarts anything.

use std::{future::Future, sync::Arc};

use crate::{error::ApiError, metrics::Metrics};

/// Starts a task. `name` says in the log what it was.
pub(crate) fn spawn(name: &'static str, metrics: &Arc<Metrics>, future: impl Future<Output = ()> + Send + 'static) {
    let witness = Witness { name, metrics: Arc::clone(metrics) };
    tokio::spawn(async move {
        let _witness = witness;
        future.await;
    });
}

/// Does what may take long on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    name: &'static str,
    metrics: &Metrics,
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(job).await.map_err(|_| {
        // What it panicked with may hold what was sent.
        tracing::error!(task = name, "a task panicked and was ended; this is a defect, please report it");
        metrics.panics.inc();
        ApiError::Internal
    })
}

struct Witness {
    name: &'static str,
    metrics: Arc<Metrics>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.metrics.panics.inc();
            tracing::error!(task = self.name, "a task panicked and was ended; this is a defect, please report it");
        }
    }
}
