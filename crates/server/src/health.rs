//! Whether the process lives, and whether it can do its work.
//!
//! `/healthz` answers as long as anything answers. `/readyz` is for whoever sends traffic here: it fails while the store
//! takes no writes and from the moment the server was asked to stop.

use axum::{
    extract::State,
    http::{HeaderValue, Method, StatusCode, header::RETRY_AFTER},
    response::Response,
};
use muster_store::status::Health;

use crate::{
    openapi::{Words, schema},
    resources::answer::json,
    router::{Access, Route},
    state::AppState,
};

/// Answers `/healthz`.
pub(crate) async fn live() -> Response {
    json(StatusCode::OK, |object| object.text("status", "ok"))
}

/// Answers `/readyz`.
pub(crate) async fn ready(State(state): State<AppState>) -> Response {
    let unavailable = |status: &str, retry_after_seconds: u64, says: &str| {
        let mut response = json(StatusCode::SERVICE_UNAVAILABLE, |object| {
            object.text("status", status);
            object.text("error", says);
        });
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after_seconds));
        response
    };
    if state.is_draining() {
        return unavailable("draining", 5, "the server was asked to stop and finishes what it has begun");
    }
    match state.store.health() {
        Health::Ready => json(StatusCode::OK, |object| object.text("status", "ready")),
        Health::Hindered { .. } => unavailable(
            "hindered",
            5,
            "the store takes no writes for now and goes on by itself once the cause is gone; the server's log says more",
        ),
        Health::Stopped { .. } => {
            unavailable("stopped", 30, "the store takes no writes until the server is restarted; its log says why")
        }
    }
}

/// The routes of this file, with their words in the API document.
pub(crate) fn routes() -> [Route; 2] {
    let lives = Words::new("Service", "Says that the process lives", "").answer(200, "It does.", schema::any_object());
    let ready = Words::new("Service", "Says whether the server can do its work", "")
        .answer(200, "It can.", schema::any_object())
        .answer(503, "It takes no messages, or is about to end.", schema::any_object());
    [
        Route::new(Method::GET, "/healthz", Access::Open, live, lives),
        Route::new(Method::GET, "/readyz", Access::Open, self::ready, ready),
    ]
}
