//! The routes of this part, with their words in the API document.

use axum::{
    Extension,
    extract::State,
    http::{Method, Uri},
};
use muster_model::kind::RecordKind;
use muster_store::credentials::Scopes;
use serde_json::json;

use super::{receipts, remove, replay};
use crate::{
    keys::Caller,
    openapi::{Words, named, schema},
    resources::records::{PathId, Reader},
    router::{Access, Route},
    state::AppState,
};

const READ: Access = Access::Scope(Scopes::READ);
const WRITE: Access = Access::Scope(Scopes::WRITE);
const ADMIN: Access = Access::Scope(Scopes::ADMIN);
const RECEIPT: &str = "The id of the deletion, as the header `Location` of the answer to it names it.";

/// Deleting, and receipts.
pub(crate) fn routes() -> Vec<Route> {
    let listed = Words::new("Deletions", "Lists deletions", "Newest first, without the records that each covers.")
        .query("limit", "How many results a page may have.", schema::between(1, 100, 100))
        .query("from", "`next` of the page before; empty means the start.", schema::text())
        .answer(200, "A page.", named("Deletions"))
        .answer(400, "A parameter is not what it may be.", named("Error"));
    let about = "One line of JSON. `hash` is the SHA-256 of the line without it; `previous` is the hash of the receipt \
                 with the number before.";
    let known = |words: Words| words.segment("id", RECEIPT).answer(404, "There is no such deletion.", named("Error"));
    let shown = known(Words::new("Deletions", "Shows the receipt of one deletion", about));
    let shown = shown.answer(200, "The receipt.", named("Deletion"));
    let cancelled = known(Words::new("Deletions", "Calls off a scheduled deletion", ""))
        .bare(204, "It will not be carried out.")
        .answer(400, "It is not scheduled any more.", named("Error"));
    let about = "Receipts one a line, as they are shown. For after a backup from before them was restored.";
    let replayed = Words::new("Deletions", "Carries out again what receipts say was deleted", about)
        .body("Receipts.", true, schema::any_object(), json!({"id": "…", "records": []}))
        .answer(200, "How many were carried out, were known, and name no record that is here.", schema::any_object())
        .answer(400, "A line is no receipt, or not as it was printed; none was carried out.", named("Error"));
    vec![
        removal(RecordKind::Organization, "organizations", "Its accounts, and what belongs to it alone, go with it."),
        removal(RecordKind::Account, "accounts", "Its users go with it unless another account has them."),
        removal(RecordKind::User, "users", "Its events and answers go with it."),
        removal(RecordKind::NpsResponse, "npsResponses", "It is not counted any more."),
        Route::new(
            Method::DELETE,
            "/resources/customObjects/{id}/instances/{instanceId}",
            WRITE,
            remove::remove_instance,
            instance_removal(),
        ),
        Route::new(Method::GET, "/resources/deletions", READ, receipts::list, listed),
        Route::new(Method::POST, "/resources/deletions", ADMIN, replay::replay, replayed),
        Route::new(Method::GET, "/resources/deletions/{id}", READ, receipts::show, shown),
        Route::new(Method::DELETE, "/resources/deletions/{id}", WRITE, receipts::cancel, cancelled),
    ]
}

fn instance_removal() -> Words {
    let about = "Gone for every reader when this answers; the header `Location` names the receipt.";
    Words::new("Deletions", "Deletes one custom object instance", about)
        .segment("id", "The custom object's UUID or name.")
        .segment("instanceId", "The instance's UUID or its external id, percent-encoded.")
        .bare(204, "It is deleted.")
        .answer(404, "There is no such instance.", named("Error"))
}

fn removal(kind: RecordKind, path: &str, about: &str) -> Route {
    let about = format!("{about} Gone for every reader when this answers; the header `Location` names the receipt.");
    let words = Words::new("Deletions", &format!("Deletes one {}", kind.as_str()), &about)
        .segment("id", "The record's UUID or its external id, percent-encoded.")
        .query("deleteOn", "The day on which to delete it, such as 2026-09-01, rather than now.", schema::text())
        .bare(204, "It is deleted, or will be.")
        .answer(
            400,
            "The day is none, more records belong to it than one deletion takes, or it is an anonymous id of a user.",
            named("Error"),
        )
        .answer(404, "There is no such record, and nothing else is stored of the id.", named("Error"));
    let handler = move |state: State<AppState>, reader: Reader, id: PathId, caller: Extension<Caller>, uri: Uri| {
        remove::remove(kind, state, reader, id, caller, uri)
    };
    Route::new(Method::DELETE, format!("/resources/{path}/{{id}}"), WRITE, handler, words)
}
