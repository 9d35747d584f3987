//! What operators manage over HTTP: keys, teams, saved views, destinations.
//!
//! A key with the scope `admin` manages its own workspace; the local operator's token manages all.

/// Keys of a workspace.
pub(crate) mod keys;

/// Workspaces: which there are, and making one.
pub(crate) mod workspaces;

/// The team of a workspace.
mod team;

/// Views and queries under names.
mod saved_views;

/// Destinations that messages go on to.
pub(crate) mod destinations;

/// Messages that destinations refused.
mod dead_letters;

use axum::http::Uri;
use muster_store::{credentials::Workspace, error::AdminError};

use crate::{error::ApiError, keys::Caller, resources::query::Query, router::Route, state::AppState};

/// The routes of this part, with their words in the API document.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = Vec::from(keys::routes());
    routes.extend(workspaces::routes());
    routes.extend(team::routes());
    routes.extend(saved_views::routes());
    routes.extend(destinations::routes());
    routes.extend(dead_letters::routes());
    routes
}

/// The workspace that is meant.
fn workspace(state: &AppState, caller: &Caller, uri: &Uri) -> Result<Workspace, ApiError> {
    let parameters = Query::of(uri);
    let wished = parameters.filled("workspace");
    match (caller, wished) {
        (Caller::Key(key), None) => Ok(key.workspace.clone()),
        (Caller::Key(key), Some(name)) if name == key.workspace.name => Ok(key.workspace.clone()),
        (Caller::Key(_), Some(_)) => Err(ApiError::OtherWorkspace),
        (Caller::Operator, wished) => {
            let name = wished.unwrap_or("default");
            let unknown = || ApiError::Admin(AdminError::NotFound(format!("there is no workspace {name}")));
            state.store.workspaces().into_iter().find(|known| known.name == name).ok_or_else(unknown)
        }
    }
}
