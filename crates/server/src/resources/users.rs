//! Users: a list, and one by its id.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use muster_model::{find::fold, id::IdSpace, kind::RecordKind, profile::Profile};
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
        object::Object,
        user::{self, UserView},
    },
};

const KIND: RecordKind = RecordKind::User;

/// Answers a page of the list.
pub(super) async fn list(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    uri: Uri,
) -> Result<Response, ApiError> {
    listed(&state, &workspace, &Query::of(&uri), ListOf::all(KIND)).await
}

/// Answers a page of the users of an account or an organization.
pub(super) async fn list_of(
    kind: RecordKind,
    State(state): State<AppState>,
    Reader(workspace): Reader,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response, ApiError> {
    let parent = find(&state, &workspace, kind, &id).await?.id;
    let of = ListOf { within: Some((kind, parent)), ..ListOf::all(KIND) };
    listed(&state, &workspace, &Query::of(&uri), of).await
}

/// Answers a page of the users with one property.
pub(super) async fn search(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    uri: Uri,
) -> Result<Response, ApiError> {
    let parameters = Query::of(&uri);
    let given = ["externalId", "email", "emailSubdomain"].map(|name| Some((name, parameters.filled(name)?)));
    let given: Vec<(&str, &str)> = given.into_iter().flatten().collect();
    let [(name, sought)] = given[..] else {
        return Err(ApiError::parameter("search by exactly one of externalId, email and emailSubdomain"));
    };
    let condition = match name {
        "externalId" => {
            let id = IdSpace::new(&workspace.name).record(KIND, sought);
            let found = state.store.profile(workspace.id, KIND, id).await.map_err(ApiError::Read)?;
            return written(&state, &workspace, found.into_iter().collect(), None, |_| String::new()).await;
        }
        "email" => Condition::Email(fold(sought.trim())),
        _ => Condition::EmailDomain(fold(sought.trim().trim_start_matches('@'))),
    };
    listed(&state, &workspace, &parameters, ListOf { conditions: vec![condition], ..ListOf::all(KIND) }).await
}

async fn listed(
    state: &AppState,
    workspace: &Workspace,
    parameters: &Query,
    of: ListOf<'_>,
) -> Result<Response, ApiError> {
    let request = ListRequest::read(state, workspace, parameters, of).await?;
    let found = request.page(state, workspace).await?;
    let next = found.next.map(|at| request.cursor(at));
    let after = move |view: &UserView| request.after(&view.profile, view.seen);
    written(state, workspace, found.profiles, next, after).await
}

async fn written(
    state: &AppState,
    workspace: &Workspace,
    profiles: Vec<Arc<Profile>>,
    mut next: Option<String>,
    after: impl Fn(&UserView) -> String + Send + 'static,
) -> Result<Response, ApiError> {
    let mut gatherer = Gatherer::new(state, workspace.id);
    gatherer.read_ahead(&profiles).await?;
    let mut views = Vec::with_capacity(profiles.len());
    let last = profiles.len().saturating_sub(1);
    for (nth, profile) in profiles.into_iter().enumerate() {
        let view = gatherer.user(profile).await?;
        let place = (nth < last && gatherer.is_full()).then(|| after(&view));
        views.push(view);
        if place.is_some() {
            next = place;
            break;
        }
    }
    let weight = views.iter().map(|view| view.weight_bytes()).sum();
    let shared = state.clone();
    let write = move || {
        let (names, bytes_max) = (&shared.settings.trait_names, shared.settings.page_bytes_max);
        let one = |object: &mut Object<'_>, view: &UserView| user::write(object, view, names);
        page(&views, next, bytes_max, one, after)
    };
    answer::write(state, weight, write).await
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
    let view = Gatherer::new(state, workspace.id).user(profile).await?;
    let shared = state.clone();
    let weight = view.weight_bytes();
    let one = move |object: &mut Object<'_>| user::write(object, &view, &shared.settings.trait_names);
    answer::write(state, weight, move || json(StatusCode::OK, one)).await
}
