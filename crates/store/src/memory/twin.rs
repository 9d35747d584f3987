//! The store: taking batches, closing.
//!
//! A batch is planned first and carried out after, so that one that does not fit leaves no trace. One lock guards
//! everything and is never held across a wait.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use muster_model::{id::WorkspaceId, kind::RecordKind};
use parking_lot::{Condvar, Mutex};

use super::{accepted::Accepted, credentials::Registry, fold::Folded, follow::Follows};
use crate::{
    Answer,
    batch::Batch,
    error::{AppendError, ReadError},
    journal::Journal,
    receipt::{Outcome, Receipt},
    status::{Figures, Health, Records, Size, Status},
};

/// Messages and messages set aside that a store of [`MemoryStore::new`] holds.
const MESSAGES_MAX: usize = 100_000;
/// How long a sender is told to wait when the store is full.
const FULL_RETRY: Duration = Duration::from_secs(1);

/// A store in memory. Clones of the handle do not exist; [`MemoryStore::reopened`] makes a new one over the same data.
#[derive(Debug)]
pub struct MemoryStore {
    pub(super) held: Arc<Mutex<Held>>,
    /// Told when messages were accepted, and when a follower is woken.
    pub(super) grown: Arc<Condvar>,
    messages_max: usize,
    closing: AtomicBool,
}

/// What survives closing.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub registry: Registry,
    pub follows: Follows,
    pub workspaces: HashMap<WorkspaceId, Accepted>,
    figures: Figures,
    stopped: Option<String>,
}

impl MemoryStore {
    /// An empty store with room for a hundred thousand messages.
    #[must_use]
    pub fn new() -> Self {
        MemoryStore::with_room(MESSAGES_MAX)
    }

    /// An empty store that answers [`AppendError::Full`] rather than hold more than so many messages and messages set
    /// aside.
    #[must_use]
    pub fn with_room(messages_max: usize) -> Self {
        MemoryStore { held: Arc::default(), grown: Arc::default(), messages_max, closing: AtomicBool::new(false) }
    }

    /// The same data, open, as after a restart: counters at zero, and no longer stopped.
    #[must_use]
    pub fn reopened(&self) -> Self {
        let mut held = self.held.lock();
        held.figures = Figures::default();
        held.stopped = None;
        let (held, grown) = (Arc::clone(&self.held), Arc::clone(&self.grown));
        MemoryStore { held, grown, messages_max: self.messages_max, closing: AtomicBool::new(false) }
    }

    /// Takes no writes from now on, as a store does that can no longer keep its promises; reads go on.
    pub fn stop(&self, reason: &str) {
        self.held.lock().stopped.get_or_insert_with(|| reason.to_owned());
    }

    fn take(&self, batch: &Batch) -> Result<Receipt, AppendError> {
        let mut held = self.held.lock();
        if self.closing.load(Ordering::Acquire) {
            return Err(AppendError::Closing);
        }
        if let Some(reason) = held.stopped.clone() {
            return Err(AppendError::Stopped { reason });
        }
        let kept: usize = held.workspaces.values().map(Accepted::kept).sum();
        let ids = held.registry.ids(batch.workspace());
        let planned = held.workspaces.entry(batch.workspace()).or_default().plan(batch, ids);
        let plan = match planned {
            Ok(plan) => plan,
            Err(fault) => {
                // Whoever builds batches broke the format; what else it wrote cannot be trusted either.
                let reason = held.stopped.insert(format!("a batch holds bytes that are {fault}")).clone();
                return Err(AppendError::Stopped { reason });
            }
        };
        if kept + plan.adds() > self.messages_max {
            return Err(AppendError::Full { retry_after: FULL_RETRY });
        }
        held.count(&plan.receipt, plan.refused(), batch);
        let receipt = plan.receipt.clone();
        held.workspaces.entry(batch.workspace()).or_default().carry_out(plan, ids);
        self.grown.notify_all();
        Ok(receipt)
    }

    /// What is true of a workspace now; nothing if it was never given anything.
    pub(super) fn folded(&self, workspace: WorkspaceId) -> Arc<Folded> {
        self.accepted(workspace, Accepted::folded).unwrap_or_default()
    }

    /// Every workspace that was ever given anything.
    pub(super) fn workspaces_given(&self) -> Vec<WorkspaceId> {
        self.held.lock().workspaces.keys().copied().collect()
    }

    /// Looks at what a workspace was given, if anything.
    pub(super) fn accepted<T>(&self, workspace: WorkspaceId, look: impl FnOnce(&mut Accepted) -> T) -> Option<T> {
        self.held.lock().workspaces.get_mut(&workspace).map(look)
    }

    /// Looks at workspaces and keys, or changes them.
    pub(super) fn registry<T>(&self, act: impl FnOnce(&mut Registry) -> T) -> T {
        act(&mut self.held.lock().registry)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        MemoryStore::new()
    }
}

impl Held {
    fn count(&mut self, receipt: &Receipt, refused: usize, batch: &Batch) {
        let figures = &mut self.figures;
        figures.stored += receipt.count(Outcome::Stored) as u64;
        figures.duplicates += receipt.count(Outcome::Duplicate) as u64;
        figures.conflicts += receipt.count(Outcome::Conflict) as u64;
        figures.refused += refused as u64;
        figures.deleted += receipt.count(Outcome::Deleted) as u64;
        figures.groups += 1;
        figures.overlay_messages += receipt.count(Outcome::Stored) as u64;
        figures.overlay_bytes += batch.bytes().len() as u64;
    }
}

impl Journal for MemoryStore {
    fn append(&self, batch: Batch) -> Answer<'_, Receipt, AppendError> {
        Box::pin(async move { self.take(&batch) })
    }
}

impl Status for MemoryStore {
    fn health(&self) -> Health {
        let stopped = self.held.lock().stopped.clone();
        stopped.map_or(Health::Ready, |reason| Health::Stopped { reason })
    }

    fn figures(&self) -> Figures {
        self.held.lock().figures
    }

    fn sizes(&self) -> Vec<(WorkspaceId, Size)> {
        let size = |accepted: &Accepted| Size { messages: accepted.records().len() as u64, history_bytes: 0 };
        self.held.lock().workspaces.iter().map(|(id, accepted)| (*id, size(accepted))).collect()
    }

    fn records(&self, workspace: WorkspaceId) -> Option<Records> {
        let folded = self.folded(workspace);
        let of = |wanted| folded.profiles.keys().filter(|(kind, _)| *kind == wanted).count() as u64;
        let [organizations, accounts, users] =
            [RecordKind::Organization, RecordKind::Account, RecordKind::User].map(of);
        Some(Records { organizations, accounts, users })
    }

    fn close(&self) -> Answer<'_, (), ReadError> {
        self.closing.store(true, Ordering::Release);
        Box::pin(async { Ok(()) })
    }
}
