//! Accounts: a list, and one by its id.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use muster_model::{id::RecordId, kind::RecordKind, profile::Profile};
use muster_store::{credentials::Workspace, lists::Condition};

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
        account::{self, AccountView},
        object::Object,
    },
};

const KIND: RecordKind = RecordKind::Account;

/// Answers a page of the list.
pub(super) async fn list(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    uri: Uri,
) -> Result<Response, ApiError> {
    listed(&state, &workspace, &Query::of(&uri), None).await
}

/// Answers a page of the accounts of an organization.
pub(super) async fn list_of_organization(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response, ApiError> {
    let parent = find(&state, &workspace, RecordKind::Organization, &id).await?.id;
    listed(&state, &workspace, &Query::of(&uri), Some((RecordKind::Organization, parent))).await
}

async fn listed(
    state: &AppState,
    workspace: &Workspace,
    parameters: &Query,
    within: Option<(RecordKind, RecordId)>,
) -> Result<Response, ApiError> {
    let conditions = of_status(state, parameters)?.into_iter().collect();
    let of = ListOf { within, conditions, ..ListOf::all(KIND) };
    let request = ListRequest::read(state, workspace, parameters, of).await?;
    let found = request.page(state, workspace).await?;
    let mut gatherer = Gatherer::new(state, workspace.id);
    let mut views = Vec::with_capacity(found.profiles.len());
    for profile in found.profiles {
        views.push(gatherer.account(profile).await?);
    }
    let next = found.next.map(|at| request.cursor(at));
    let weight = views.iter().map(|view| view.weight_bytes()).sum();
    let shared = state.clone();
    let write = move || {
        let (names, bytes_max) = (&shared.settings.trait_names, shared.settings.page_bytes_max);
        let one = |object: &mut Object<'_>, view: &Arc<AccountView>| account::write(object, view, names);
        page(&views, next, bytes_max, one, |view| request.after(&view.profile, view.seen))
    };
    answer::write(state, weight, write).await
}

/// Which accounts `status` leaves in a list.
pub(crate) fn of_status(state: &AppState, parameters: &Query) -> Result<Option<Condition>, ApiError> {
    let churned = |present| Condition::TraitPresent { key: state.settings.trait_names.churned_at.clone(), present };
    let words = [("active", Some(false)), ("churned", Some(true)), ("activeOrChurned", None)];
    Ok(parameters.word("status", &words)?.map(churned))
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

/// Answers the health scores of an account: none, since nothing here scores health.
pub(super) async fn health_scores(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    find(&state, &workspace, KIND, &id).await?;
    let none: [(); 0] = [];
    Ok(page(&none, None, state.settings.page_bytes_max, |_, _| {}, |_| String::new()))
}

/// The answer with one record.
pub(super) async fn shown(
    state: &AppState,
    workspace: &Workspace,
    profile: Arc<Profile>,
) -> Result<Response, ApiError> {
    let view = Gatherer::new(state, workspace.id).account(profile).await?;
    let shared = state.clone();
    let weight = view.weight_bytes();
    let one = move |object: &mut Object<'_>| account::write(object, &view, &shared.settings.trait_names);
    answer::write(state, weight, move || json(StatusCode::OK, one)).await
}
