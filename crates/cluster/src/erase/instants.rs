//! What was deleted, in memory.

use muster_model::{
    deletion::{Part, Reach, Subject},
    id::RecordId,
    time::Micros,
};
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
