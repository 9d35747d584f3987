//! Places on disk in the order of a list.
//!
//! Lists by times of receipt have places of their own. A list by a field has first the records with a value, from the
//! index, then the others by id, from the records themselves. An upward list is read backwards.

use std::ops::Bound;

use fjall::{Readable, UserValue};
use muster_model::{
    id::{RecordId, WorkspaceId},
    rank::Rank,
};
use muster_store::{
    error::ReadError,
    lists::{
        ListCursor, ListOrder, ListQuery, Place,
        index::{extent, times},
        values,
    },
};
use rustc_hash::FxHashSet;

use super::{
    along::{Along, Stretch},
    entries,
    gaps::{List, Order},
    glance::Glance,
    sets::Answer,
};
use crate::{
    engine::Reader,
    error::{damaged, state_failed},
    keys::{self, ProfileKey, TimePlace},
};

/// A place, and the record as it is stored if it was met itself.
pub type Step = Result<(ListCursor, Option<UserValue>), ReadError>;

/// Steps in the order of a list.
pub type Steps = Box<dyn Iterator<Item = Step>>;

impl Reader {
    /// Steps from the query's cursor on. With `set`, the records without a value are only those in it.
    pub(super) fn walk(&self, glance: &Glance, workspace: WorkspaceId, query: &ListQuery, set: Answer) -> Steps {
        let Some(field) = entries::field(&query.order) else { return self.walk_times(glance, workspace, query) };
        let ((from, to), unranked) = extent(query);
        let ranked: Steps = match query.from {
            Some(ListCursor { place: Place::Unranked, .. }) => Box::new(std::iter::empty()),
            _ if from > to => Box::new(std::iter::empty()),
            cursor => {
                let key = |value, id| keys::field_key(workspace, query.kind, field, value, id).to_vec();
                let after = cursor.and_then(|cursor| match cursor.place {
                    Place::Ranked(rank) => Some(key(values::ranked(rank), cursor.id)),
                    Place::Unranked => None,
                });
                let order = Order::of_field(workspace, query.kind, field);
                self.note_beginning(query, order);
                let range = (key(from, RecordId(0)), key(to, RecordId(u128::MAX)));
                let keys = self.along(glance, Stretch { order, range, after, downwards: query.ascending });
                Box::new(keys.map(|key| field_step(&key?)))
            }
        };
        if !unranked {
            return ranked;
        }
        let after = query.from.filter(|cursor| cursor.place == Place::Unranked).map(|cursor| cursor.id);
        let ascending = query.ascending;
        match set {
            // Most pages end before they come there.
            Some(set) => {
                Box::new(ranked.chain(std::iter::once(set).flat_map(move |set| among(&set, after, ascending))))
            }
            None => Box::new(ranked.chain(self.walk_records(glance, workspace, query, after))),
        }
    }

    fn walk_times(&self, glance: &Glance, workspace: WorkspaceId, query: &ListQuery) -> Steps {
        let list = if query.order == ListOrder::CreatedAt { List::Created } else { List::Updated };
        let order = Order::of_times(list, workspace, query.kind);
        self.note_beginning(query, order);
        let key = |at, id| keys::list_key(workspace, query.kind, TimePlace { at, id }).to_vec();
        let (from, to) = times(query);
        let after = query.from.and_then(|cursor| match cursor.place {
            Place::Ranked(Rank::Time(at)) => Some(key(at, cursor.id)),
            Place::Ranked(Rank::Number(_)) | Place::Unranked => None,
        });
        let range = (key(to, RecordId(0)), key(from, RecordId(u128::MAX)));
        let keys = self.along(glance, Stretch { order, range, after, downwards: query.ascending });
        Box::new(keys.map(|key| {
            let place = keys::parse_list_key(&key?).ok_or_else(|| damaged("a list's key"))?;
            Ok((ListCursor { place: Place::Ranked(Rank::Time(place.at)), id: place.id }, None))
        }))
    }

    /// What is read from its beginning is likely to be read so again.
    fn note_beginning(&self, query: &ListQuery, order: Order) {
        if query.from.is_none() {
            self.views.gaps.want(order, query.ascending);
        }
    }

    /// The places of a stretch of an order.
    pub(super) fn along(&self, glance: &Glance, stretch: Stretch) -> Along {
        Along::new(&self.views.state, &self.views.gaps, &glance.below.snapshot, stretch)
    }

    /// All records of a kind by id.
    fn walk_records(
        &self,
        glance: &Glance,
        workspace: WorkspaceId,
        query: &ListQuery,
        after: Option<RecordId>,
    ) -> Steps {
        let key = |id| ProfileKey::new(workspace, query.kind, RecordId(id)).bytes().to_vec();
        let (first, last) = (Bound::Included(key(0)), Bound::Included(key(u128::MAX)));
        let (from, to) = match (after, query.ascending) {
            (None, _) => (first, last),
            (Some(after), false) => (Bound::Excluded(key(after.0)), last),
            (Some(after), true) => (first, Bound::Excluded(key(after.0))),
        };
        if is_empty(&from, &to) {
            return Box::new(std::iter::empty());
        }
        let entries = glance.below.snapshot.range::<Vec<u8>, _>(&self.views.state.profiles, (from, to));
        let step = |entry: fjall::Guard| {
            let (key, value) = entry.into_inner().map_err(|error| state_failed(&error))?;
            let id = key.get(5..21).and_then(|bytes| bytes.try_into().ok()).map(u128::from_be_bytes);
            let id = RecordId(id.ok_or_else(|| damaged("a profile's key"))?);
            Ok((ListCursor { place: Place::Unranked, id }, Some(value)))
        };
        if query.ascending { Box::new(entries.rev().map(step)) } else { Box::new(entries.map(step)) }
    }
}

fn is_empty(from: &Bound<Vec<u8>>, to: &Bound<Vec<u8>>) -> bool {
    match (from, to) {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => from >= to,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}

fn field_step(key: &[u8]) -> Step {
    let (value, id) = keys::parse_field_key(key).ok_or_else(|| damaged("a list's key"))?;
    let rank = values::rank(value).ok_or_else(|| damaged("a list's key"))?;
    Ok((ListCursor { place: Place::Ranked(rank), id }, None))
}

fn among(set: &FxHashSet<RecordId>, after: Option<RecordId>, ascending: bool) -> impl Iterator<Item = Step> + use<> {
    let is_after = |id: &RecordId| after.is_none_or(|after| if ascending { *id < after } else { *id > after });
    let mut others: Vec<RecordId> = set.iter().copied().filter(is_after).collect();
    others.sort_unstable();
    if ascending {
        others.reverse();
    }
    others.into_iter().map(|id| Ok((ListCursor { place: Place::Unranked, id }, None)))
}
