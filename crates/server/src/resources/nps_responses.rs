//! NPS responses: lists, and one by its id.

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
    records::{ListOf, ListRequest, PathId, Reader, find},
    related::{Gatherer, user_of},
};
use crate::{
    error::ApiError,
    state::AppState,
    wire::{
        nps_response::{self as wire, NpsResponseView},
        object::Object,
        user::UserView,
    },
};

const KIND: RecordKind = RecordKind::NpsResponse;

/// Whose responses a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// Of users with an account, and of users who stand alone.
    Accounts,
    /// Of users who are in an organization themselves.
    Organization,
}

/// Answers a page of the list.
pub(super) async fn list(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    uri: Uri,
) -> Result<Response, ApiError> {
    let parameters = Query::of(&uri);
    let words = [
        ("accounts", Target::Accounts),
        ("account", Target::Accounts),
        ("organization", Target::Organization),
        ("organizations", Target::Organization),
    ];
    let target = parameters.word("target", &words)?;
    let of = ListOf { variant: &format!("{target:?}"), ..ListOf::all(KIND) };
    listed(&state, &workspace, &parameters, of, Some(target)).await
}

fn is_of(user: Option<&UserView>, target: Target) -> bool {
    let stands_in = |user: &UserView| (!user.accounts.is_empty(), !user.organizations.is_empty());
    let (account, organization) = user.map(stands_in).unwrap_or_default();
    match target {
        Target::Accounts => account || !organization,
        Target::Organization => organization,
    }
}

/// Answers a page of the responses of the users of an account or an organization.
pub(super) async fn list_of(
    kind: RecordKind,
    State(state): State<AppState>,
    Reader(workspace): Reader,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response, ApiError> {
    let parent = find(&state, &workspace, kind, &id).await?.id;
    let of = ListOf { within: Some((kind, parent)), ..ListOf::all(KIND) };
    listed(&state, &workspace, &Query::of(&uri), of, None).await
}

/// A page of a list, of the responses for one target only where that is asked.
async fn listed(
    state: &AppState,
    workspace: &Workspace,
    parameters: &Query,
    of: ListOf<'_>,
    target: Option<Target>,
) -> Result<Response, ApiError> {
    let request = ListRequest::read(state, workspace, parameters, of).await?;
    let found = request.page(state, workspace).await?;
    let next = found.next.map(|at| request.cursor(at));
    let mut views = gather(state, workspace, found.profiles).await?;
    views.retain(|view| target.is_none_or(|target| is_of(view.user.as_ref(), target)));
    let weight = views.iter().map(NpsResponseView::weight_bytes).sum();
    let shared = state.clone();
    let write = move || {
        let (names, bytes_max) = (&shared.settings.trait_names, shared.settings.page_bytes_max);
        let one = |object: &mut Object<'_>, view: &NpsResponseView| wire::write(object, view, names);
        page(&views, next, bytes_max, one, |view| request.after(&view.profile, Span::default()))
    };
    answer::write(state, weight, write).await
}

/// Answers one record.
pub(super) async fn show(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let profile = find(&state, &workspace, KIND, &id).await?;
    shown(&state, &workspace, profile).await
}

/// The answer with one record.
pub(super) async fn shown(
    state: &AppState,
    workspace: &Workspace,
    profile: Arc<Profile>,
) -> Result<Response, ApiError> {
    let views = gather(state, workspace, vec![profile]).await?;
    let shared = state.clone();
    let weight = views.iter().map(NpsResponseView::weight_bytes).sum();
    let write = move || {
        json(StatusCode::OK, |object| {
            views.iter().for_each(|view| wire::write(object, view, &shared.settings.trait_names));
        })
    };
    answer::write(state, weight, write).await
}

async fn gather(
    state: &AppState,
    workspace: &Workspace,
    profiles: Vec<Arc<Profile>>,
) -> Result<Vec<NpsResponseView>, ApiError> {
    let mut gatherer = Gatherer::new(state, workspace.id);
    gatherer.read_ahead(&profiles).await?;
    let mut answered = Vec::with_capacity(profiles.len());
    for profile in &profiles {
        answered.push(match user_of(profile) {
            Some(id) => gatherer.profile(RecordKind::User, id).await?,
            None => None,
        });
    }
    let users: Vec<Arc<Profile>> = answered.iter().flatten().cloned().collect();
    gatherer.read_ahead(&users).await?;
    let mut views = Vec::with_capacity(profiles.len());
    for (profile, user) in profiles.into_iter().zip(answered) {
        let user = match user {
            Some(user) => Some(gatherer.user(user).await?),
            None => None,
        };
        views.push(NpsResponseView { profile, user });
    }
    Ok(views)
}
