//! What was deleted, and when: what the writer and readers ask.
//!
//! Kept whole in memory, some forty bytes for each record that was ever deleted. The durable form is the deletions
//! themselves.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use muster_model::{
    deletion::{Fate, Subject},
    id::{RecordId, WorkspaceId},
    kind::Kind,
    message::Message,
    time::Micros,
};
use muster_store::{
    deletion::{Deletion, Erasure, Stage},
    record,
};
use parking_lot::RwLock;
use rustc_hash::FxHashMap;

/// The latest instant at which each record of a workspace was deleted.
pub type Instants = FxHashMap<RecordId, Micros>;

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
        note(Arc::make_mut(self.all.entry(workspace).or_default()), &erasure.subjects, erasure.at);
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
        note(Arc::make_mut(kept.erasing.entry(workspace).or_default()), &erasure.subjects, erasure.at);
        self.any.store(true, Ordering::Release);
    }

    /// Nothing of these deletions is left in history files.
    pub fn erased(&self, workspace: WorkspaceId, erasures: &[&Erasure]) {
        let mut kept = self.kept.write();
        let Some(instants) = kept.erasing.get_mut(&workspace) else { return };
        let instants = Arc::make_mut(instants);
        for erasure in erasures {
            for (_, id) in &erasure.subjects {
                if instants.get(id).is_some_and(|at| *at <= erasure.at) {
                    instants.remove(id);
                }
            }
        }
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
            return Veil(None);
        }
        Veil(self.kept.read().erasing.get(&workspace).cloned())
    }
}

/// Adds records that were deleted at an instant; of several the latest counts.
pub fn note(instants: &mut Instants, subjects: &[Subject], at: Micros) {
    for (_, id) in subjects {
        let latest = instants.entry(*id).or_insert(at);
        *latest = at.max(*latest);
    }
}

/// Hides what was deleted and still lies in history files, or among messages set aside.
#[derive(Clone, Debug, Default)]
pub struct Veil(Option<Arc<Instants>>);

impl Veil {
    /// Whether there is nothing to hide, as nearly always.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The latest instant at which a record was deleted, while bytes of it may be left.
    #[must_use]
    pub fn deleted_at(&self, id: RecordId) -> Option<Micros> {
        self.0.as_ref()?.get(&id).copied()
    }

    /// What is left of a message.
    #[must_use]
    pub fn fate(&self, message: &Message<'_>) -> Fate {
        if self.is_empty() { Fate::Keep } else { message.fate(|id| self.deleted_at(id)) }
    }

    /// Whether a message that describes this record and reaches back to an instant is hidden.
    #[must_use]
    pub fn hides(&self, id: RecordId, reach: Micros) -> bool {
        self.deleted_at(id).is_some_and(|at| reach <= at)
    }

    /// Whether a message, in its byte form, is hidden whole.
    #[must_use]
    pub fn hides_record(&self, bytes: &[u8]) -> bool {
        let names = record::names(bytes);
        names.is_ok_and(|names| names.fate(names.reach(), |id| self.deleted_at(id)) == Fate::Drop)
    }

    /// What is left of a message; `None` when it is hidden whole.
    #[must_use]
    pub fn left<'m>(&self, message: Message<'m>) -> Option<Message<'m>> {
        if self.is_empty() { Some(message) } else { message.left(|id| self.deleted_at(id)) }
    }

    /// Records of which something may be hidden.
    pub fn records(&self) -> impl Iterator<Item = RecordId> {
        self.0.iter().flat_map(|instants| instants.keys().copied())
    }

    /// Whether a track that names these records is hidden.
    #[must_use]
    pub fn hides_track(&self, names: impl IntoIterator<Item = Subject>, reach: Micros) -> bool {
        !self.is_empty()
            && muster_model::deletion::fate(Kind::Track, names, reach, |id| self.deleted_at(id)) == Fate::Drop
    }

    /// Whether bytes set aside at an instant name what was deleted then or later.
    #[must_use]
    pub fn hides_refused(&self, body: &[u8], received_at: Micros, ids: muster_model::id::IdSpace) -> bool {
        let deleted = |id| self.deleted_at(id).is_some_and(|at| received_at <= at);
        !self.is_empty() && muster_store::deletion::mentions(body, ids, deleted)
    }
}
