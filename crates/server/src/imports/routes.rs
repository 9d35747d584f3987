//! The routes of this part, with their words in the API document.

use axum::http::Method;
use muster_store::import::note::NAME_BYTES_MAX;
use serde_json::json;
use utoipa::openapi::{ObjectBuilder, Schema};

use super::{begin, show, undo};
use crate::{
    openapi::{Words, named, schema},
    router::{Access, Route},
};

const PATH: &str = "/admin/v1/imports";
const UNDO_PATH: &str = "/admin/v1/imports/{id}/undo";
const ONE_PATH: &str = "/admin/v1/imports/{id}";
const WORKSPACE: &str = "For the local operator: the workspace. A key has its own.";

/// Imports: begun, listed, shown.
pub(crate) fn routes() -> Vec<Route> {
    let words = |summary: &str, about: &str| {
        Words::new("Import and export", summary, about).query("workspace", WORKSPACE, schema::text())
    };
    let listed = words("Lists imports", "Newest first, each with how far it has come.");
    let listed = listed.answer(200, "The imports.", named("Imports"));
    let about = "Or goes on with the last one of the same `fingerprint` and `format` that was not read to its end: the \
                 answer says from which `position`.";
    let begun = words("Begins an import", about)
        .body("What it comes from.", true, fields(), json!({"name": "a.ndjson", "format": "muster", "bytes": 4096}))
        .answer(200, "The import.", named("Import"))
        .answer(400, "The body breaks a rule.", named("FieldError"))
        .answer(409, "The workspace keeps as many imports as it may.", named("Error"));
    let shown = words("Shows an import", "").segment("id", "Its number.");
    let shown =
        shown.answer(200, "The import.", named("Import")).answer(404, "There is no such import.", named("Error"));
    let about = "What it brought, and nobody else sent or brought, goes from everything that is read, as if it had never come, and \
                 may come again. Nothing more is taken of it from now on; the rest happens in the background, and is done \
                 once `state` is `undone`. What was forwarded already cannot be called back.";
    let undone = words("Takes an import back", about)
        .segment("id", "Its number.")
        .answer(202, "It is being taken back, or was.", named("Import"))
        .answer(404, "There is no such import.", named("Error"));
    vec![
        Route::new(Method::GET, PATH, Access::Keys, show::list, listed),
        Route::new(Method::POST, PATH, Access::Keys, begin::begin, begun),
        Route::new(Method::POST, UNDO_PATH, Access::Keys, undo::undo, undone),
        Route::new(Method::GET, ONE_PATH, Access::Keys, show::show, shown),
    ]
}

fn fields() -> Schema {
    let name = ObjectBuilder::new().schema_type(utoipa::openapi::Type::String).max_length(Some(NAME_BYTES_MAX));
    ObjectBuilder::new()
        .property("name", name)
        .property("format", schema::text())
        .property("bytes", schema::between(0, i64::MAX, 0))
        .property("fingerprint", schema::text())
        .property("again", schema::boolean())
        .required("format")
        .into()
}
