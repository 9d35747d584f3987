//! Showing imports.

use axum::{
    Extension,
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};

use super::told::number_of;
use crate::{
    error::ApiError,
    keys::Caller,
    query::ask,
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
    let workspace = ask::workspace(&state, caller, &Query::of(&uri))?;
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
    let workspace = ask::workspace(&state, caller, &Query::of(&uri))?;
    let missing = ApiError::NoSuchRecord { kind: "import" };
    let Some(id) = number_of(&id) else { return Err(missing) };
    let import = state.store.import(workspace.id, id).await.map_err(ApiError::Read)?.ok_or(missing)?;
    let now = state.clock.now();
    Ok(json(StatusCode::OK, |object| import::write(object, &import, now)))
}
