//! Messages that destinations refused, over HTTP: listed, sent again, dropped.

use axum::{
    Extension,
    extract::{Path, State},
    http::{Method, StatusCode, Uri},
    response::Response,
};
use muster_store::follow::{FollowerId, Letter, LetterId, unknown_letter};

use crate::{
    error::ApiError,
    keys::Caller,
    openapi::{Words, named, schema},
    resources::{
        answer::{self, json, no_content, page},
        query::Query,
        records::{PAGE_RECORDS_MAX, PathId},
    },
    router::{Access, Route},
    state::AppState,
    wire::dead_letter,
};

const PATH: &str = "/admin/v1/destinations/{id}/dead-letters";
const RESEND_PATH: &str = "/admin/v1/destinations/{id}/dead-letters/resend";
const ONE_PATH: &str = "/admin/v1/destinations/{id}/dead-letters/{letter}";
const WORKSPACE: &str = "For the local operator: the workspace. A key has its own.";

/// The routes of this file, with their words in the API document.
pub(super) fn routes() -> [Route; 4] {
    let words = |summary: &str, about: &str| {
        Words::new("Forwarding", summary, about)
            .query("workspace", WORKSPACE, schema::text())
            .segment("id", "The destination's name.")
            .answer(404, "There is no such destination, or no such dead letter.", named("Error"))
    };
    let listed =
        words("Lists dead letters", "Oldest first: messages that the destination refused, each with the reason.")
            .query("limit", "Letters of one page.", schema::between(1, PAGE_RECORDS_MAX as i64, 100))
            .query("from", "Where the page starts: `next` of the page before.", schema::text())
            .answer(200, "A page of letters.", named("DeadLetters"));
    let about = "They are sent before anything else, and are letters again if they are refused again.";
    let resent = words("Sends dead letters again", about)
        .query("letter", "Only this one; all when left out.", schema::text())
        .answer(200, "How many are sent again.", named("Count"));
    let dropped = words("Drops all dead letters", "").answer(200, "How many there were.", named("Count"));
    let ended = words("Drops a dead letter", "").segment("letter", "The letter's id.").bare(204, "It is gone.");
    [
        Route::new(Method::GET, PATH, Access::Keys, list, listed),
        Route::new(Method::POST, RESEND_PATH, Access::Keys, resend, resent),
        Route::new(Method::DELETE, PATH, Access::Keys, drop_all, dropped),
        Route::new(Method::DELETE, ONE_PATH, Access::Keys, drop_one, ended),
    ]
}

async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    PathId(name): PathId,
    uri: Uri,
) -> Result<Response, ApiError> {
    let id = destination(&state, &caller, &uri, &name)?;
    let parameters = Query::of(&uri);
    let limit = parameters.limit(PAGE_RECORDS_MAX)?;
    let from = parameters.filled("from").map(|text| LetterId::parse(text).ok_or(ApiError::Cursor)).transpose()?;
    let found = state.store.letters(id, from, limit).await.map_err(ApiError::Read)?;
    let weight = found.letters.iter().map(|one| 256 + one.record.len()).sum();
    let bytes_max = state.settings.page_bytes_max;
    let write = move || {
        let after = |one: &Letter| one.id.to_string();
        let next = found.next.map(|id| id.to_string());
        page(&found.letters, next, bytes_max, dead_letter::write, after)
    };
    answer::write(&state, weight, write).await
}

async fn resend(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    PathId(name): PathId,
    uri: Uri,
) -> Result<Response, ApiError> {
    let id = destination(&state, &caller, &uri, &name)?;
    let parameters = Query::of(&uri);
    let letter = parameters.filled("letter").map(parse).transpose()?;
    let count = state.store.resend_letters(id, letter).await.map_err(ApiError::Admin)?;
    state.office.hurry(id);
    Ok(json(StatusCode::OK, |object| object.number("count", count)))
}

async fn drop_all(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    PathId(name): PathId,
    uri: Uri,
) -> Result<Response, ApiError> {
    let id = destination(&state, &caller, &uri, &name)?;
    let count = state.store.drop_letters(id, None).await.map_err(ApiError::Admin)?;
    Ok(json(StatusCode::OK, |object| object.number("count", count)))
}

async fn drop_one(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((name, letter)): Path<(String, String)>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let id = destination(&state, &caller, &uri, &name)?;
    state.store.drop_letters(id, Some(parse(&letter)?)).await.map_err(ApiError::Admin)?;
    Ok(no_content())
}

fn parse(letter: &str) -> Result<LetterId, ApiError> {
    LetterId::parse(letter).ok_or_else(|| ApiError::Admin(unknown_letter()))
}

fn destination(state: &AppState, caller: &Caller, uri: &Uri, name: &str) -> Result<FollowerId, ApiError> {
    let workspace = caller.workspace(state, &Query::of(uri))?;
    let found = state.office.find(workspace.id, name).map_err(ApiError::Admin)?;
    Ok(found.follower.id)
}
