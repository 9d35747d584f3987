//! NPS responses: lists, and one by its id.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use muster_model::{
    id::RecordId,
    kind::RecordKind,
    profile::{Profile, User},
};
use muster_store::credentials::Workspace;

use super::{
    answer::{self, json, page},
    belonging,
    query::Query,
    records::{ListRequest, PathId, Reader, find},
    related::Gatherer,
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
    let request = ListRequest::read(&workspace, KIND, &parameters, &format!("{target:?}"), Vec::new())?;
    let found = request.page(&state, &workspace).await?;
    let next = found.next.map(|at| request.cursor(at));
    let views = gather(&state, &workspace, found.profiles).await?;
    let views: Vec<NpsResponseView> = views.into_iter().filter(|view| is_of(view.user.as_ref(), target)).collect();
    let weight = views.iter().map(NpsResponseView::weight_bytes).sum();
    let shared = state.clone();
    let write = move || {
        let (names, bytes_max) = (&shared.settings.trait_names, shared.settings.page_bytes_max);
        let one = |object: &mut Object<'_>, view: &NpsResponseView| wire::write(object, view, names);
        page(&views, next, bytes_max, one, |view| request.after(&view.profile))
    };
    answer::write(&state, weight, write).await
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
    let accounts = match kind {
        RecordKind::Organization => accounts_of(&state, &workspace, parent).await?,
        _ => vec![parent],
    };
    let mut parents: Vec<(RecordKind, RecordId)> =
        accounts.iter().map(|account| (RecordKind::Account, *account)).collect();
    parents.extend((kind == RecordKind::Organization).then_some((kind, parent)));
    let named = belonging::all(&state, &workspace, &parents, KIND, |_| true).await?;
    let mut belong = Vec::with_capacity(named.len());
    for response in named {
        let Some(user) = user_of(&response) else { continue };
        let user = state.store.profile(workspace.id, RecordKind::User, user).await.map_err(ApiError::Read)?;
        if user.as_deref().and_then(Profile::as_user).is_some_and(|user| is_in(user, &parents)) {
            belong.push(response);
        }
    }
    let name = ["npsResponses", kind.as_str(), &parent.to_string()];
    let mut found = belonging::page(&workspace, &Query::of(&uri), &name, belong)?;
    let views = gather(&state, &workspace, std::mem::take(&mut found.profiles)).await?;
    let weight = views.iter().map(NpsResponseView::weight_bytes).sum();
    let shared = state.clone();
    let write = move || {
        let (names, bytes_max) = (&shared.settings.trait_names, shared.settings.page_bytes_max);
        let one = |object: &mut Object<'_>, view: &NpsResponseView| wire::write(object, view, names);
        page(&views, found.next.clone(), bytes_max, one, |view| found.after(&view.profile))
    };
    answer::write(&state, weight, write).await
}

async fn accounts_of(
    state: &AppState,
    workspace: &Workspace,
    organization: RecordId,
) -> Result<Vec<RecordId>, ApiError> {
    let joined = |profile: &Profile| {
        let parent = profile.as_account().and_then(|account| account.parent());
        parent.is_some_and(|parent| parent.id == organization)
    };
    let parents = [(RecordKind::Organization, organization)];
    let accounts = belonging::all(state, workspace, &parents, RecordKind::Account, joined).await?;
    Ok(accounts.iter().map(|account| account.id).collect())
}

fn is_in(user: &User, parents: &[(RecordKind, RecordId)]) -> bool {
    let stands = |kind, links: &[muster_model::association::Link]| {
        links.iter().any(|link| link.stands() && parents.contains(&(kind, link.parent)))
    };
    stands(RecordKind::Account, user.accounts.links()) || stands(RecordKind::Organization, user.organizations.links())
}

fn user_of(response: &Profile) -> Option<RecordId> {
    response.as_nps_response()?.user.as_ref().map(|register| register.value().id)
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
    let mut views = Vec::with_capacity(profiles.len());
    for profile in profiles {
        let user = match user_of(&profile) {
            Some(id) => state.store.profile(workspace.id, RecordKind::User, id).await.map_err(ApiError::Read)?,
            None => None,
        };
        let user = match user {
            Some(user) => Some(gatherer.user(user).await?),
            None => None,
        };
        views.push(NpsResponseView { profile, user });
    }
    Ok(views)
}
