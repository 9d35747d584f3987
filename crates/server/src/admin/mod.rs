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

use crate::router::Route;

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
