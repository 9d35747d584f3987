//! Taking deletions over from receipts, as after a backup was restored.
//!
//! A backup from before a deletion brings back what was deleted. The receipts, kept apart from it, say what that is;
//! sent here they are carried out again, each with its own instant. One that is known already changes nothing. A receipt is
//! believed for its hash alone, so a line that was changed, cut or made up is refused, and with it all others.

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
    limits::FUTURE_MICROS_MAX,
    ties::Stretch,
    time::Micros,
};
use muster_store::{
    credentials::Workspace,
    deletion::{
        Delete,
        decree::{PARTS_MAX, SUBJECTS_MAX},
        receipt::{self, Unproven},
    },
};
use serde_json::Value;

use super::remove::carry_out;
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
    let now = state.clock.now();
    let reader = move |body: &Bytes| read_all(body, now);
    let (deletes, _reservation) = ingest::read(&state, raw, reader).await.map_err(IntoResponse::into_response)?;
    carry_out_all(&state, &workspace, deletes, caller.key_id()).await.map_err(IntoResponse::into_response)
}

fn read_all(body: &Bytes, now: Micros) -> Result<Vec<Delete>, ApiError> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let line = 1 + body[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        refused(line, NO_RECEIPT)
    })?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let deletes = lines.map(|(at, line)| read(line, now).map_err(|why| refused(at + 1, why)));
    Ok(deletes.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

async fn carry_out_all(
    state: &AppState,
    workspace: &Workspace,
    deletes: Vec<Delete>,
    key_id: u64,
) -> Result<Response, ApiError> {
    let (mut carried_out, mut known, mut not_here) = (0, 0, 0);
    for delete in deletes {
        let before = state.store.deletion(workspace.id, delete.id).await.map_err(ApiError::Read)?;
        if before.is_some_and(|before| before.erasure().is_some()) {
            known += 1;
            continue;
        }
        not_here += u64::from(!is_any_here(state, workspace, &delete).await?);
        carry_out(state, workspace, delete, key_id).await?;
        carried_out += 1;
    }
    Ok(json(StatusCode::OK, |object| {
        object.number("carriedOut", carried_out);
        object.number("known", known);
        object.number("notHere", not_here);
    }))
}

/// Whether there is any record here of which a receipt speaks. There is none when the backup did not have them, and none
/// ever of another workspace's receipt: its UUIDs are nobody's here.
async fn is_any_here(state: &AppState, workspace: &Workspace, delete: &Delete) -> Result<bool, ApiError> {
    let parts = delete.parts.iter().map(|part| (RecordKind::Anonymous, part.anonymous));
    for (kind, id) in delete.subjects.iter().copied().chain(parts) {
        if state.store.profile(workspace.id, kind, id).await.map_err(ApiError::Read)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

const NO_RECEIPT: &str = "is no receipt";
const UNSEALED: &str = "has no hash that proves it, because what it is the receipt of was not finished yet; take the line out and \
                        delete its record anew";
const CHANGED: &str = "does not have the hash of its own text, so it is not the receipt as it was printed";
const AHEAD: &str =
    "says that it was applied at an instant that has not come yet, and would have messages until then dropped";

/// What a receipt says was deleted; nothing if it was only scheduled or called off.
fn read(line: &str, now: Micros) -> Result<Option<Delete>, &'static str> {
    let receipt: Value = serde_json::from_str(line).map_err(|_| NO_RECEIPT)?;
    match receipt.get("appliedAt") {
        None => return Err(NO_RECEIPT),
        Some(Value::Null) => return Ok(None),
        Some(_) => {}
    }
    let delete = deleted(&receipt).ok_or(NO_RECEIPT)?;
    receipt::prove(line).map_err(|unproven| match unproven {
        Unproven::Unsealed => UNSEALED,
        Unproven::Changed => CHANGED,
    })?;
    if delete.at > now.plus_micros(FUTURE_MICROS_MAX) {
        return Err(AHEAD);
    }
    Ok(Some(delete))
}

fn deleted(receipt: &Value) -> Option<Delete> {
    let text = |name: &str| receipt.get(name).and_then(Value::as_str);
    let instant = |name: &str| text(name).and_then(Micros::parse);
    let id = text("id").and_then(DeletionId::parse)?;
    let root = receipt.get("record").and_then(subject)?;
    let requested_at = instant("requestedAt")?;
    let key_id = receipt.get("requestedBy").and_then(Value::as_u64)?;
    let at = instant("appliedAt")?;
    let records = receipt.get("records").and_then(Value::as_array)?;
    let subjects: Vec<Subject> = records.iter().map(subject).collect::<Option<_>>()?;
    if subjects.len() > SUBJECTS_MAX {
        return None;
    }
    // Only receipts of anonymous ids that were somebody else as well have it.
    let parts = receipt.get("parts").map_or(Some(&[][..]), |parts| parts.as_array().map(Vec::as_slice))?;
    let parts: Vec<Part> = parts.iter().map(part).collect::<Option<_>>()?;
    if parts.len() > PARTS_MAX {
        return None;
    }
    Some(Delete { id, root, requested_at, key_id, at, subjects, parts })
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

fn refused(line: usize, why: &str) -> ApiError {
    ApiError::parameter(format!(
        "line {line} {why}; nothing was carried out. Send receipts as `GET /resources/deletions/<id>` answers them, byte for byte, \
         one a line"
    ))
}
