//! What was deleted of a workspace, and when.
//!
//! What deletions hide follows from these instants and a message alone ([`muster_model::deletion`]), so whoever asks is told the
//! same, however often and in whatever order the deletions came in.

use std::sync::Arc;

use muster_model::{
    deletion::{Fate, Part, Reach, Subject, fate},
    id::{IdSpace, RecordId},
    kind::Kind,
    message::Message,
    time::Micros,
};
use rustc_hash::FxHashMap;

use super::{mention::mentions, progress::Erasure};
use crate::record;

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
    pub fn lift(&mut self, erasure: &Erasure) {
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
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.parts.is_empty()
    }

    /// The latest instant at which a record was deleted whole.
    #[must_use]
    pub fn deleted_at(&self, id: RecordId) -> Option<Micros> {
        self.records.get(&id).copied()
    }

    /// Whether a record was deleted, whole or in part.
    #[must_use]
    pub fn concerns(&self, id: RecordId) -> bool {
        self.records.contains_key(&id) || self.parts.contains_key(&id)
    }

    /// Whether a record is deleted as far as a message of such a reach is concerned.
    #[must_use]
    pub fn hides(&self, id: RecordId, reach: Reach) -> bool {
        let parts = || self.parts.get(&id).into_iter().flatten();
        self.deleted_at(id).is_some_and(|at| reach.back <= at) || parts().any(|(part, at)| part.hides(id, reach, *at))
    }

    /// Every record of which something was deleted.
    pub fn ids(&self) -> impl Iterator<Item = RecordId> {
        self.records.keys().chain(self.parts.keys()).copied()
    }
}

/// Hides what was deleted and still lies in history files, or among messages set aside.
#[derive(Clone, Debug, Default)]
pub struct Veil(Option<Arc<Instants>>);

impl Veil {
    /// Hides what was deleted at these instants.
    #[must_use]
    pub fn of(deleted: Option<Arc<Instants>>) -> Veil {
        Veil(deleted)
    }

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
        !self.is_empty() && fate(Kind::Track, names, reach, hides) == Fate::Drop
    }

    /// Whether bytes set aside at an instant name what was deleted then or later.
    #[must_use]
    pub fn hides_refused(&self, body: &[u8], received_at: Micros, ids: IdSpace) -> bool {
        let deleted = |id| self.deleted_at(id).is_some_and(|at| received_at <= at);
        !self.is_empty() && mentions(body, ids, deleted)
    }
}
