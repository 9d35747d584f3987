//! What was deleted of each workspace, and when: what the writer and readers ask.
//!
//! Kept whole in memory, some forty bytes for each record that was ever deleted. The durable form is the deletions
//! themselves.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use muster_model::id::WorkspaceId;
use muster_store::deletion::{Deletion, Erasure, Instants, Stage, Veil};
use parking_lot::RwLock;
use rustc_hash::FxHashMap;

/// Every record that was ever deleted.
#[derive(Debug, Default)]
pub struct Tombstones {
    /// Whether there is any; most installations never delete and pay for one load.
    any: AtomicBool,
    kept: RwLock<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    all: FxHashMap<WorkspaceId, Arc<Instants>>,
    /// Those of which bytes may still lie in history files.
    erasing: FxHashMap<WorkspaceId, Arc<Instants>>,
}

impl Kept {
    fn note(&mut self, workspace: WorkspaceId, erasure: &Erasure) {
        let all = Arc::make_mut(self.all.entry(workspace).or_default());
        all.note(&erasure.subjects, &erasure.parts, erasure.at);
    }
}

impl Tombstones {
    /// Takes in a deletion, as it is read at a start.
    pub fn load(&self, workspace: WorkspaceId, deletion: &Deletion) {
        match &deletion.stage {
            Stage::Scheduled | Stage::Cancelled { .. } => {}
            Stage::Erasing(erasure) => self.add(workspace, erasure),
            Stage::Finished(erasure, _) => {
                self.kept.write().note(workspace, erasure);
                self.any.store(true, Ordering::Release);
            }
        }
    }

    /// Takes in a deletion whose bytes are still to be removed.
    pub fn add(&self, workspace: WorkspaceId, erasure: &Erasure) {
        let mut kept = self.kept.write();
        kept.note(workspace, erasure);
        let erasing = Arc::make_mut(kept.erasing.entry(workspace).or_default());
        erasing.note(&erasure.subjects, &erasure.parts, erasure.at);
        self.any.store(true, Ordering::Release);
    }

    /// Nothing of these deletions is left in history files.
    pub fn erased(&self, workspace: WorkspaceId, erasures: &[&Erasure]) {
        let mut kept = self.kept.write();
        let Some(instants) = kept.erasing.get_mut(&workspace) else { return };
        let instants = Arc::make_mut(instants);
        erasures.iter().for_each(|erasure| instants.lift(erasure));
        if instants.is_empty() {
            kept.erasing.remove(&workspace);
        }
    }

    /// Whether bytes of anything are still to be removed.
    pub fn is_erasing(&self) -> bool {
        self.any.load(Ordering::Acquire) && !self.kept.read().erasing.is_empty()
    }

    /// A workspace's records that were ever deleted; `None` when there is none.
    pub fn of(&self, workspace: WorkspaceId) -> Option<Arc<Instants>> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        self.kept.read().all.get(&workspace).cloned()
    }

    /// What readers of history files and of messages set aside must leave out.
    pub fn veil(&self, workspace: WorkspaceId) -> Veil {
        if !self.any.load(Ordering::Acquire) {
            return Veil::default();
        }
        Veil::of(self.kept.read().erasing.get(&workspace).cloned())
    }
}
