//! Messages set aside: shown, sent again, dropped.
//!
//! Sending one again is one batch: the end of the old entry and the message itself, so that it is never in both places
//! and never in none. One that is still refused stays as it is.

use axum::{
    Extension,
    extract::{Request, State},
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use muster_store::{
    batch::BatchBuilder,
    credentials::Workspace,
    refused::{Refused, RefusedCursor, RefusedId},
};

use super::{
    answer::{self, json, no_content, page},
    cursor::{ListName, Place},
    query::Query,
    records::{PAGE_RECORDS_MAX, PathId, Reader},
};
use crate::{
    error::ApiError,
    ingest,
    keys::{Caller, unread},
    state::AppState,
    wire::refused,
};

/// Answers a page of the list.
pub(super) async fn list(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    uri: Uri,
) -> Result<Response, ApiError> {
    let parameters = Query::of(&uri);
    let limit = parameters.limit(PAGE_RECORDS_MAX)?;
    let list = ListName::new(workspace.id, &["refused"]);
    let from = list.read(parameters.get("from"))?;
    let from = from.map(|place| RefusedCursor { received_at: place.at, id: RefusedId(place.id) });
    let found = state.store.refused(workspace.id, from, limit).await.map_err(ApiError::Read)?;
    let cursor = move |at: RefusedCursor| list.write(Place { at: at.received_at, id: at.id.0 });
    let weight = found.refused.iter().map(|one| 256 + one.body.len()).sum();
    let bytes_max = state.settings.page_bytes_max;
    let write = move || {
        let after = |one: &Refused<'_>| cursor(RefusedCursor { received_at: one.received_at, id: one.id });
        page(&found.refused, found.next.map(&cursor), bytes_max, refused::write, after)
    };
    answer::write(&state, weight, write).await
}

/// Answers one message.
pub(super) async fn show(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let found = find(&state, &workspace, &id).await?;
    let found_bytes = found.body.len();
    let write = move || json(StatusCode::OK, |object| refused::write(object, &found));
    answer::write(&state, found_bytes, write).await
}

/// Sends a message again: the body of the request if there is one, the kept message otherwise.
pub(super) async fn resend(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    PathId(id): PathId,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    match find(&state, &workspace, &id).await {
        Ok(kept) => ingest::resend(&state, kept, caller, request).await,
        Err(error) => unread(request.into_body(), error.into_response()),
    }
}

/// Drops a message.
pub(super) async fn remove(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let found = find(&state, &workspace, &id).await?;
    forget(&state, &workspace, [found.id]).await?;
    Ok(no_content())
}

/// Drops messages, all of them or none.
pub(crate) async fn forget(
    state: &AppState,
    workspace: &Workspace,
    ids: impl IntoIterator<Item = RefusedId>,
) -> Result<(), ApiError> {
    let mut builder = BatchBuilder::new(workspace.id, 64);
    ids.into_iter().for_each(|id| builder.forget(id));
    let batch = builder.build();
    if !batch.is_empty() {
        ingest::journal::append_batch(state, batch).await?;
    }
    Ok(())
}

/// The message with an id.
pub(crate) async fn find(state: &AppState, workspace: &Workspace, id: &str) -> Result<Refused<'static>, ApiError> {
    let unknown = || ApiError::NoSuchRecord { kind: "message set aside" };
    let id = RefusedId::parse(id).ok_or_else(unknown)?;
    let found = state.store.refused_message(workspace.id, id).await.map_err(ApiError::Read)?;
    found.ok_or_else(unknown)
}
