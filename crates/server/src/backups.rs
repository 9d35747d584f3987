//! Backups over HTTP, for the command on the same machine.
//!
//! Only the local operator may ask for one: a backup holds every workspace, and its place is a path on this machine.

use std::path::PathBuf;

use axum::{
    Extension,
    extract::{Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json as json_value};

use crate::{
    error::ApiError,
    ingest::admit,
    keys::Caller,
    openapi::{Words, named, schema},
    resources::answer::json,
    router::{Access, Route},
    state::AppState,
    violation::Violation,
};

const PATH: &str = "/admin/v1/backups";

/// The routes of this file, with their words in the API document.
pub(crate) fn routes() -> [Route; 1] {
    let about = "For `muster backup` on the server's own machine, with the local operator's token. The answer comes when \
                 the backup is complete; messages are taken and read meanwhile.";
    let example = json_value!({"directory": "/var/backups/muster-2026-01-01"});
    let taken = Words::new("Backups", "Takes a backup", about)
        .body("Where to.", true, schema::any_object(), example)
        .answer(200, "What it holds.", schema::any_object())
        .answer(400, "The directory cannot be used.", named("FieldError"))
        .answer(409, "The directory is not empty, or another backup is being taken.", named("Error"));
    [Route::new(Method::POST, PATH, Access::Keys, take, taken)]
}

async fn take(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Response> {
    let raw = admit::from_operator(&state, &caller, request).await?;
    let wished: Value = serde_json::from_slice(&raw.bytes).unwrap_or_default();
    let Some(directory) = wished["directory"].as_str().map(PathBuf::from) else {
        let says = "must be the whole path of a new directory".to_owned();
        return Err(ApiError::Invalid(vec![Violation::new("/directory", "type", "string", says)]).into_response());
    };
    let backup = state.store.backup(directory).await.map_err(|error| ApiError::Admin(error).into_response())?;
    Ok(json(StatusCode::OK, |object| {
        object.text("directory", &backup.directory.to_string_lossy());
        object.number("historyFiles", backup.history_files);
        object.number("historyBytes", backup.history_bytes);
        object.number("entries", backup.entries);
        object.number("journalBytes", backup.journal_bytes);
    }))
}
