//! When to stop.
//!
//! Asked between any two pieces of work, by SQLite and by the tables alike. Whoever asked for the query holds a
//! [`Stop`] too and can end it from any thread.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::error::QueryError;

/// A handle on a query that runs, or will.
#[derive(Clone, Debug)]
pub struct Stop {
    cancelled: Arc<AtomicBool>,
    until: Instant,
    time_max: Duration,
}

impl Stop {
    /// A query that starts now and may take so long.
    #[must_use]
    pub fn after(time_max: Duration) -> Stop {
        Stop { cancelled: Arc::default(), until: Instant::now() + time_max, time_max }
    }

    /// Ends the query at the next opportunity.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Why to stop, if there is a reason.
    #[must_use]
    pub fn reason(&self) -> Option<QueryError> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Some(QueryError::Cancelled);
        }
        (Instant::now() >= self.until).then_some(QueryError::TooSlow { seconds: self.time_max.as_secs() })
    }

    /// An error when there is a reason to stop.
    pub fn check(&self) -> Result<(), QueryError> {
        self.reason().map_or(Ok(()), Err)
    }
}
