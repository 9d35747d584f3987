//! What operators manage over HTTP: keys, teams.
//!
//! A key with the scope `admin` manages its own workspace; the local operator's token manages all.

/// Keys of a workspace.
pub(crate) mod keys;

/// The team of a workspace.
mod team;

use crate::router::Route;

/// The routes of this part, with their words in the API document.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = Vec::from(keys::routes());
    routes.extend(team::routes());
    routes
}
