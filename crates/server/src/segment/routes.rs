//! The routes of this part, with their words in the API document.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method},
};
use serde_json::{Value, json};

use super::{call::CallKind, cors, envelope::Form, library, receive::receive};
use crate::{
    openapi::{Words, named, schema},
    router::{Access, Route},
    state::AppState,
};

const TAG: &str = "Segment spec";

/// The paths of calls, of batches and of settings, each with its preflight.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    for path in ["/v1/batch", "/v1/import", "/v1/b", "/beacon/v1/batch"] {
        let says = "`{\"batch\":[…]}` with calls of any types. Calls that break a rule are set aside, and the answer is \
                    still success; `Muster-Refused` says how many.";
        let example = json!({"batch": [example(CallKind::Identify), example(CallKind::Track)]});
        post(&mut routes, path, Form::Batch, words("Sends a batch of calls", says, example));
    }
    for kind in CallKind::ALL {
        let (name, (summary, says)) = (kind.as_str(), about(kind));
        for path in [format!("/v1/{name}"), format!("/v1/{}", &name[..1])] {
            post(&mut routes, &path, Form::Call(kind), words(summary, says, example(kind)));
        }
    }
    let says = "A call that states its `type`, or a batch.";
    post(&mut routes, "/rudderstack", Form::Either, words("Sends one call", says, example(CallKind::Track)));
    for path in ["/v1/projects/{key}/settings", "/projects/{key}/settings"] {
        let words = Words::new(TAG, "The settings of a Segment library", "With this server as the only destination.")
            .segment("key", "The token of a key with the scope `write`.");
        get(&mut routes, path, library::segment, words);
    }
    let words = Words::new(TAG, "The settings of a RudderStack library", "With no destination besides this server.")
        .query("writeKey", "The token of a key with the scope `write`, unless it stands in a header.", schema::text());
    get(&mut routes, "/sourceConfig", library::rudderstack, words);
    routes
}

fn post(routes: &mut Vec<Route>, path: &str, form: Form, words: Words) {
    let handler = move |state: State<AppState>, request: Request| receive(form, state, request);
    routes.push(Route::new(Method::POST, path, Access::Open, handler, words));
    routes.push(preflight(path, "POST, OPTIONS"));
}

fn get<H, T>(routes: &mut Vec<Route>, path: &str, handler: H, words: Words)
where
    H: axum::handler::Handler<T, AppState>,
    T: 'static,
{
    let words = words
        .answer(200, "The settings, in the form that the library expects.", schema::any_object())
        .answer(400, "The key is not known, or may not send.", named("SegmentError"))
        .answer(429, "Over the key's rate limit; `Retry-After` says when to try again.", named("SegmentError"));
    routes.push(Route::new(Method::GET, path, Access::Open, handler, words));
    routes.push(preflight(path, "GET, OPTIONS"));
}

fn preflight(path: &str, methods: &'static str) -> Route {
    let handler = move |headers: HeaderMap| async move { cors::preflight(&headers, methods) };
    let mut words = Words::new(TAG, "Says what pages of other origins may send", "Any page may, with any header.")
        .bare(204, "The preflight's answer.");
    if path.contains("{key}") {
        words = words.segment("key", "Not looked at.");
    }
    Route::new(Method::OPTIONS, path, Access::Open, handler, words)
}

fn words(summary: &str, description: &str, example: Value) -> Words {
    let key = "The token of a key with the scope `write`; it may also stand in the `Authorization` header, as the user \
               name of Basic or as Bearer, or in the body as `writeKey`.";
    Words::new(TAG, summary, description)
        .query("writeKey", key, schema::text())
        .header("Content-Encoding", "How the body is compressed.", schema::one_of(&["gzip", "zstd", "br", "deflate"]))
        .body("JSON, whatever its `Content-Type`, compressed or not.", true, schema::any_object(), example)
        .answer(200, "Everything is stored, was stored before, or was set aside.", named("SegmentSuccess"))
        .answer(400, "Never to be sent again as it is.", named("SegmentError"))
        .answer(429, "Over the key's rate limit; `Retry-After` says when to try again.", named("SegmentError"))
}

/// A call in a line and in some more words.
fn about(kind: CallKind) -> (&'static str, &'static str) {
    match kind {
        CallKind::Identify => (
            "Describes a user",
            "Its account is `context.groupId`, or `traits.company.id`; `traits.company.remove: true` ends that link.",
        ),
        CallKind::Group => (
            "Describes an account, or an organization",
            "With a `userId` the user is linked to it. The trait `organizationId` states an account's organization.",
        ),
        CallKind::Track => {
            ("Reports an event", "Its account is `context.groupId`, `properties.groupId` or `properties.accountId`.")
        }
        CallKind::Page => ("Reports that a page was viewed", "An event named `Viewed {name} Page`."),
        CallKind::Screen => ("Reports that a screen was viewed", "An event named `Viewed {name} Screen`."),
        CallKind::Alias => (
            "States which user an anonymous id is",
            "`previousId` is the anonymous one; what it did belongs to the user.",
        ),
    }
}

fn example(kind: CallKind) -> Value {
    let mut call = match kind {
        CallKind::Identify => json!({"userId": "32", "traits": {"email": "user@example.com"}}),
        CallKind::Group => json!({"userId": "32", "groupId": "123456", "traits": {"name": "Argentina"}}),
        CallKind::Track => json!({"userId": "32", "event": "scored-goal", "properties": {"minute": 14}}),
        CallKind::Page => json!({"userId": "32", "name": "Home"}),
        CallKind::Screen => json!({"userId": "32", "name": "Welcome"}),
        CallKind::Alias => json!({"userId": "32", "previousId": "507f191e810c19729de860ea"}),
    };
    call["type"] = json!(kind.as_str());
    call["messageId"] = json!("7ac1c682-a54b-4d0d-9f56-d6d3618f4915");
    call["timestamp"] = json!("2018-05-15T12:31:12.123Z");
    call
}
