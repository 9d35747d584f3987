//! When each key was last used, since the process started.
//!
//! Kept in memory: writing it down would cost a sync a request, and what it is for is to find keys that nobody uses.

use std::{
    collections::HashMap,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
};

use muster_model::time::Micros;

/// The latest use of each key.
#[derive(Debug, Default)]
pub(crate) struct LastUsed(RwLock<HashMap<u64, AtomicI64>>);

impl LastUsed {
    /// Notes a use. Only keys that exist come here, so there are as many entries as keys.
    pub(crate) fn note(&self, key_id: u64, at: Micros) {
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key_id) {
            known.fetch_max(at.0, Ordering::Relaxed);
            return;
        }
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key_id)
            .or_default()
            .fetch_max(at.0, Ordering::Relaxed);
    }

    /// When a key was last used.
    pub(crate) fn of(&self, key_id: u64) -> Option<Micros> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&key_id).map(|at| Micros(at.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_use_counts() {
        let used = LastUsed::default();
        assert_eq!(used.of(1), None);
        for at in [5, 9, 7] {
            used.note(1, Micros(at));
        }
        assert_eq!((used.of(1), used.of(2)), (Some(Micros(9)), None));
    }
}
