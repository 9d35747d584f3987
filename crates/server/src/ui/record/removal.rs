//! Deleting the record that a page shows.

use axum::{extract::State, http::StatusCode, response::Response};
use muster_model::{deletion::DeletionId, kind::RecordKind, profile::Profile, time::Micros};
use muster_store::{
    credentials::{Scopes, Workspace},
    deletion::Stage,
};

use super::super::{
    answer::{PageError, go},
    posted::Posted,
    shown::{self, Form, Html},
};
use crate::{
    deletions::remove,
    error::ApiError,
    resources::records::{PathId, find},
    state::AppState,
};

/// The word that has to be typed.
const WORD: &str = "delete";

/// The deletion of a record that waits for its day, the first to come if there are several: its page, and the day.
pub(super) async fn scheduled(
    state: &AppState,
    workspace: &Workspace,
    profile: &Profile,
) -> Result<Option<(String, Html)>, ApiError> {
    let root = (profile.kind(), profile.id);
    let mut first: Option<(Micros, DeletionId)> = None;
    for id in state.waiting.of(state, workspace.id, &[root], Micros::MAX).await? {
        // What is remembered may wait no more; the store knows.
        let found = state.store.deletion(workspace.id, id).await.map_err(ApiError::Read)?;
        let waits = found.filter(|one| one.stage == Stage::Scheduled && one.root == root);
        let due = waits.and_then(|one| Some((one.due?, id)));
        first = first.into_iter().chain(due).min();
    }
    Ok(first.map(|(due, id)| (format!("/admin/deletions/{id}"), shown::time(due, Form::Full))))
}

/// Deletes the record and what belongs to it alone, and leads to the receipt.
pub(in super::super) async fn remove(
    kind: RecordKind,
    State(state): State<AppState>,
    PathId(id): PathId,
    Posted { session, fields, .. }: Posted,
) -> Result<Response, PageError> {
    session.require(Scopes::WRITE)?;
    let profile = find(&state, session.workspace(), kind, &id).await?;
    if fields.get("word").trim() != WORD {
        let says = format!("nothing was deleted: type the word “{WORD}” to say that it is meant");
        return Err(PageError::Told { status: StatusCode::BAD_REQUEST, says });
    }
    let receipt = remove::delete(&state, session.workspace(), (kind, profile.id), session.key_id()).await;
    let receipt = receipt.map_err(|error: ApiError| PageError::Api(error))?;
    Ok(go(&format!("/admin/deletions/{receipt}")))
}
