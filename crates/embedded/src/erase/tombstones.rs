//! What was deleted, and when: what the writer and readers ask.
//!
//! Kept whole in memory, some forty bytes for each record that was ever deleted. The durable form is the deletions
//! themselves.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use muster_model::{
    deletion::{Fate, Part, Reach, Subject},
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

/// What was deleted of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instants {
    /// The latest instant at which each record was deleted.
    records: FxHashMap<RecordId, Micros>,
    /// Stretches of anonymous ids that were deleted, each with the instant of the deletion.
    parts: FxHashMap<RecordId, Vec<(Part, Micros)>>,
}

impl Instants {
    /// Adds what a deletion covers; of several of one record the latest counts.
    pub fn note(&mut self, subjects: &[Subject], parts: &[Part], at: Micros) {
        for (_, id) in subjects {
            let latest = self.records.entry(*id).or_insert(at);
            *latest = at.max(*latest);
        }
        for part in parts {
            self.parts.entry(part.anonymous).or_default().push((*part, at));
        }
    }

    /// Takes out what nothing is left of.
    fn lift(&mut self, erasure: &Erasure) {
        for (_, id) in &erasure.subjects {
            if self.records.get(id).is_some_and(|at| *at <= erasure.at) {
                self.records.remove(id);
            }
        }
        for part in &erasure.parts {
            if let Some(known) = self.parts.get_mut(&part.anonymous) {
                known.retain(|(of, at)| of != part || *at > erasure.at);
                if known.is_empty() {
                    self.parts.remove(&part.anonymous);
                }
            }
        }
    }

    /// Whether nothing was deleted.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.parts.is_empty()
    }

    /// The latest instant at which a record was deleted whole.
    pub fn deleted_at(&self, id: RecordId) -> Option<Micros> {
        self.records.get(&id).copied()
    }

    /// Whether a record was deleted, whole or in part.
    pub fn concerns(&self, id: RecordId) -> bool {
        self.records.contains_key(&id) || self.parts.contains_key(&id)
    }

    /// Whether a record is deleted as far as a message of such a reach is concerned.
    pub fn hides(&self, id: RecordId, reach: Reach) -> bool {
        let parts = || self.parts.get(&id).into_iter().flatten();
        self.deleted_at(id).is_some_and(|at| reach.back <= at) || parts().any(|(part, at)| part.hides(id, reach, *at))
    }

    /// Every record of which something was deleted.
    pub fn ids(&self) -> impl Iterator<Item = RecordId> {
        self.records.keys().chain(self.parts.keys()).copied()
    }
}

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
            return Veil(None);
        }
        Veil(self.kept.read().erasing.get(&workspace).cloned())
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
        self.0.as_ref()?.deleted_at(id)
    }

    /// What is left of a message.
    #[must_use]
    pub fn fate(&self, message: &Message<'_>) -> Fate {
        if self.is_empty() { Fate::Keep } else { message.fate(|id, reach| self.hides(id, reach)) }
    }

    /// Whether a record is hidden as far as a message of such a reach is concerned.
    #[must_use]
    pub fn hides(&self, id: RecordId, reach: Reach) -> bool {
        self.0.as_ref().is_some_and(|instants| instants.hides(id, reach))
    }

    /// Whether a message, in its byte form, is hidden whole.
    #[must_use]
    pub fn hides_record(&self, bytes: &[u8]) -> bool {
        let names = record::names(bytes);
        names.is_ok_and(|names| names.fate(names.reach(), |id, reach| self.hides(id, reach)) == Fate::Drop)
    }

    /// What is left of a message; `None` when it is hidden whole.
    #[must_use]
    pub fn left<'m>(&self, message: Message<'m>) -> Option<Message<'m>> {
        if self.is_empty() { Some(message) } else { message.left(|id, reach| self.hides(id, reach)) }
    }

    /// Records of which something may be hidden.
    pub fn records(&self) -> impl Iterator<Item = RecordId> {
        self.0.iter().flat_map(|instants| instants.ids())
    }

    /// Whether a track that names these records is hidden.
    #[must_use]
    pub fn hides_track(&self, names: impl IntoIterator<Item = Subject>, reach: Reach) -> bool {
        let hides = |id, reach| self.hides(id, reach);
        !self.is_empty() && muster_model::deletion::fate(Kind::Track, names, reach, hides) == Fate::Drop
    }

    /// Whether bytes set aside at an instant name what was deleted then or later.
    #[must_use]
    pub fn hides_refused(&self, body: &[u8], received_at: Micros, ids: muster_model::id::IdSpace) -> bool {
        let deleted = |id| self.deleted_at(id).is_some_and(|at| received_at <= at);
        !self.is_empty() && muster_store::deletion::mentions(body, ids, deleted)
    }
}
