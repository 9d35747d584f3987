//! What is done to all messages of a group: sent again, dropped, taken out as a file.
//!
//! However many there are, a request does so much of it as fits into its time, and then leads to a page from which the
//! next one goes on. What is done is done; a step that is repeated finds the rest, so that nothing is lost by a restart in
//! the middle, and nothing is sent twice.

use std::{
    collections::VecDeque,
    io,
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::Uri,
    response::Response,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use muster_store::{credentials::Scopes, refused::RefusedId};

use super::{
    super::{
        answer::{PageError, as_file, go},
        posted::{Fields, Posted},
        session::Session,
    },
    PATH, back, figures,
    groups::Reason,
    one::send,
    walk::Walk,
};
use crate::{
    error::ApiError,
    resources::{query::Query, refused},
    state::AppState,
    wire::object::Object,
};

/// How long one step lasts, roughly: until the piece under way is done.
const STEP_LASTS: Duration = Duration::from_secs(5);
/// Messages that are sent again at one time.
const SENT_AT_ONCE: usize = 32;

/// The group that a form names.
fn chosen(fields: &Fields) -> Result<Reason, PageError> {
    Ok(Reason::of(fields.query()).ok_or_else(|| ApiError::parameter("a group is named by its code"))?)
}

/// A figure that earlier steps came to.
fn before(fields: &Fields, name: &str) -> u64 {
    fields.get(name).parse().unwrap_or_default()
}

/// Where the browser goes after a step: back when there is no more, or to the page that goes on.
fn after(session: &Session, reason: &Reason, walk: &Walk, done: &[(&str, &str)]) -> Response {
    let Some(place) = walk.place() else { return go(&back(session, done)) };
    let sealed = figures(session, done);
    let mut parameters = vec![("on", place.as_str())];
    parameters.extend(sealed.iter().map(|(name, value)| (*name, value.as_str())));
    go(&reason.address(PATH, &parameters))
}

/// Sends each message again as it was kept, a few at a time.
pub(super) async fn resend(
    State(state): State<AppState>,
    Posted { session, fields, .. }: Posted,
) -> Result<Response, PageError> {
    session.require(Scopes::WRITE)?;
    let (reason, began) = (chosen(&fields)?, Instant::now());
    let mut walk = Walk::begin(session.workspace().id, Some(fields.get("on")))?;
    let (mut stored, mut still) = (before(&fields, "stored"), before(&fields, "still"));
    while began.elapsed() < STEP_LASTS {
        let Some(piece) = walk.next(&state).await? else { break };
        let of_reason = piece.into_iter().filter(|one| reason.is_of(one)).map(|one| send_one(&state, &session, one.id));
        let mut answers = stream::iter(of_reason).buffer_unordered(SENT_AT_ONCE);
        while let Some(is_stored) = answers.try_next().await? {
            stored += u64::from(is_stored == Some(true));
            still += u64::from(is_stored == Some(false));
        }
    }
    state.refused_counts.forget(session.workspace().id);
    Ok(after(&session, &reason, &walk, &[("stored", &stored.to_string()), ("still", &still.to_string())]))
}

/// Whether a message is stored now; nothing when somebody else has sent or dropped it meanwhile.
async fn send_one(state: &AppState, session: &Session, id: RefusedId) -> Result<Option<bool>, PageError> {
    let kept = state.store.refused_message(session.workspace().id, id).await.map_err(ApiError::Read)?;
    let Some(kept) = kept else { return Ok(None) };
    Ok(Some(send(state, session, kept, "").await?.is_none()))
}

/// Drops every message, a piece as one batch.
pub(super) async fn remove(
    State(state): State<AppState>,
    Posted { session, fields, .. }: Posted,
) -> Result<Response, PageError> {
    session.require(Scopes::WRITE)?;
    let (reason, began) = (chosen(&fields)?, Instant::now());
    let mut walk = Walk::begin(session.workspace().id, Some(fields.get("on")))?;
    let mut dropped = before(&fields, "dropped");
    while began.elapsed() < STEP_LASTS {
        let Some(piece) = walk.next(&state).await? else { break };
        let ids: Vec<RefusedId> = piece.iter().filter(|one| reason.is_of(one)).map(|one| one.id).collect();
        dropped += ids.len() as u64;
        refused::forget(&state, session.workspace(), ids).await?;
    }
    state.refused_counts.forget(session.workspace().id);
    Ok(after(&session, &reason, &walk, &[("dropped", &dropped.to_string())]))
}

/// Hands out the messages of a group, or all of them, one on a line, as the API shows them.
pub(super) async fn export(State(state): State<AppState>, session: Session, uri: Uri) -> Result<Response, PageError> {
    let reason = Reason::of(&Query::of(&uri));
    let walk = Walk::begin(session.workspace().id, None)?;
    let rest = Rest { state, session, reason, walk, ids: VecDeque::new() };
    let mut response = Response::new(Body::from_stream(stream::try_unfold(rest, next_line)));
    as_file(&mut response, "application/x-ndjson", "refused.ndjson");
    Ok(response)
}

/// What is still to be handed out.
struct Rest {
    state: AppState,
    session: Session,
    reason: Option<Reason>,
    walk: Walk,
    /// Those met and not read yet.
    ids: VecDeque<RefusedId>,
}

/// The next message as a line. An answer that fails in the middle is cut off, so that nobody takes it for the whole.
async fn next_line(mut rest: Rest) -> Result<Option<(Bytes, Rest)>, io::Error> {
    let failed = |error: ApiError| {
        error.log();
        io::Error::other("a message could not be read")
    };
    loop {
        let Some(id) = rest.ids.pop_front() else {
            let Some(piece) = rest.walk.next(&rest.state).await.map_err(failed)? else { return Ok(None) };
            let wanted = piece.iter().filter(|one| rest.reason.as_ref().is_none_or(|reason| reason.is_of(one)));
            rest.ids.extend(wanted.map(|one| one.id));
            continue;
        };
        let read = rest.state.store.refused_message(rest.session.workspace().id, id).await;
        if let Some(one) = read.map_err(|error| failed(ApiError::Read(error)))? {
            let mut line = Vec::with_capacity(512 + one.body.len());
            Object::write(&mut line, |object| crate::wire::refused::write(object, &one));
            line.push(b'\n');
            return Ok(Some((Bytes::from(line), rest)));
        }
    }
}
