//! Taking an import back.
//!
//! When this answers nothing more is taken of the import; what it brought goes in the background.

use axum::{
    Extension,
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use muster_model::id::WorkspaceId;
use muster_store::{
    batch::BatchBuilder,
    import::{Import, Note},
};

use super::show;
use crate::{
    error::ApiError,
    ingest::journal,
    keys::Caller,
    resources::{answer::json, query::Query, records::PathId},
    state::AppState,
    wire::import,
};

/// Answers with the import that is being taken back, or was.
pub(super) async fn undo(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response, ApiError> {
    let key_id = caller.key_id();
    let workspace = caller.workspace(&state, &Query::of(&uri))?;
    let import = show::named(&state, workspace.id, &id).await?;
    let import = take_back(&state, workspace.id, import, key_id).await?;
    let now = state.clock.now();
    Ok(json(StatusCode::ACCEPTED, |object| import::write(object, &import, now)))
}

/// Has an import taken back for a key; one that was before stays as it is.
pub(crate) async fn take_back(
    state: &AppState,
    workspace: WorkspaceId,
    known: Import,
    key_id: u64,
) -> Result<Import, ApiError> {
    if known.is_closed() {
        return Ok(known);
    }
    let id = known.id;
    let mut batch = BatchBuilder::new(workspace, 64).sent_with(key_id);
    batch.import(&Note::Undo { id, at: state.clock.now(), by: Some(key_id) });
    journal::append_batch(state, batch.build()).await?;
    tracing::info!(import = id.0, "an import is taken back");
    show::find(state, workspace, id).await
}
