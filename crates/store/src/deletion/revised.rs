//! Records as they would be with the changes that are worked out so far.

use std::{collections::hash_map::Entry, sync::Arc};

use muster_model::{deletion::Subject, id::RecordId, kind::RecordKind, profile::Profile};
use rustc_hash::FxHashMap;

use super::changes::Changed;
use crate::{error::ReadError, records::Records};

/// The records, and what was changed about some of them.
pub(super) struct Revised<R> {
    pub records: R,
    changed: FxHashMap<Subject, Changed>,
}

impl<R: Records> Revised<R> {
    pub fn new(records: R) -> Self {
        Revised { records, changed: FxHashMap::default() }
    }

    /// A record as it would be.
    pub fn profile(&self, subject: Subject) -> Result<Option<Arc<Profile>>, ReadError> {
        match self.changed.get(&subject) {
            Some(changed) => Ok(Some(Arc::clone(&changed.after))),
            None => self.records.profile(subject.0, subject.1),
        }
    }

    /// The same, to be changed; nothing if there is no such record.
    pub fn profile_mut(&mut self, subject: Subject) -> Result<Option<&mut Profile>, ReadError> {
        let changed = match self.changed.entry(subject) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => match self.records.profile(subject.0, subject.1)? {
                Some(before) => unknown.insert(Changed { after: Arc::clone(&before), before }),
                None => return Ok(None),
            },
        };
        Ok(Some(Arc::make_mut(&mut changed.after)))
    }

    /// Everyone of a kind who ever named a record as a parent.
    pub fn children(&self, parent: Subject, kind: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        self.records.children(parent, kind)
    }

    /// What was changed.
    pub fn into_changed(self) -> impl Iterator<Item = (Subject, Changed)> {
        self.changed.into_iter()
    }
}
