//! Deleting the record that a page shows.

use axum::{extract::State, http::StatusCode, response::Response};
use muster_model::kind::RecordKind;
use muster_store::credentials::Scopes;

use super::super::{
    answer::{PageError, go},
    posted::Posted,
};
use crate::{
    deletions::remove,
    error::ApiError,
    resources::records::{PathId, find},
    state::AppState,
};

/// The word that has to be typed.
const WORD: &str = "delete";

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
