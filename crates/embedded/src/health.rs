//! Whether writes are taken.
//!
//! Once stopped, a store stays stopped until the process is restarted: nothing that failed is tried again on a guess.

use muster_store::status::Health;
use parking_lot::Mutex;

/// The reason for which writes are refused, if any.
#[derive(Debug, Default)]
pub struct HealthCell(Mutex<Option<String>>);

impl HealthCell {
    /// Refuses writes from now on. The first reason stands, and is returned.
    pub fn stop(&self, reason: &str) -> String {
        self.0.lock().get_or_insert_with(|| reason.to_owned()).clone()
    }

    /// Why writes are refused, if they are.
    pub fn reason(&self) -> Option<String> {
        self.0.lock().clone()
    }

    /// The same, for those who ask.
    pub fn health(&self) -> Health {
        self.reason().map_or(Health::Ready, |reason| Health::Stopped { reason })
    }
}
