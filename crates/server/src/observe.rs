//! One event and one set of figures per request.
//!
//! What an event may hold is decided here: method, route, status, duration, counts, the numbers of workspace and key.
//! Never tokens, bodies, query strings, or the ids of customers; a path's place-holders stand in the route instead of
//! what was sent. `docs/logging.md` describes the fields.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};

use crate::{metrics::method_label, state::AppState};

/// What stages note down about a request for its event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    pub workspace: Option<u32>,
    pub key: Option<u64>,
    /// Messages in the request's body.
    pub messages: Option<u32>,
    /// Messages of them that were refused.
    pub refused: u32,
    /// Records or events in the answer.
    pub results: Option<u32>,
}

/// Stands for the route of a request that matched none.
const NO_ROUTE: &str = "none";

/// Lets a request through and reports on it.
pub(crate) async fn observe(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    let (status, took) = (response.status(), started.elapsed());
    state.metrics.count_request(&method, route, status, took);
    let none = Notes::default();
    let notes = response.extensions().get::<Notes>().unwrap_or(&none);
    tracing::info!(
        target: "muster::request",
        method = method_label(&method),
        route,
        status = status.as_u16(),
        duration_us = took.as_micros() as u64,
        workspace = notes.workspace,
        key = notes.key,
        messages = notes.messages,
        refused = (notes.refused > 0).then_some(notes.refused),
        results = notes.results,
        "request"
    );
    response
}
