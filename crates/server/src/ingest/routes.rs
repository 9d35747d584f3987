//! The routes of this part, with their words in the API document.

use axum::{
    Extension,
    extract::{Request, State},
    http::Method,
};
use muster_model::{kind::Kind, limits::BATCH_MESSAGES_MAX};
use muster_store::credentials::Scopes;
use serde_json::{Value, json};

use super::{admit::PREFER, check::Shape, import, receive};
use crate::{
    keys::Caller,
    openapi::{Words, named, schema},
    router::{Access, Route},
    state::AppState,
};

/// A path for batches and one for each kind.
pub(crate) fn routes() -> Vec<Route> {
    let batch = words(
        "Sends a batch",
        "An array of up to 100 messages of any kinds, each with its `type`. Valid messages are stored even when others \
         are refused; refused ones are set aside.",
        schema::list_of(schema::message(), BATCH_MESSAGES_MAX),
        json!([example(Kind::Account), example(Kind::Track)]),
    );
    let kinds = Kind::SENT.into_iter().filter_map(|kind| Some((kind, about(kind)?))).map(|(kind, about)| {
        let (summary, description) = about;
        let words = words(summary, description, schema::message(), example(kind));
        route(kind.as_str(), Shape::One(kind), words)
    });
    kinds.chain([route("batch", Shape::Batch, batch), import::route()]).collect()
}

fn route(name: &str, shape: Shape, words: Words) -> Route {
    let handler = move |state: State<AppState>, caller: Extension<Caller>, request: Request| {
        receive(shape, state, caller, request)
    };
    Route::new(Method::POST, format!("/analytics/v1/{name}"), Access::Scope(Scopes::WRITE), handler, words)
}

fn words(
    summary: &str,
    description: &str,
    body: impl Into<utoipa::openapi::RefOr<utoipa::openapi::Schema>>,
    example: Value,
) -> Words {
    let atomic = "Store nothing when something is refused.";
    Words::new("Ingest", summary, description)
        .query("atomic", atomic, schema::one_of(&["false", "true"]))
        .header("Prefer", PREFER, schema::text())
        .header("Content-Encoding", "How the body is compressed.", schema::one_of(&["gzip", "zstd", "br", "deflate"]))
        .body("JSON, compressed or not.", true, body, example)
        .answer(200, "Everything is stored, or was stored before.", named("Success"))
        .answer(400, "Something was refused, or the body could not be read.", named("IngestError"))
}

/// A kind in a line and in some more words; nothing of those that senders do not send.
fn about(kind: Kind) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        Kind::Organization => ("Describes an organization", "Requires `organizationId`."),
        Kind::Account => {
            ("Describes an account", "Requires `accountId`; `organizationId` states the organization it is in.")
        }
        Kind::User => (
            "Describes a user",
            "Requires `userId`, and `accountId` or `organizationId`; an explicit `null` states that there is none.",
        ),
        Kind::Track => ("Reports an event", "Requires `event`, and one of `userId`, `accountId`, `organizationId`."),
        Kind::Unlink => ("Ends the link between a user and an account", "Requires `userId` and `accountId`."),
        Kind::CustomObjectInstance => (
            "Describes an instance of a custom object",
            "Requires `externalId`, `customObjectId`, and `accountId` or `organizationId`.",
        ),
        Kind::CustomObject | Kind::NpsResponse | Kind::Leave => return None,
    })
}

fn example(kind: Kind) -> Value {
    let mut message = match kind {
        Kind::Organization => json!({"organizationId": "abcdefg", "traits": {"name": "World Cup"}}),
        Kind::Account => json!({"accountId": "123456", "organizationId": "abcdefg", "traits": {"name": "Argentina"}}),
        Kind::User => json!({"userId": "32", "accountId": "123456", "traits": {"email": "user@example.com"}}),
        Kind::Track => json!({"userId": "32", "event": "scored-goal", "properties": {"minute": 14}}),
        Kind::Unlink => json!({"userId": "32", "accountId": "123456"}),
        Kind::CustomObjectInstance => {
            json!({"externalId": "t-1", "customObjectId": "tickets", "accountId": "123456", "name": "First ticket"})
        }
        Kind::CustomObject | Kind::NpsResponse | Kind::Leave => json!({}),
    };
    message["type"] = json!(kind.as_str());
    message["messageId"] = json!("7ac1c682-a54b-4d0d-9f56-d6d3618f4915");
    message["timestamp"] = json!("2018-05-15T12:31:12.123Z");
    message
}
