//! Organizations: a list, and one by its id.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use muster_model::kind::RecordKind;

use super::{
    answer::{json, page},
    query::Query,
    records::{ListRequest, PathId, Reader, find},
    related::Gatherer,
};
use crate::{
    error::ApiError,
    state::AppState,
    wire::{
        organization::{self, OrganizationView},
        object::Object,
    },
};

const KIND: RecordKind = RecordKind::Organization;

/// Answers a page of the list.
pub(super) async fn list(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    uri: Uri,
) -> Result<Response, ApiError> {
    let request = ListRequest::read(&workspace, KIND, &Query::of(&uri), "", Vec::new())?;
    let found = request.page(&state, &workspace).await?;
    let mut gatherer = Gatherer::new(&state, workspace.id);
    let mut views = Vec::with_capacity(found.profiles.len());
    for profile in found.profiles {
        views.push(gatherer.organization(profile).await?);
    }
    let next = found.next.map(|at| request.cursor(at));
    let (names, bytes_max) = (&state.settings.trait_names, state.settings.page_bytes_max);
    let write = |object: &mut Object<'_>, view: &Arc<OrganizationView>| organization::write(object, view, names);
    Ok(page(&views, next, bytes_max, write, |view| request.after(&view.profile)))
}

/// Answers one record.
pub(super) async fn show(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let profile = find(&state, &workspace, KIND, &id).await?;
    let view = Gatherer::new(&state, workspace.id).organization(profile).await?;
    Ok(json(StatusCode::OK, |object| organization::write(object, &view, &state.settings.trait_names)))
}
