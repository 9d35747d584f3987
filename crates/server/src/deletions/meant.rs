//! What an id means that somebody asks to delete.
//!
//! Mostly a record. But an id may have been sent without there being a record of it: by someone anonymous whom nobody has
//! identified yet, or in messages that were refused. What is stored of it is deleted all the same.

use muster_model::{
    deletion::Subject,
    id::{IdSpace, RecordId},
    kind::RecordKind,
    profile::Profile,
    time::Micros,
};
use muster_store::{credentials::Workspace, deletion::names};

use crate::{
    error::ApiError,
    resources::{instances, records::find},
    spawn::blocking,
    state::AppState,
};

/// Messages set aside that are read at a time, and all together before it is left open whether any names an id.
const PAGE_MESSAGES: usize = 50;
const LOOKED_THROUGH_MAX: usize = 50_000;

/// What an id of a path means.
pub(super) async fn meant(
    state: &AppState,
    workspace: &Workspace,
    kind: RecordKind,
    id: &str,
) -> Result<Subject, ApiError> {
    match find(state, workspace, kind, id).await {
        Ok(profile) => return Ok((kind, profile.id)),
        Err(ApiError::NoSuchRecord { .. }) => {}
        Err(error) => return Err(error),
    }
    let ids = IdSpace::new(&workspace.name);
    let anonymous = ids.record(RecordKind::Anonymous, id);
    if kind == RecordKind::User && nobody(state, workspace, anonymous).await? {
        return Ok((RecordKind::Anonymous, anonymous));
    }
    named_aside(state, workspace, (kind, ids.record(kind, id))).await
}

/// What an id in the path of a custom object means.
pub(super) async fn meant_instance(
    state: &AppState,
    workspace: &Workspace,
    object: &Profile,
    id: &str,
) -> Result<Subject, ApiError> {
    match instances::find(state, workspace, object, id).await {
        Ok(profile) => Ok((RecordKind::Instance, profile.id)),
        Err(ApiError::NoSuchRecord { .. }) => {
            let id = IdSpace::new(&workspace.name).instance(&object.id.to_string(), id);
            named_aside(state, workspace, (RecordKind::Instance, id)).await
        }
        Err(error) => Err(error),
    }
}

/// Whether there is an anonymous id of which nobody knows who it is. The error is that somebody does.
pub(super) async fn nobody(state: &AppState, workspace: &Workspace, id: RecordId) -> Result<bool, ApiError> {
    let found = state.store.profile(workspace.id, RecordKind::Anonymous, id).await.map_err(ApiError::Read)?;
    let Some(found) = found else { return Ok(false) };
    let was = found.as_anonymous().and_then(|anonymous| anonymous.users.links().first());
    was.map_or(Ok(true), |user| Err(somebody(user.parent)))
}

/// The subject itself, if messages set aside name it.
async fn named_aside(state: &AppState, workspace: &Workspace, subject: Subject) -> Result<Subject, ApiError> {
    let named = set_aside(state, workspace, subject).await?;
    named.map(|_| subject).ok_or(ApiError::NoSuchRecord { kind: subject.0.as_str() })
}

/// When the latest of the messages set aside was received that are about a record, if any is. Where there are more than are
/// looked through it is as if one were, received now: a deletion too many hurts nobody, one too few would.
pub(super) async fn set_aside(
    state: &AppState,
    workspace: &Workspace,
    subject: Subject,
) -> Result<Option<Micros>, ApiError> {
    let ids = IdSpace::new(&workspace.name);
    let (mut from, mut looked_through) = (None, 0);
    while looked_through < LOOKED_THROUGH_MAX {
        let page = state.store.refused(workspace.id, from, PAGE_MESSAGES).await.map_err(ApiError::Read)?;
        (from, looked_through) = (page.next, looked_through + page.refused.len());
        let permit = state.heavy_jobs.clone().acquire_owned().await.map_err(|_| ApiError::Internal)?;
        let look = move || {
            let _permit = permit;
            page.refused.iter().find(|one| names(&one.body, ids, subject)).map(|one| one.received_at)
        };
        let found = blocking("names", &state.metrics, look).await?;
        if found.is_some() || from.is_none() {
            return Ok(found);
        }
    }
    Ok(Some(state.clock.now()))
}

fn somebody(user: RecordId) -> ApiError {
    ApiError::parameter(format!(
        "there is no such user, but this is an anonymous id of the user {user}; delete that one, and what the id did while it was \
         that user goes too"
    ))
}
