//! What operators manage: keys, team, imports, deletions, health, the workspace. Every page asks for the scope `admin`, but
//! for deletions, which readers may look at.

/// Keys: made, shown once, revoked.
mod keys;

/// Team members.
mod team;

/// Deletions and their receipts.
mod deletions;

/// Imports: how far each has come, and taking one back.
mod imports;

/// Where messages go on to.
mod destinations;

/// What a form says of a destination.
mod destination_form;

/// How the server does.
mod health;

/// What an operator looks at first.
mod checks;

/// The workspace, and how another is made.
mod workspace;

/// All workspaces, for those who operate the server.
mod workspaces;

/// Samples of how the server does, a minute apart.
mod samples;

use axum::{
    Router,
    routing::{get, post},
};

pub(crate) use self::samples::{Samples, start as start_sampling};
use crate::state::AppState;

/// The pages of this part.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/admin/keys", get(keys::show).post(keys::create))
        .route("/admin/keys/{id}/revoke", post(keys::revoke))
        .route("/admin/team", get(team::show).post(team::add))
        .route("/admin/team/{id}/password", post(team::set_password))
        .route("/admin/team/{id}/no-password", post(team::remove_password))
        .route("/admin/team/{id}/remove", post(team::remove))
        .route("/admin/deletions", get(deletions::all))
        .route("/admin/deletions/{id}", get(deletions::one))
        .route("/admin/deletions/{id}/cancel", post(deletions::cancel))
        .route("/admin/imports", get(imports::all))
        .route("/admin/imports/{id}", get(imports::one))
        .route("/admin/imports/{id}/undo", get(imports::ask).post(imports::undo))
        .route("/admin/destinations", get(destinations::all).post(destinations::create))
        .route("/admin/destinations/{name}", get(destinations::one).post(destinations::change))
        .route("/admin/destinations/{name}/pause", post(destinations::pause))
        .route("/admin/destinations/{name}/remove", post(destinations::remove))
        .route("/admin/destinations/{name}/resend", post(destinations::resend))
        .route("/admin/destinations/{name}/drop", post(destinations::drop_letters))
        .route("/admin/health", get(health::show))
        .route("/admin/workspace", get(workspace::show))
        .route("/admin/workspaces", get(workspaces::all).post(workspaces::create))
}
