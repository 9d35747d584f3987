//! Paths of the contract that are answered with an explanation.
//!
//! They will never be offered; the answer says so, rather than that there is no such path.

use axum::{http::Method, response::IntoResponse};
use muster_store::credentials::Scopes;

use crate::{
    error::ApiError,
    openapi::{Words, named},
    router::{Access, Route},
};

const KINDS: [&str; 3] = ["organizations", "accounts", "users"];
const METHODS: [Method; 4] = [Method::GET, Method::POST, Method::PUT, Method::DELETE];
/// What belongs to screens that are not built here.
const SCREENS: [&str; 10] = [
    "notes",
    "noteCategories",
    "tasks",
    "taskCategories",
    "projects",
    "projectTemplates",
    "projectCategories",
    "meetings",
    "conversations",
    "messages",
];

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    for kind in KINDS {
        for screen in SCREENS {
            routes.extend(METHODS.map(|method| never(method, format!("/resources/{kind}/{{id}}/{screen}"))));
        }
    }
    for screen in SCREENS {
        routes.extend(METHODS.map(|method| never(method, format!("/resources/{screen}"))));
        routes.extend(METHODS.map(|method| never(method, format!("/resources/{screen}/{{*rest}}"))));
    }
    routes
}

fn never(method: Method, path: String) -> Route {
    let words = Words::new("Not offered", "Will not be offered: belongs to a customer-success team's screens", "");
    route(method, path, words, ApiError::OutOfScope)
}

fn route(method: Method, path: String, words: Words, error: ApiError) -> Route {
    let mut words = words.answer(501, "Not offered; the answer says why.", named("Error"));
    for name in ["id", "instanceId", "key", "rest"] {
        if path.contains(&format!("{{{name}}}")) || path.contains(&format!("{{*{name}}}")) {
            words = words.segment(name, "");
        }
    }
    let needs = if method == Method::GET { Scopes::READ } else { Scopes::WRITE };
    let handler = move || {
        let error = error.clone();
        async move { error.into_response() }
    };
    Route::new(method, path, Access::Scope(needs), handler, words)
}
