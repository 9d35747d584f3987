//! The routes of this part, with their words in the API document.

use axum::{extract::State, http::Method};
use muster_model::kind::RecordKind;
use muster_store::credentials::Scopes;
use serde_json::json;

use super::{accounts, activity, events, later, list_routes, organizations, past, records, refused, users};
use crate::{
    openapi::{Words, named, schema},
    router::{Access, Route},
    state::AppState,
};

const READ: Access = Access::Scope(Scopes::READ);
const WRITE: Access = Access::Scope(Scopes::WRITE);
pub(super) const ID: &str = "The record's UUID or its external id, percent-encoded.";
const REFUSED_ID: &str = "The id of the message set aside.";

/// Records, timelines, messages set aside, and what is not offered.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = vec![
        Route::new(
            Method::GET,
            "/resources/organizations",
            READ,
            organizations::list,
            list_routes::sorted(list("organizations", "Organizations")),
        ),
        Route::new(
            Method::GET,
            "/resources/organizations/{id}",
            READ,
            organizations::show,
            one("organization", "Organization"),
        ),
        Route::new(
            Method::GET,
            "/resources/accounts",
            READ,
            accounts::list,
            list_routes::of_accounts(list("accounts", "Accounts")),
        ),
        Route::new(Method::GET, "/resources/accounts/{id}", READ, accounts::show, one("account", "Account")),
        Route::new(
            Method::GET,
            "/resources/accounts/{id}/healthScores",
            READ,
            accounts::health_scores,
            health_scores(),
        ),
        Route::new(Method::GET, "/resources/users", READ, users::list, list_routes::seen(list("users", "Users"))),
        Route::new(Method::GET, "/resources/users/{id}", READ, users::show, one("user", "User")),
        timeline(RecordKind::Organization, "organizations"),
        timeline(RecordKind::Account, "accounts"),
        timeline(RecordKind::User, "users"),
    ];
    routes.extend(past::routes());
    routes.extend(activity::routes());
    routes.extend(set_aside());
    routes.extend(super::write::routes::routes());
    routes.extend(super::team::routes());
    routes.extend(list_routes::routes());
    routes.extend(later::routes());
    routes
}

fn list(what: &str, schema_name: &str) -> Words {
    let description = "Newest first, unless `sortBy` and `order` say otherwise. A full pass with `sortBy=createdAt` sees \
                       every record that existed at its start exactly once. A page ends early when it grows very large, \
                       and when few of many records meet the conditions: then it may even be empty and have a `next`.";
    Words::new("Records", &format!("Lists {what}"), description).answer(200, "A page.", named(schema_name))
}

fn health_scores() -> Words {
    let about = "Nothing here scores health, so the list is empty and `healthScore` of records is `null`.";
    Words::new("Records", "Lists the health scores of one account", about)
        .segment("id", ID)
        .answer(200, "An empty page.", named("NoHealthScores"))
        .answer(404, "There is no such record.", named("Error"))
}

fn one(what: &str, schema_name: &str) -> Words {
    let description = "`implied` is true while other messages named the record and none described it.";
    Words::new("Records", &format!("Shows one {what}"), description)
        .segment("id", ID)
        .query("asOf", past::AS_OF, schema::instant())
        .answer(200, "The record.", named(schema_name))
        .answer(404, "There is no such record.", named("Error"))
}

fn timeline(kind: RecordKind, path: &str) -> Route {
    let description = "Newest first. The account and the organization of an event are those it is attributed to now.";
    let words = Words::new("Records", &format!("Lists the events of one {}", kind.as_str()), description);
    let words = paged(words.segment("id", ID), 1_000)
        .query("event", "Only events of this name.", schema::text())
        .query("after", "Only events at or after this instant.", schema::instant())
        .query("before", "Only events before this instant.", schema::instant())
        .answer(200, "A page.", named("Events"))
        .answer(404, "There is no such record.", named("Error"));
    let handler = move |state: State<AppState>, reader: records::Reader, id: records::PathId, uri: axum::http::Uri| {
        events::list(kind, state, reader, id, uri)
    };
    Route::new(Method::GET, format!("/resources/{path}/{{id}}/events"), READ, handler, words)
}

fn set_aside() -> [Route; 4] {
    let listed = paged(Words::new("Set aside", "Lists messages set aside", "Newest first."), 100).answer(
        200,
        "A page.",
        named("RefusedMessages"),
    );
    let known = |words: Words| words.segment("id", REFUSED_ID).answer(404, "There is no such message.", named("Error"));
    let shown =
        known(Words::new("Set aside", "Shows one message set aside", "")).answer(200, "The message.", named("Refused"));
    let about = "With a body, that is sent in its place; without one, the message as it was kept. Accepted, the entry is \
                 gone; still refused, it stays.";
    let resent = known(Words::new("Set aside", "Sends a message again", about))
        .body(
            "The corrected message.",
            false,
            schema::message(),
            json!({"type": "user", "userId": "32", "accountId": null}),
        )
        .answer(200, "The message is stored.", named("Success"))
        .answer(400, "The message is still refused.", named("IngestError"));
    let removed = known(Words::new("Set aside", "Drops a message set aside", "")).bare(204, "It is gone.");
    [
        Route::new(Method::GET, "/resources/refused", READ, refused::list, listed),
        Route::new(Method::GET, "/resources/refused/{id}", READ, refused::show, shown),
        Route::new(Method::DELETE, "/resources/refused/{id}", WRITE, refused::remove, removed),
        Route::new(Method::POST, "/resources/refused/{id}/resend", WRITE, refused::resend, resent),
    ]
}

pub(super) fn paged(words: Words, most: i64) -> Words {
    words
        .query("limit", "How many results a page may have.", schema::between(1, most, 100))
        .query("from", "`next` of the page before; empty means the start.", schema::text())
        .answer(400, "A parameter is not what it may be.", named("Error"))
}
