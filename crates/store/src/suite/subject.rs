//! A store under test: how it is opened, settled and ended.

use std::{future::Future, sync::Arc};

use crate::{Store, memory::MemoryStore};

/// One place where a store can live. Every test makes its own subject, so the first [`Subject::open`] is of an empty
/// store; later ones are of the same data.
pub trait Subject {
    /// The store.
    type Store: Store;

    /// Of the cases in which every batch is followed by a pause of some kind, one in so many is gone through. More than one where
    /// opening the store takes long.
    const PAUSED_CASES: usize = 1;

    /// Opens the store. Only one is open at a time.
    fn open(&self) -> impl Future<Output = Self::Store>;

    /// Opens the store with the smallest bounds on what may wait or be held that still take a batch of ten messages.
    fn open_cramped(&self) -> impl Future<Output = Self::Store>;

    /// Brings everything accepted so far into its final place, where there is a way from one place to another.
    fn settle(&self, store: &Self::Store) -> impl Future<Output = ()>;

    /// Ends a store without closing it, as a crash of the process would. A store that cannot outlive its process is
    /// closed instead.
    fn abandon(&self, store: Self::Store) -> impl Future<Output = ()>;
}

/// What happens after each batch of a case. The answers must not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Nothing.
    Straight,
    /// The store settles.
    Settling,
    /// The store is closed and opened again.
    Reopening,
    /// The store is abandoned and opened again.
    Recovering,
    /// Something else each time: nothing, settle, settle, nothing, reopen, recover, and so on.
    Mixed,
}

/// The in-memory twin as a subject.
#[derive(Debug, Default)]
pub struct Twin(Arc<MemoryStore>);

impl Twin {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Twin::default()
    }
}

impl Subject for Twin {
    type Store = MemoryStore;

    async fn open(&self) -> MemoryStore {
        self.0.reopened()
    }

    async fn open_cramped(&self) -> MemoryStore {
        MemoryStore::with_room(20)
    }

    async fn settle(&self, _store: &MemoryStore) {}

    async fn abandon(&self, store: MemoryStore) {
        drop(store);
    }
}
