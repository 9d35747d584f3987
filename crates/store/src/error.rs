//! Why a store refused or failed, and whether trying again can help.
//!
//! Sentences here are for operators and logs; what a client is told is decided at the edge.

use std::time::Duration;

/// Why a batch was not taken. Nothing of it was promised.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Every place in the queue is taken; the same batch can be sent again after the time given.
    #[error("the intake queue is full")]
    Full { retry_after: Duration },
    /// Something outside stands in the way for now, such as a full disk. The store goes on by itself once it is gone.
    #[error("the store takes no writes for now: {reason}")]
    Hindered { reason: String, retry_after: Duration },
    /// Something else is under way that has to end before just this can be taken; what it is.
    #[error("{what}")]
    Busy { what: String, retry_after: Duration },
    /// The store takes nothing more until it is restarted, because it can no longer promise what it says.
    #[error("the store takes no writes: {reason}")]
    Stopped { reason: String },
    /// The store is shutting down; another process will take over.
    #[error("the store is shutting down")]
    Closing,
}

impl AppendError {
    /// When the same batch may be sent again. Sending it again never doubles anything.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        match self {
            AppendError::Full { retry_after }
            | AppendError::Hindered { retry_after, .. }
            | AppendError::Busy { retry_after, .. } => *retry_after,
            AppendError::Stopped { .. } => Duration::from_secs(30),
            AppendError::Closing => Duration::from_secs(5),
        }
    }
}

/// Why something could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Stored bytes do not match their checksum or their format. What could not be read is never made up.
    #[error("stored data is damaged: {what}")]
    Damaged { what: String },
    /// The disk or the engine below failed.
    #[error("the store could not be read: {what}")]
    Failed { what: String },
    /// More work than one request may cause; the sentence says what to narrow.
    #[error("the read is too large: {what}")]
    TooLarge { what: String },
}

/// Why a workspace or key could not be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// The name breaks a rule; the sentence says which.
    #[error("{0}")]
    Invalid(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// It exists already.
    #[error("{0}")]
    Exists(String),
    /// Something else is under way that has to end first.
    #[error("{0}")]
    Busy(String),
    /// The engine below failed.
    #[error("the store could not be changed: {0}")]
    Failed(String),
}
