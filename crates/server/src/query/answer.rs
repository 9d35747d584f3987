//! From the thread that answers to the connection.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderValue, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use muster_query::{Engine, Format, Gone, Limits, Out, QueryError, Request as Sql, Stop, TraitNames, run};
use muster_store::credentials::Workspace;
use tokio::sync::mpsc;

use super::ask::{self, Ask};
use crate::{error::ApiError, keys::Caller, state::AppState};

/// Pieces of an answer on their way.
const PIECES_MAX: usize = 4;
/// Bytes of one value, for each byte that a message may have, and some more.
const VALUE_BYTES_PER_MESSAGE_BYTE: usize = 3;
const VALUE_BYTES_MORE: usize = 1 << 20;

/// Bytes of an answer that a page shows.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// A piece of an answer, or why there is none.
type Piece = Result<Bytes, QueryError>;

/// Answers a query.
pub(super) async fn answer(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Response> {
    let ask = ask::read(&state, caller, request).await?;
    begin(&state, ask).await.map_err(IntoResponse::into_response)
}

/// Answers a statement of a page with a bounded number of rows, as JSON.
pub(crate) async fn gather(
    state: &AppState,
    workspace: &Workspace,
    sql: Sql,
    rows_max: u64,
) -> Result<Vec<u8>, ApiError> {
    let place = Arc::clone(&state.queries).try_acquire_owned().map_err(|_| ApiError::QueriesFull)?;
    let stop = Stop::after(state.settings.query_limits.time_max);
    let leaving = Leaving(stop.clone());
    let limits = Limits { rows_max, answer_bytes_max: PAGE_BYTES_MAX, ..limits(state) };
    let (asked, workspace) = (state.clone(), workspace.clone());
    let running = tokio::task::spawn_blocking(move || {
        let _place = place;
        let mut out = Vec::new();
        run(&engine(&asked, &workspace), &sql, &limits, Format::Json, stop, &mut out).map(|_| out)
    });
    let answered = running.await.map_err(|panic| ended_early(state, Some(panic)))?;
    drop(leaving);
    answered.map_err(ApiError::Query)
}

/// Streams the answer to a statement in a form for programs.
pub(crate) async fn download(
    state: &AppState,
    workspace: &Workspace,
    sql: Sql,
    format: Format,
) -> Result<Response, ApiError> {
    begin(state, Ask { sql, format, workspace: workspace.clone() }).await
}

async fn begin(state: &AppState, ask: Ask) -> Result<Response, ApiError> {
    let (format, time_max) = (ask.format, state.settings.query_limits.time_max);
    let asked = state.clone();
    // An answer in JSON that had begun holds the error already; any other one has to break off.
    let ending = if format == Format::Json { Ending::Told } else { Ending::BrokenOff };
    stream(state, format.media_type(), time_max, ending, move |stop, out| work(&asked, &ask, stop, out)).await
}

fn work(state: &AppState, ask: &Ask, stop: Stop, out: &mut dyn Out) -> Result<(), QueryError> {
    run(&engine(state, &ask.workspace), &ask.sql, &limits(state), ask.format, stop, out).map(|_| ())
}

/// What a statement may cost.
fn limits(state: &AppState) -> Limits {
    let settings = &state.settings;
    let value_bytes_max =
        settings.message.message_bytes_max.saturating_mul(VALUE_BYTES_PER_MESSAGE_BYTE) + VALUE_BYTES_MORE;
    Limits { value_bytes_max, ..settings.query_limits.clone() }
}

/// The tables of a workspace.
fn engine<'s>(state: &'s AppState, workspace: &'s Workspace) -> Engine<'s> {
    let names = &state.settings.trait_names;
    let names = TraitNames {
        mrr: names.mrr.clone(),
        next_renewal_date: names.next_renewal_date.clone(),
        churned_at: names.churned_at.clone(),
        trial_end_date: names.trial_end_date.clone(),
    };
    Engine { store: &*state.store, workspace: (workspace.id, &workspace.name), names }
}

/// How an answer ends that fails after it has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The form has a place for the error, and it is written there.
    Told,
    /// The connection is cut, so that nobody takes it for whole.
    BrokenOff,
}

/// Answers with what `work` writes, on a thread of its own, piece by piece.
pub(crate) async fn stream(
    state: &AppState,
    media_type: &'static str,
    time_max: Duration,
    ending: Ending,
    work: impl FnOnce(Stop, &mut dyn Out) -> Result<(), QueryError> + Send + 'static,
) -> Result<Response, ApiError> {
    let place = Arc::clone(&state.queries).try_acquire_owned().map_err(|_| ApiError::QueriesFull)?;
    stream_at(state, place, Stop::after(time_max), media_type, ending, work).await
}

/// The same at a place that is taken already: `place` is let go of when the work has ended.
pub(super) async fn stream_at(
    state: &AppState,
    place: impl Send + 'static,
    stop: Stop,
    media_type: &'static str,
    ending: Ending,
    work: impl FnOnce(Stop, &mut dyn Out) -> Result<(), QueryError> + Send + 'static,
) -> Result<Response, ApiError> {
    let leaving = Leaving(stop.clone());
    let (pieces, mut taken) = mpsc::channel::<Piece>(PIECES_MAX);
    let running = tokio::task::spawn_blocking(move || {
        let mut out = Connection { pieces: &pieces, begun: false };
        let ended = work(stop, &mut out);
        // The place is free again when the work has ended, not when its client has gone; and before the client hears of an error.
        drop(place);
        let Err(error) = ended else { return };
        if !(out.begun && ending == Ending::Told) {
            let _ = pieces.blocking_send(Err(error));
        }
    });
    let first = match taken.recv().await {
        Some(first) => first.map_err(ApiError::Query)?,
        None => return Err(ended_early(state, running.await.err())),
    };
    let mut first = Some(first);
    let rest = stream::poll_fn(move |context| {
        let _held = &leaving;
        match first.take() {
            Some(first) => std::task::Poll::Ready(Some(Ok(first))),
            None => taken.poll_recv(context),
        }
    });
    let mut response = Response::new(Body::from_stream(rest));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    Ok(response)
}

/// Where pieces go; waits while the connection has enough of them.
struct Connection<'c> {
    pieces: &'c mpsc::Sender<Piece>,
    begun: bool,
}

impl Out for Connection<'_> {
    fn take(&mut self, bytes: Vec<u8>) -> Result<(), Gone> {
        self.begun = true;
        self.pieces.blocking_send(Ok(Bytes::from(bytes))).map_err(|_| Gone)
    }
}

/// Ends the work when nobody waits for its answer any more.
struct Leaving(Stop);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// A thread that ended without a word has panicked.
fn ended_early(state: &AppState, panic: Option<tokio::task::JoinError>) -> ApiError {
    if panic.is_some() {
        // What it panicked with may hold what was read.
        tracing::error!(task = "query", "a task panicked and was ended; this is a defect, please report it");
        state.metrics.panics.inc();
    }
    ApiError::Internal
}
