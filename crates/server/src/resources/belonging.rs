//! Records that belong to another one, as a page of a list.
//!
//! The store knows who ever named a parent; whether it still holds is in the records themselves. What one answer looks
//! at is bounded by the setting for related records; a parent with more is answered with an error that says so.

use std::{cmp::Reverse, sync::Arc};

use muster_model::{id::RecordId, kind::RecordKind, profile::Profile, time::Micros};
use muster_store::{credentials::Workspace, error::ReadError};

use super::{
    cursor::{ListName, Place},
    query::Query,
    records::PAGE_RECORDS_MAX,
};
use crate::{error::ApiError, state::AppState};

/// A page, and the list it is of.
pub(super) struct Belonging {
    pub profiles: Vec<Arc<Profile>>,
    pub next: Option<String>,
    list: ListName,
    by_creation: bool,
}

/// The records of a kind that name one of these parents and still belong, each once.
pub(super) async fn all(
    state: &AppState,
    workspace: &Workspace,
    parents: &[(RecordKind, RecordId)],
    kind: RecordKind,
    belongs: impl Fn(&Profile) -> bool,
) -> Result<Vec<Arc<Profile>>, ApiError> {
    let mut ids = Vec::new();
    for parent in parents {
        ids.extend(state.store.children(workspace.id, *parent, kind).await.map_err(ApiError::Read)?);
    }
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > state.settings.related_records_max {
        return Err(ApiError::Read(ReadError::TooLarge { what: format!("{} records", ids.len()) }));
    }
    let mut profiles = Vec::with_capacity(ids.len());
    for id in ids {
        let found = state.store.profile(workspace.id, kind, id).await.map_err(ApiError::Read)?;
        profiles.extend(found.filter(|profile| belongs(profile)));
    }
    Ok(profiles)
}

/// A page of some records, as `limit`, `from` and `sortBy` ask for it; `name` is what makes the list this one.
pub(super) fn page(
    workspace: &Workspace,
    parameters: &Query,
    name: &[&str],
    mut profiles: Vec<Arc<Profile>>,
) -> Result<Belonging, ApiError> {
    let by_creation = parameters.word("sortBy", &[("updatedAt", false), ("createdAt", true)])?;
    let limit = parameters.limit(PAGE_RECORDS_MAX)?;
    let mut words = vec![if by_creation { "createdAt" } else { "updatedAt" }];
    words.extend(name);
    let list = ListName::new(workspace.id, &words);
    let from = list.read(parameters.get("from"))?.map(|place| order(place.at, RecordId(place.id)));
    profiles.sort_by_key(|profile| order(place_of(profile, by_creation).at, profile.id));
    profiles.retain(|profile| from.is_none_or(|from| order(place_of(profile, by_creation).at, profile.id) > from));
    let more = profiles.len() > limit;
    profiles.truncate(limit);
    let next = profiles.last().filter(|_| more).map(|last| list.write(place_of(last, by_creation)));
    Ok(Belonging { profiles, next, list, by_creation })
}

impl Belonging {
    /// The cursor just after a record of this list.
    pub(super) fn after(&self, profile: &Profile) -> String {
        self.list.write(place_of(profile, self.by_creation))
    }
}

fn place_of(profile: &Profile, by_creation: bool) -> Place {
    let at = if by_creation { profile.created_at } else { profile.updated_at };
    Place { at, id: profile.id.0 }
}

fn order(at: Micros, id: RecordId) -> (Reverse<Micros>, RecordId) {
    (Reverse(at), id)
}
