//! Places on disk in the order of a list.
//!
//! Lists by times of receipt have places of their own. A list by a field has first the records with a value, from the
//! index, then the others by id, from the records themselves. An upward list is read backwards.

use std::{ops::Bound, sync::Arc};

use fjall::{Keyspace, Readable};
use muster_model::{
    id::{RecordId, WorkspaceId},
    profile::Profile,
    rank::Rank,
};
use muster_store::{
    error::ReadError,
    lists::{Condition, ListCursor, ListOrder, ListQuery, Place},
};

use super::{
    entries::{self, Value},
    glance::Glance,
};
use crate::{
    codec,
    engine::Reader,
    error::{damaged, state_failed},
    keys::{self, ProfileKey, TimePlace},
};

/// A place, and the record if it was met itself.
pub type Step = Result<(ListCursor, Option<Arc<Profile>>), ReadError>;

/// Steps in the order of a list.
pub type Steps = Box<dyn Iterator<Item = Step>>;

type Keys = (Bound<Vec<u8>>, Bound<Vec<u8>>);

impl Reader {
    /// Steps from the query's cursor on. With `others`, the records without a value are only these, sorted by id.
    pub(super) fn walk(
        &self,
        glance: &Glance,
        workspace: WorkspaceId,
        query: &ListQuery,
        others: Option<Vec<RecordId>>,
    ) -> Steps {
        let Some(field) = entries::field(&query.order) else { return self.walk_times(glance, workspace, query) };
        let ((from, to), unranked) = extent(query);
        let ranked: Steps = match query.from {
            Some(ListCursor { place: Place::Unranked, .. }) => Box::new(std::iter::empty()),
            _ if from > to => Box::new(std::iter::empty()),
            cursor => {
                let key = |value, id| keys::field_key(workspace, query.kind, field, value, id).to_vec();
                let after = cursor.and_then(|cursor| match cursor.place {
                    Place::Ranked(rank) => Some(key(entries::ranked(rank), cursor.id)),
                    Place::Unranked => None,
                });
                let range = (key(from, RecordId(0)), key(to, RecordId(u128::MAX)));
                let keys = self.keys(glance, &self.views.state.by_field, range, after, query.ascending);
                Box::new(keys.map(|key| field_step(&key?)))
            }
        };
        if !unranked {
            return ranked;
        }
        let after = query.from.filter(|cursor| cursor.place == Place::Unranked).map(|cursor| cursor.id);
        match others {
            Some(others) => Box::new(ranked.chain(among(others, after, query.ascending))),
            None => Box::new(ranked.chain(self.walk_records(glance, workspace, query, after))),
        }
    }

    fn walk_times(&self, glance: &Glance, workspace: WorkspaceId, query: &ListQuery) -> Steps {
        let by_creation = query.order == ListOrder::CreatedAt;
        let keyspace = if by_creation { &self.views.state.by_created } else { &self.views.state.by_updated };
        let key = |at, id| keys::list_key(workspace, query.kind, TimePlace { at, id }).to_vec();
        let first = key(muster_model::time::Micros::MAX, RecordId(0));
        let last = key(muster_model::time::Micros::MIN, RecordId(u128::MAX));
        let after = query.from.and_then(|cursor| match cursor.place {
            Place::Ranked(Rank::Time(at)) => Some(key(at, cursor.id)),
            Place::Ranked(Rank::Number(_)) | Place::Unranked => None,
        });
        let keys = self.keys(glance, keyspace, (first, last), after, query.ascending);
        Box::new(keys.map(|key| {
            let place = keys::parse_list_key(&key?).ok_or_else(|| damaged("a list's key"))?;
            Ok((ListCursor { place: Place::Ranked(Rank::Time(place.at)), id: place.id }, None))
        }))
    }

    /// Keys of a range, from just after one of them on.
    fn keys(
        &self,
        glance: &Glance,
        keyspace: &Keyspace,
        (first, last): (Vec<u8>, Vec<u8>),
        after: Option<Vec<u8>>,
        ascending: bool,
    ) -> Box<dyn Iterator<Item = Result<fjall::Slice, ReadError>>> {
        let (from, to): Keys = match (after, ascending) {
            (None, _) => (Bound::Included(first), Bound::Included(last)),
            (Some(after), false) => (Bound::Excluded(after.max(first)), Bound::Included(last)),
            (Some(after), true) => (Bound::Included(first), Bound::Excluded(after.min(last))),
        };
        if is_empty(&from, &to) {
            return Box::new(std::iter::empty());
        }
        let entries = glance.below.snapshot.range::<Vec<u8>, _>(keyspace, (from, to));
        let key = |entry: fjall::Guard| entry.key().map_err(|error| state_failed(&error));
        if ascending { Box::new(entries.rev().map(key)) } else { Box::new(entries.map(key)) }
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
            let value = entry.value().map_err(|error| state_failed(&error))?;
            let profile = codec::profile::decode(&value).map_err(|_| damaged("a profile"))?;
            Ok((ListCursor { place: Place::Unranked, id: profile.id }, Some(Arc::new(profile))))
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
    let rank = entries::rank(value).ok_or_else(|| damaged("a list's key"))?;
    Ok((ListCursor { place: Place::Ranked(rank), id }, None))
}

fn among(mut others: Vec<RecordId>, after: Option<RecordId>, ascending: bool) -> impl Iterator<Item = Step> {
    others.retain(|id| after.is_none_or(|after| if ascending { *id < after } else { *id > after }));
    others.sort_unstable();
    if ascending {
        others.reverse();
    }
    others.into_iter().map(|id| Ok((ListCursor { place: Place::Unranked, id }, None)))
}

/// The values that a list by a field may have, and whether records without one may be in it: narrower where a condition
/// is about the same field.
fn extent(query: &ListQuery) -> ((Value, Value), bool) {
    let (mut from, mut to) = entries::RANKED;
    let mut unranked = true;
    let mut narrow = |(least, most): (Value, Value)| {
        (from, to) = (from.max(least), to.min(most));
        unranked = false;
    };
    for condition in &query.conditions {
        match (condition, &query.order) {
            (Condition::TraitBetween { key, from, to }, ListOrder::Trait(by)) if **by == **key => {
                narrow(entries::between(*from, *to));
            }
            (Condition::LastSeen { after, before }, ListOrder::LastSeen) => {
                narrow(entries::instants(*after, *before));
            }
            _ => {}
        }
    }
    ((from, to), unranked)
}
