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

use super::meant::{meant, meant_instance, nobody, set_aside};
use crate::{
    error::ApiError,
    ingest::journal::append_batch,
    keys::Caller,
    resources::{
        answer::no_content,
        custom_objects,
        instances::PathIds,
        query::Query,
        records::{PathId, Reader},
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
    let (root, key_id) = (meant(&state, &workspace, kind, &id).await?, caller.key_id());
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
    let root = meant_instance(&state, &workspace, &object, &ids.instance).await?;
    delete(&state, &workspace, root, caller.key_id()).await.map(receipt_at)
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

/// The same under an id that was given out before. What was scheduled for any of the records ends with it.
pub(super) async fn delete_as(
    state: &AppState,
    workspace: &Workspace,
    root: Subject,
    (id, requested_at): (DeletionId, Micros),
    key_id: u64,
) -> Result<(), ApiError> {
    if root.0 == RecordKind::Anonymous {
        // Somebody may have said who it is since it was scheduled.
        nobody(state, workspace, root.1).await?;
    }
    let Covered { subjects, parts, latest } = match cover(&*state.store, workspace.id, root).await {
        // What only messages set aside name is no record, and goes all the same.
        Err(CoverError::Unknown) => match set_aside(state, workspace, root).await? {
            Some(latest) => Covered { subjects: vec![root], parts: Vec::new(), latest },
            None => return Err(not_covered(root.0, CoverError::Unknown)),
        },
        covered => covered.map_err(|error| not_covered(root.0, error))?,
    };
    // A clock that was set back must not leave anything behind that was received before.
    let at = latest.max(state.clock.now());
    carry_out(state, workspace, Delete { id, root, requested_at, key_id, at, subjects, parts }, key_id).await
}

/// Has a deletion carried out, and calls off those that wait for any of its records and were asked for before it: the
/// same id, sent again, is a new record that nobody asked to delete.
pub(super) async fn carry_out(
    state: &AppState,
    workspace: &Workspace,
    delete: Delete,
    key_id: u64,
) -> Result<(), ApiError> {
    let (id, at) = (delete.id, delete.at);
    let mut void = state.waiting.of(state, workspace.id, &delete.subjects, at).await?;
    void.retain(|waiting| *waiting != id);
    let mut batch = BatchBuilder::new(workspace.id, 256).sent_with(key_id);
    batch.decree(&Decree::Delete(delete));
    void.iter().for_each(|waiting| batch.decree(&Decree::Cancel { id: *waiting, at, by: None }));
    append_batch(state, batch.build()).await?;
    void.push(id);
    state.waiting.forget(workspace.id, &void);
    Ok(())
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
    state.waiting.add(state, (workspace.id, root), (id, requested_at)).await?;
    send(state, workspace, &Decree::Schedule { id, root, requested_at, key_id, due }, key_id).await?;
    state.waiting.wake.notify_one();
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
    let Some(text) = parameters.get("deleteOn") else { return Ok(None) };
    let day = Micros::parse(text).filter(|_| text.len() == 10);
    day.map(Some)
        .ok_or_else(|| ApiError::parameter("deleteOn must be a day, such as 2026-09-01; it begins at midnight UTC"))
}
