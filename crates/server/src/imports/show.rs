//! Finding and showing imports.

use axum::{
    Extension,
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};

use muster_model::id::{ImportId, WorkspaceId};
use muster_store::import::Import;

use crate::{
    error::ApiError,
    keys::Caller,
    resources::{answer::json, query::Query, records::PathId},
    state::AppState,
    wire::import,
};

/// All imports of a workspace.
pub(super) async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let workspace = caller.workspace(&state, &Query::of(&uri))?;
    let imports = state.store.imports(workspace.id).await.map_err(ApiError::Read)?;
    let now = state.clock.now();
    Ok(json(StatusCode::OK, |object| {
        object.list("results", |list| {
            imports.iter().for_each(|import| list.object(|object| import::write(object, import, now)));
        });
    }))
}

/// One import.
pub(super) async fn show(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response, ApiError> {
    let workspace = caller.workspace(&state, &Query::of(&uri))?;
    let import = named(&state, workspace.id, &id).await?;
    let now = state.clock.now();
    Ok(json(StatusCode::OK, |object| import::write(object, &import, now)))
}

/// The import that a text names.
pub(crate) async fn named(state: &AppState, workspace: WorkspaceId, text: &str) -> Result<Import, ApiError> {
    let number = text.parse().ok().filter(|number| *number > 0);
    find(state, workspace, number.map(ImportId).ok_or(MISSING)?).await
}

/// The import of a number.
pub(super) async fn find(state: &AppState, workspace: WorkspaceId, id: ImportId) -> Result<Import, ApiError> {
    state.store.import(workspace, id).await.map_err(ApiError::Read)?.ok_or(MISSING)
}

const MISSING: ApiError = ApiError::NoSuchRecord { kind: "import" };
