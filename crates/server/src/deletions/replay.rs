//! Taking deletions over from receipts, as after a backup was restored.
//!
//! A backup from before a deletion brings back what was deleted. The receipts, kept apart from it, say what that is;
//! sent here they are carried out again, each with its own instant. One that is known already changes nothing.

use axum::{
    Extension,
    body::Bytes,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use muster_model::{
    deletion::{DeletionId, Part, Subject},
    id::RecordId,
    kind::RecordKind,
    ties::Stretch,
    time::Micros,
};
use muster_store::{
    credentials::Workspace,
    deletion::{
        Decree, Delete,
        decree::{PARTS_MAX, SUBJECTS_MAX},
    },
};
use serde_json::Value;

use super::remove::send;
use crate::{
    error::ApiError,
    ingest,
    keys::{Caller, unread},
    resources::{answer::json, records::Reader},
    state::AppState,
};

/// Carries out the deletions that the receipts of the body, one a line, speak of.
pub(super) async fn replay(
    State(state): State<AppState>,
    Reader(workspace): Reader,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Response> {
    let (head, mut body) = request.into_parts();
    let taken = ingest::admit::take(&state, &head, &mut body).await;
    let raw = taken.map_err(|error| unread(body, error.into_response()))?;
    let (deletes, _reservation) = ingest::read(&state, raw, read_all).await.map_err(IntoResponse::into_response)?;
    carry_out(&state, &workspace, deletes, caller.key_id()).await.map_err(IntoResponse::into_response)
}

fn read_all(body: &Bytes) -> Result<Vec<Delete>, ApiError> {
    let text = std::str::from_utf8(body).map_err(|_| broken(1))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let deletes = lines.map(|(at, line)| read(line).map_err(|()| broken(at + 1))).collect::<Result<Vec<_>, _>>()?;
    Ok(deletes.into_iter().flatten().collect())
}

async fn carry_out(
    state: &AppState,
    workspace: &Workspace,
    deletes: Vec<Delete>,
    key_id: u64,
) -> Result<Response, ApiError> {
    let (mut carried_out, mut known) = (0, 0);
    for delete in deletes {
        let before = state.store.deletion(workspace.id, delete.id).await.map_err(ApiError::Read)?;
        if before.is_some_and(|before| before.erasure().is_some()) {
            known += 1;
            continue;
        }
        send(state, workspace, &Decree::Delete(delete), key_id).await?;
        carried_out += 1;
    }
    Ok(json(StatusCode::OK, |object| {
        object.number("carriedOut", carried_out);
        object.number("known", known);
    }))
}

/// What a receipt says was deleted; nothing if it was only scheduled or called off.
fn read(line: &str) -> Result<Option<Delete>, ()> {
    let receipt: Value = serde_json::from_str(line).map_err(|_| ())?;
    let text = |name: &str| receipt.get(name).and_then(Value::as_str);
    let instant = |name: &str| text(name).and_then(Micros::parse);
    let id = text("id").and_then(DeletionId::parse).ok_or(())?;
    let root = receipt.get("record").and_then(subject).ok_or(())?;
    let requested_at = instant("requestedAt").ok_or(())?;
    let key_id = receipt.get("requestedBy").and_then(Value::as_u64).ok_or(())?;
    let Some(at) = instant("appliedAt") else { return Ok(None) };
    let records = receipt.get("records").and_then(Value::as_array).ok_or(())?;
    let subjects: Vec<Subject> = records.iter().map(subject).collect::<Option<_>>().ok_or(())?;
    if subjects.len() > SUBJECTS_MAX {
        return Err(());
    }
    // Only receipts of anonymous ids that were somebody else as well have it.
    let parts = receipt.get("parts").map_or(Some(&[][..]), |parts| parts.as_array().map(Vec::as_slice)).ok_or(())?;
    let parts: Vec<Part> = parts.iter().map(part).collect::<Option<_>>().ok_or(())?;
    if parts.len() > PARTS_MAX {
        return Err(());
    }
    Ok(Some(Delete { id, root, requested_at, key_id, at, subjects, parts }))
}

/// What a receipt says of an anonymous id; an edge that is not given lies beyond every instant.
fn part(part: &Value) -> Option<Part> {
    let edge = |name: &str, beyond| match part.get(name)? {
        Value::Null => Some(beyond),
        given => Micros::parse(given.as_str()?),
    };
    let anonymous = RecordId::parse(part.get("id")?.as_str()?)?;
    Some(Part { anonymous, stretch: Stretch { first: edge("from", Micros::MIN)?, last: edge("until", Micros::MAX)? } })
}

fn subject(record: &Value) -> Option<Subject> {
    let text = |name: &str| record.get(name).and_then(Value::as_str);
    let kind = text("kind")?;
    let kind = RecordKind::ALL.into_iter().find(|known| known.as_str() == kind)?;
    Some((kind, RecordId::parse(text("id")?)?))
}

fn broken(line: usize) -> ApiError {
    ApiError::parameter(format!(
        "line {line} is no receipt; send receipts as `GET /resources/deletions/<id>` answers them, one a line"
    ))
}
