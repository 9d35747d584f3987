//! Organizations: a list, and one by its id.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use muster_model::{
    kind::RecordKind,
    profile::{Profile, Span},
};
use muster_store::credentials::Workspace;

use super::{
    answer::{self, json, page},
    past,
    query::Query,
    records::{ListOf, ListRequest, PathId, Reader, find},
    related::Gatherer,
};
use crate::{
    error::ApiError,
    state::AppState,
    wire::{
        object::Object,
        organization::{self, OrganizationView},
    },
};

const KIND: RecordKind = RecordKind::Organization;

/// Answers a page of the list.
pub(super) async fn list(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    uri: Uri,
) -> Result<Response, ApiError> {
    let request = ListRequest::read(&state, &workspace, &Query::of(&uri), ListOf::all(KIND)).await?;
    let found = request.page(&state, &workspace).await?;
    let mut gatherer = Gatherer::new(&state, workspace.id);
    let mut views = Vec::with_capacity(found.profiles.len());
    for profile in found.profiles {
        views.push(gatherer.organization(profile).await?);
    }
    let next = found.next.map(|at| request.cursor(at));
    let weight = views.iter().map(|view| view.weight_bytes()).sum();
    let shared = state.clone();
    let write = move || {
        let (names, bytes_max) = (&shared.settings.trait_names, shared.settings.page_bytes_max);
        let one = |object: &mut Object<'_>, view: &Arc<OrganizationView>| organization::write(object, view, names);
        page(&views, next, bytes_max, one, |view| request.after(&view.profile, Span::default()))
    };
    answer::write(&state, weight, write).await
}

/// Answers one record.
pub(super) async fn show(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response, ApiError> {
    let as_of = past::as_of_of(&uri)?;
    let profile = find(&state, &workspace, KIND, &id).await?;
    if let Some(at) = as_of {
        return past::show(&state, &workspace, &profile, at).await;
    }
    shown(&state, &workspace, profile).await
}

/// The answer with one record.
pub(super) async fn shown(
    state: &AppState,
    workspace: &Workspace,
    profile: Arc<Profile>,
) -> Result<Response, ApiError> {
    let view = Gatherer::new(state, workspace.id).organization(profile).await?;
    let shared = state.clone();
    let weight = view.weight_bytes();
    let one = move |object: &mut Object<'_>| organization::write(object, &view, &shared.settings.trait_names);
    answer::write(state, weight, move || json(StatusCode::OK, one)).await
}
