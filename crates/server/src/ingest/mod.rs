//! Messages in: from a request's bytes to the journal and back to an answer.
//!
//! The stages are files in the order of the way: `admit` takes the request's bytes within their bounds, `batch` finds the
//! messages in them, `check` applies the rules and builds what the journal takes, `journal` makes it durable, `reply`
//! says what became of it. This page runs them in order and decides on which thread.

/// Taking a request's bytes: who, how many, in which encoding.
pub(crate) mod admit;

/// Finding the messages in a body.
pub(crate) mod batch;

/// Applying the rules to each message.
pub(crate) mod check;

/// Messages that were received before.
mod import;

/// Making what was checked durable.
pub(crate) mod journal;

/// Saying what became of each message.
pub(crate) mod reply;

/// A server that parses and drops, to measure the real one against.
pub(crate) mod baseline;

/// The routes of this part, with their words in the API document.
pub(crate) mod routes;

use std::sync::Arc;

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{Request, State},
    http::request::Parts,
    response::{IntoResponse, Response},
};
use muster_model::rejection::Code;
use muster_store::refused::{Refused, Way};

pub(crate) use admit::{Budget, Reservation};

use crate::{error::ApiError, keys::Caller, state::AppState};
use admit::{Encoding, Raw, Undecoded};
use check::{Checked, Order, Shape};

/// Answers a request with messages.
pub(crate) async fn receive(
    shape: Shape,
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    match admit::admit(&state, caller, request).await {
        Ok((admitted, raw)) => {
            let order = Order::new(&state, &admitted, shape);
            finish(&state, raw, move |text| check::check_body(text, order)).await
        }
        Err(answer) => answer,
    }
}

/// Answers a request to send a message again that was set aside: as the request's body has it, or as it was kept.
pub(crate) async fn resend(state: &AppState, kept: Refused<'static>, caller: Caller, request: Request) -> Response {
    if kept.way == Way::Segment {
        return crate::segment::resend(state, kept, caller, request).await;
    }
    match admit::admit(state, caller, request).await {
        Ok((admitted, mut raw)) => {
            let shape = match kept.way {
                Way::Kind(kind) => Shape::One(kind),
                Way::Batch | Way::Segment => Shape::OneTyped,
            };
            let mut order = Order::new(state, &admitted, shape);
            // Still refused, it stays where it is; accepted, it must not be in both places.
            order.atomic = true;
            order.replaces = Some(kept.id);
            order.made_before = kept.code == Code::Conflict;
            if raw.bytes.is_empty() {
                raw.bytes = kept.body.into_owned().into();
                raw.encoding = Encoding::Identity;
            }
            finish(state, raw, move |text| check::check_body(text, order)).await
        }
        Err(answer) => answer,
    }
}

/// Reads a body, makes what it holds durable and says what became of it.
pub(crate) async fn finish(
    state: &AppState,
    raw: Raw,
    reader: impl FnOnce(&Bytes) -> Result<Checked, ApiError> + Send + 'static,
) -> Response {
    let finished = async {
        let (checked, _reservation) = read(state, raw, reader).await?;
        let journaled = journal::append(state, checked).await?;
        Ok::<Response, ApiError>(reply::reply(state, &journaled))
    };
    finished.await.unwrap_or_else(IntoResponse::into_response)
}

/// Decompresses a body and has it read, on this thread when that is quick and on one of its own when it may not be.
pub(crate) async fn read<T: Send + 'static>(
    state: &AppState,
    mut raw: Raw,
    reader: impl FnOnce(&Bytes) -> Result<T, ApiError> + Send + 'static,
) -> Result<(T, Reservation), ApiError> {
    let bytes_max = state.settings.body_bytes_max;
    let quick = state.settings.inline_bytes_max.min(bytes_max);
    if raw.bytes.len() <= quick {
        match decode(&mut raw, quick) {
            Ok(text) => return reader(&text).map(|found| (found, raw.reservation)),
            Err(Undecoded::TooLarge) if quick < bytes_max => {}
            Err(error) => return Err(refuse(error, bytes_max)),
        }
    }
    let permit = Arc::clone(&state.heavy_jobs).acquire_owned().await.map_err(|_| ApiError::Internal)?;
    let job = move || {
        let _permit = permit;
        let text = decode(&mut raw, bytes_max).map_err(|error| refuse(error, bytes_max))?;
        reader(&text).map(|found| (found, raw.reservation))
    };
    tokio::task::spawn_blocking(job).await.unwrap_or_else(|_| {
        // What it panicked with may hold what was sent.
        tracing::error!(task = "parse", "a task panicked and was ended; this is a defect, please report it");
        state.metrics.panics.inc();
        Err(ApiError::Internal)
    })
}

/// Takes a body whole, of at most so many bytes once it is unpacked. The room that it takes is kept until the reservation
/// is dropped.
pub(crate) async fn whole(
    state: &AppState,
    head: &Parts,
    body: &mut Body,
    bytes_max: usize,
) -> Result<(Bytes, Reservation), ApiError> {
    let mut raw = admit::take(state, head, body).await?;
    let bytes = decode(&mut raw, bytes_max).map_err(|error| refuse(error, bytes_max))?;
    Ok((bytes, raw.reservation))
}

/// The body as it is parsed, of at most so many bytes.
fn decode(raw: &mut Raw, bytes_max: usize) -> Result<Bytes, Undecoded> {
    match raw.encoding {
        Encoding::Identity if raw.bytes.len() > bytes_max => Err(Undecoded::TooLarge),
        Encoding::Identity => Ok(raw.bytes.clone()),
        encoding => admit::decode(encoding, &raw.bytes, bytes_max, &mut raw.reservation).map(Bytes::from),
    }
}

/// What a sender is told when a body cannot be decoded.
fn refuse(error: Undecoded, bytes_max: usize) -> ApiError {
    match error {
        Undecoded::TooLarge => ApiError::BodyTooLarge { bytes_max, compressed: false },
        Undecoded::Damaged(encoding) => ApiError::BodyNotDecodable { encoding: encoding.name() },
        Undecoded::NoRoom => ApiError::NoRoom,
    }
}
