//! Deleting a record, now or later.

use axum::{
    Extension,
    extract::State,
    http::{HeaderValue, Uri, header::LOCATION},
    response::Response,
};
use muster_model::{
    deletion::{DeletionId, Subject},
    kind::RecordKind,
    time::Micros,
};
use muster_store::{
    batch::BatchBuilder,
    credentials::Workspace,
    deletion::{CoverError, Covered, Decree, Delete, cover},
};

use crate::{
    error::ApiError,
    ingest::journal::append_batch,
    keys::Caller,
    resources::{
        answer::no_content,
        custom_objects,
        instances::{self, PathIds},
        query::Query,
        records::{PathId, Reader, find},
    },
    state::AppState,
};

/// Deletes the record that a path means, or schedules that.
pub(super) async fn remove(
    kind: RecordKind,
    State(state): State<AppState>,
    Reader(workspace): Reader,
    PathId(id): PathId,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let due = day(&Query::of(&uri))?;
    let profile = find(&state, &workspace, kind, &id).await?;
    let (root, key_id) = ((kind, profile.id), caller.key_id());
    let id = match due.filter(|due| *due > state.clock.now()) {
        Some(due) => schedule(&state, &workspace, root, key_id, due).await?,
        None => delete(&state, &workspace, root, key_id).await?,
    };
    Ok(receipt_at(id))
}

/// Deletes a custom object's instance.
pub(super) async fn remove_instance(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    ids: PathIds,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ApiError> {
    let object = custom_objects::find(&state, &workspace, &ids.object).await?;
    let profile = instances::find(&state, &workspace, &object, &ids.instance).await?;
    delete(&state, &workspace, (RecordKind::Instance, profile.id), caller.key_id()).await.map(receipt_at)
}

/// Deletes a record and everything that belongs to it alone. The id is the receipt's.
pub(crate) async fn delete(
    state: &AppState,
    workspace: &Workspace,
    root: Subject,
    key_id: u64,
) -> Result<DeletionId, ApiError> {
    let requested_at = state.clock.now();
    let id = DeletionId::of(root, requested_at);
    delete_as(state, workspace, root, (id, requested_at), key_id).await.map(|()| id)
}

/// The same under an id that was given out before.
pub(super) async fn delete_as(
    state: &AppState,
    workspace: &Workspace,
    root: Subject,
    (id, requested_at): (DeletionId, Micros),
    key_id: u64,
) -> Result<(), ApiError> {
    let covered = cover(&*state.store, workspace.id, root).await;
    let Covered { subjects, parts, latest } = covered.map_err(|error| not_covered(root.0, error))?;
    // A clock that was set back must not leave anything behind that was received before.
    let at = latest.max(state.clock.now());
    let decree = Decree::Delete(Delete { id, root, requested_at, key_id, at, subjects, parts });
    send(state, workspace, &decree, key_id).await
}

/// Has a record deleted when a day has come.
pub(super) async fn schedule(
    state: &AppState,
    workspace: &Workspace,
    root: Subject,
    key_id: u64,
    due: Micros,
) -> Result<DeletionId, ApiError> {
    let requested_at = state.clock.now();
    let id = DeletionId::of(root, requested_at);
    send(state, workspace, &Decree::Schedule { id, root, requested_at, key_id, due }, key_id).await?;
    state.due.notify_one();
    Ok(id)
}

/// Has a decree carried out.
pub(super) async fn send(
    state: &AppState,
    workspace: &Workspace,
    decree: &Decree,
    key_id: u64,
) -> Result<(), ApiError> {
    let mut batch = BatchBuilder::new(workspace.id, 256).sent_with(key_id);
    batch.decree(decree);
    append_batch(state, batch.build()).await.map(drop)
}

/// The answer that names a receipt.
pub(crate) fn receipt_at(id: DeletionId) -> Response {
    let mut response = no_content();
    let location = HeaderValue::try_from(format!("/resources/deletions/{id}"));
    response.headers_mut().insert(LOCATION, location.expect("hexadecimal digits are a header's text"));
    response
}

fn not_covered(kind: RecordKind, error: CoverError) -> ApiError {
    match error {
        CoverError::Unknown => ApiError::NoSuchRecord { kind: kind.as_str() },
        CoverError::TooMany => ApiError::parameter(error.to_string()),
        CoverError::Read(error) => ApiError::Read(error),
    }
}

fn day(parameters: &Query) -> Result<Option<Micros>, ApiError> {
    let Some(text) = parameters.filled("deleteOn") else { return Ok(None) };
    let day = Micros::parse(text).filter(|_| text.len() == 10);
    day.map(Some)
        .ok_or_else(|| ApiError::parameter("deleteOn must be a day, such as 2026-09-01; it begins at midnight UTC"))
}
