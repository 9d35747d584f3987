//! Whether writes are taken.
//!
//! Two kinds of no. A *hindrance* comes from outside and passes: the store looks again by itself and goes on. A *stop*
//! stays until the process is restarted: nothing is tried again on a guess. Each is logged once when it begins, and a
//! hindrance once when it is over.

use std::time::Duration;

use muster_store::{error::AppendError, status::Health};
use parking_lot::Mutex;
use tracing::{error, info};

/// How long a sender is told to wait while something stands in the way.
pub const HINDERED_RETRY: Duration = Duration::from_secs(10);

/// What can stand in the way of writes and pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hindrance {
    /// The disk has less free space than the settings ask for.
    Room,
    /// The journal refused a write, and took back what was written of it.
    Journal,
    /// Checkpoints fail, and memory holds as much as it may.
    Checkpoint,
    /// What is stored could not be read to tell new messages from repeated ones.
    Reading,
}

impl Hindrance {
    const ALL: [Hindrance; 4] = [Hindrance::Room, Hindrance::Journal, Hindrance::Checkpoint, Hindrance::Reading];
}

/// Why writes are refused, if they are.
#[derive(Debug, Default)]
pub struct HealthCell(Mutex<Reasons>);

#[derive(Debug, Default)]
struct Reasons {
    stopped: Option<String>,
    hindered: [Option<String>; Hindrance::ALL.len()],
    /// Why the checkpoint under way has failed so far.
    checkpoint: Option<String>,
}

impl HealthCell {
    /// Refuses writes from now on. The first reason stands, and is returned.
    pub fn stop(&self, reason: &str) -> String {
        self.0.lock().stopped.get_or_insert_with(|| reason.to_owned()).clone()
    }

    /// Why writes are refused until a restart, if they are.
    pub fn reason(&self) -> Option<String> {
        self.0.lock().stopped.clone()
    }

    /// Why what was taken could not be brought into its final place, if so.
    pub fn left_undone(&self) -> Option<String> {
        let reasons = self.0.lock();
        let hindered = |hindrance| reasons.hindered[hindrance as usize].clone();
        let stopped = reasons.stopped.clone();
        stopped.or_else(|| hindered(Hindrance::Journal)).or_else(|| hindered(Hindrance::Checkpoint))
    }

    /// Refuses writes until [`HealthCell::clear`].
    pub fn hinder(&self, hindrance: Hindrance, reason: &str) {
        let before = self.0.lock().hindered[hindrance as usize].replace(reason.to_owned());
        if before.is_none() {
            error!(reason, "the store takes no writes for now; it goes on by itself once the cause is gone");
        }
    }

    /// One thing does not stand in the way, or no longer does.
    pub fn clear(&self, hindrance: Hindrance) {
        let before = self.0.lock().hindered[hindrance as usize].take();
        if let Some(was) = before {
            info!(was, "what stood in the way of writes is gone");
        }
    }

    /// Whether one thing stands in the way.
    pub fn is_hindered_by(&self, hindrance: Hindrance) -> bool {
        self.0.lock().hindered[hindrance as usize].is_some()
    }

    /// Notes that the checkpoint under way failed, or with `None` that it is done.
    pub fn note_checkpoint(&self, fault: Option<String>) {
        self.0.lock().checkpoint = fault;
    }

    /// Why the checkpoint under way has failed so far. By itself that is no hindrance: the journal holds everything.
    pub fn checkpoint_fault(&self) -> Option<String> {
        self.0.lock().checkpoint.clone()
    }

    /// The refusal that an append gets now, if any.
    pub fn refusal(&self) -> Option<AppendError> {
        match self.health() {
            Health::Ready => None,
            Health::Hindered { reason } => Some(AppendError::Hindered { reason, retry_after: HINDERED_RETRY }),
            Health::Stopped { reason } => Some(AppendError::Stopped { reason }),
        }
    }

    /// The same, for those who ask.
    pub fn health(&self) -> Health {
        let reasons = self.0.lock();
        if let Some(reason) = &reasons.stopped {
            return Health::Stopped { reason: reason.clone() };
        }
        let hindered = reasons.hindered.iter().flatten().next();
        hindered.map_or(Health::Ready, |reason| Health::Hindered { reason: reason.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hindrance_passes_and_a_stop_does_not() {
        let health = HealthCell::default();
        assert_eq!((health.health(), health.refusal()), (Health::Ready, None));
        health.hinder(Hindrance::Journal, "full");
        health.hinder(Hindrance::Room, "low");
        assert_eq!(health.health(), Health::Hindered { reason: "low".to_owned() });
        health.clear(Hindrance::Room);
        assert!(matches!(health.refusal(), Some(AppendError::Hindered { reason, .. }) if reason == "full"));
        assert_eq!(health.stop("broken"), "broken");
        assert_eq!(health.stop("again"), "broken");
        health.clear(Hindrance::Journal);
        assert_eq!(health.health(), Health::Stopped { reason: "broken".to_owned() });
    }
}
