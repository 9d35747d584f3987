//! Custom objects: a list, and one by its id.

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
    query::Query,
    records::{ListOf, ListRequest, PathId, Reader},
    write::reference,
};
use crate::{error::ApiError, state::AppState, wire::custom_object};

const KIND: RecordKind = RecordKind::CustomObject;

/// Answers a page of the list.
pub(super) async fn list(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    uri: Uri,
) -> Result<Response, ApiError> {
    let request = ListRequest::read(&state, &workspace, &Query::of(&uri), ListOf::all(KIND)).await?;
    let found = request.page(&state, &workspace).await?;
    let next = found.next.map(|at| request.cursor(at));
    let weight = found.profiles.iter().map(|profile| 256 + profile.traits.text_bytes()).sum();
    let bytes_max = state.settings.page_bytes_max;
    let write = move || {
        page(
            &found.profiles,
            next,
            bytes_max,
            |object, profile: &Arc<Profile>| custom_object::write(object, profile),
            |profile| request.after(profile, Span::default()),
        )
    };
    answer::write(&state, weight, write).await
}

/// Answers one record.
pub(super) async fn show(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let profile = find(&state, &workspace, &id).await?;
    Ok(shown(&profile))
}

/// The answer with one record.
pub(super) fn shown(profile: &Profile) -> Response {
    json(StatusCode::OK, |object| custom_object::write(object, profile))
}

/// The custom object that an id in a path means.
pub(crate) async fn find(state: &AppState, workspace: &Workspace, id: &str) -> Result<Arc<Profile>, ApiError> {
    let found = reference::look(state, workspace, KIND, id).await?;
    found.ok_or(ApiError::NoSuchRecord { kind: KIND.as_str() })
}
