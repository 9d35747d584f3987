//! Making, listing and ending tails.

use std::time::Duration;

use axum::{
    Extension,
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use muster_store::{
    error::AdminError,
    follow::{NewFollower, Start},
};

use super::kept;
use crate::{
    error::ApiError,
    keys::Caller,
    resources::{
        answer::{json, no_content},
        query::Query,
        records::PathId,
    },
    state::AppState,
};

/// Tails that there are at the most, all workspaces together; destinations are followers as well.
const TAILS_MAX: usize = 8;
/// Seconds that a tail is kept when nobody asks for it: by default, at least and at the most.
pub(super) const KEPT_SECONDS_DEFAULT: u64 = 7 * 86_400;
pub(super) const KEPT_SECONDS_MIN: u64 = 60;
pub(super) const KEPT_SECONDS_MAX: u64 = 30 * 86_400;

/// Makes a tail; what is stored from now on is kept for it.
pub(super) async fn create(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let parameters = Query::of(&uri);
    let workspace = caller.workspace(&state, &parameters)?;
    let kept_for = kept_for(&parameters)?;
    let tails = state.store.followers().iter().filter(|follower| kept::is_tail(&follower.settings)).count();
    if tails >= TAILS_MAX {
        let says = format!("at most {TAILS_MAX} exports are followed; end one with DELETE /export/tails/NAME first");
        return Err(ApiError::Admin(AdminError::Invalid(says)));
    }
    let new = NewFollower {
        workspace: workspace.id,
        name: kept::name(),
        settings: kept::settings(kept_for),
        start: Start::Now,
        created_at: state.clock.now(),
    };
    let follower = state.store.add_follower(new).await.map_err(ApiError::Admin)?;
    state.seats.idle(follower.id);
    Ok(json(StatusCode::OK, |object| object.text("name", &follower.name)))
}

fn kept_for(parameters: &Query) -> Result<Duration, ApiError> {
    let seconds = parameters.whole("keptSeconds", KEPT_SECONDS_MIN..=KEPT_SECONDS_MAX)?;
    Ok(Duration::from_secs(seconds.unwrap_or(KEPT_SECONDS_DEFAULT)))
}

/// The workspace's tails, oldest first.
pub(super) async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let workspace = caller.workspace(&state, &Query::of(&uri))?;
    let mut tails = state.store.followers();
    tails.retain(|follower| follower.workspace == workspace.id);
    Ok(json(StatusCode::OK, |object| {
        object.list("results", |list| {
            for follower in &tails {
                let Some(kept_for) = kept::kept_for(&follower.settings) else { continue };
                list.object(|object| {
                    object.text("name", &follower.name);
                    object.text("createdAt", &follower.created_at.to_millis_text());
                    object.number("keptSeconds", kept_for.as_secs());
                    object.number("idleSeconds", state.seats.idle(follower.id).as_secs());
                });
            }
        });
    }))
}

/// Ends a tail.
pub(super) async fn end(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    PathId(name): PathId,
    uri: Uri,
) -> Result<Response, ApiError> {
    let workspace = caller.workspace(&state, &Query::of(&uri))?;
    let follower = kept::find(&*state.store, &workspace, &name)?;
    state.store.remove_follower(follower.id).await.map_err(ApiError::Admin)?;
    state.seats.clear(&*state.store, follower.id);
    Ok(no_content())
}
