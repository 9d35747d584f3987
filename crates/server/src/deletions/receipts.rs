//! Receipts: a list, one, and calling off what is scheduled.

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderValue, StatusCode, Uri, header::CONTENT_TYPE},
    response::Response,
};
use muster_model::deletion::DeletionId;
use muster_store::{
    credentials::Workspace,
    deletion::{Decree, Deletion, Stage, receipt},
};

use super::remove::send;
use crate::{
    error::ApiError,
    keys::Caller,
    resources::{
        answer::no_content,
        cursor::{ListName, Place},
        query::Query,
        records::{PAGE_RECORDS_MAX, PathId, Reader},
        write::statement::quoted,
    },
    state::AppState,
};

const KIND: &str = "deletion";

/// Answers a page of the list, newest first, without the records that each covers.
pub(super) async fn list(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    uri: Uri,
) -> Result<Response, ApiError> {
    let parameters = Query::of(&uri);
    let limit = parameters.limit(PAGE_RECORDS_MAX)?;
    let name = ListName::new(workspace.id, &["deletions"]);
    let from = name.read(parameters.get("from"))?.map(|place| DeletionId(place.id));
    let page = state.store.deletions(workspace.id, from, limit).await.map_err(ApiError::Read)?;
    let at = page.deletions.last().map(|last| last.requested_at).unwrap_or_default();
    let next = page.next.map(|id| format!("\"{}\"", name.write(Place { at, id: id.0 })));
    let receipts = page.deletions.iter().map(|one| with_problem(&state, one, receipt::summary(one)));
    let receipts: Vec<String> = receipts.collect();
    let (next, end) = (next.as_deref().unwrap_or("null"), next.is_none());
    Ok(raw(format!("{{\"results\":[{}],\"next\":{next},\"atEnd\":{end}}}", receipts.join(","))))
}

/// Answers one receipt, byte for byte the text that its hash is of, and the hash.
pub(super) async fn show(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let deletion = find(&state, &workspace, &id).await?;
    Ok(raw(with_problem(&state, &deletion, receipt::text(&deletion))))
}

/// The text of a receipt, with what keeps the deletion from being carried out although its day has come. No receipt that a
/// hash is of has it.
pub(crate) fn with_problem(state: &AppState, deletion: &Deletion, mut line: String) -> String {
    if let Some(problem) = state.waiting.problem(deletion.id).filter(|_| deletion.stage == Stage::Scheduled) {
        line.pop();
        line.push_str(&format!(",\"problem\":{}}}", quoted(&problem)));
    }
    line
}

/// Calls off a deletion that waits for its day.
pub(super) async fn cancel(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    PathId(id): PathId,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ApiError> {
    call_off(&state, &workspace, &id, caller.key_id()).await?;
    Ok(no_content())
}

/// Calls off a deletion, if it is not too late.
pub(crate) async fn call_off(state: &AppState, workspace: &Workspace, id: &str, key_id: u64) -> Result<(), ApiError> {
    let deletion = find(state, workspace, id).await?;
    if deletion.stage != Stage::Scheduled {
        return Err(ApiError::parameter(
            "only a deletion that is scheduled can be called off; this one is not, any more",
        ));
    }
    let decree = Decree::Cancel { id: deletion.id, at: state.clock.now(), by: Some(key_id) };
    send(state, workspace, &decree, key_id).await?;
    state.waiting.forget(workspace.id, &[deletion.id]);
    Ok(())
}

/// The deletion with an id.
pub(crate) async fn find(state: &AppState, workspace: &Workspace, id: &str) -> Result<Deletion, ApiError> {
    let unknown = || ApiError::NoSuchRecord { kind: KIND };
    let id = DeletionId::parse(id).ok_or_else(unknown)?;
    let found = state.store.deletion(workspace.id, id).await.map_err(ApiError::Read)?;
    found.ok_or_else(unknown)
}

fn raw(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
