//! What a page is made with: the question, and memory and disk as they were when it began.
//!
//! Says which records belong on it; never walks an order itself.

use std::{cmp::Ordering, sync::Arc};

use muster_model::{
    id::{RecordId, WorkspaceId},
    profile::{Profile, Span},
};
use muster_store::{
    error::ReadError,
    lists::{ListCursor, ListQuery, belongs, kept_seen},
};
use rustc_hash::FxHashMap;

use super::glance::{Fault, Glance};
use crate::{engine::Reader, keys::ProfileKey, views};

/// One page in the making.
pub struct Pager<'r> {
    pub reader: &'r Reader,
    pub workspace: WorkspaceId,
    pub query: ListQuery,
    pub glance: Glance,
    /// First and last track of accounts in memory that were uncertain.
    pub seen: FxHashMap<RecordId, Span>,
}

impl Pager<'_> {
    /// Whether a record belongs into the list.
    pub fn fits(&self, profile: &Profile) -> Result<bool, ReadError> {
        let seen = self.seen_of(profile);
        if !self.query.conditions.iter().all(|condition| condition.holds(profile, seen)) {
            return Ok(false);
        }
        let Some(parent) = self.query.within else { return Ok(true) };
        belongs(profile, parent, &mut |kind, id| self.reader.views.profile(&ProfileKey::new(self.workspace, kind, id)))
    }

    /// First and last track of a record, as far as the page knows.
    pub fn seen_of(&self, profile: &Profile) -> Span {
        self.seen.get(&profile.id).copied().unwrap_or_else(|| kept_seen(profile).0)
    }

    /// The record on disk, unless memory knows it better.
    pub fn on_disk(&self, id: RecordId) -> Result<Option<Arc<Profile>>, Fault> {
        let key = ProfileKey::new(self.workspace, self.query.kind, id);
        if self.glance.hides(&self.reader.views, &key)? {
            return Ok(None);
        }
        Ok(views::read_profile(&self.glance.below.snapshot, &self.reader.views.state, &key)?.map(Arc::new))
    }
}

/// Whether a place comes behind where the page begins.
pub fn is_after(cursor: &ListCursor, query: &ListQuery) -> bool {
    query.from.is_none_or(|from| cursor.order(&from, query.ascending) == Ordering::Greater)
}
