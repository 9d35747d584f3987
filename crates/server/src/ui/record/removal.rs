//! Deleting the record that a page shows.

use axum::{extract::State, http::StatusCode, response::Response};
use muster_model::{kind::RecordKind, profile::Profile};
use muster_store::{
    credentials::{Scopes, Workspace},
    deletion::{Deletion, Stage},
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

/// Deletions, the newest, among which one is looked for that waits for its day.
const LOOKED_AT: usize = 200;

/// A deletion of a record that waits for its day, as far back as a page looks: its page, and the day.
pub(super) async fn scheduled(
    state: &AppState,
    workspace: &Workspace,
    profile: &Profile,
) -> Result<Option<(String, Html)>, ApiError> {
    let page = state.store.deletions(workspace.id, None, LOOKED_AT).await.map_err(ApiError::Read)?;
    let waits = |one: &&Deletion| one.stage == Stage::Scheduled && one.root == (profile.kind(), profile.id);
    Ok(page
        .deletions
        .iter()
        .find(waits)
        .and_then(|one| Some((format!("/admin/deletions/{}", one.id), shown::time(one.due?, Form::Full)))))
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
