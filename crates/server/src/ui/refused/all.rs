//! What is done to all messages of a group: sent again, dropped, taken out as a file. As many as a page looks at.

use std::io;

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::Uri,
    response::Response,
};
use futures_util::stream;
use muster_store::{credentials::Scopes, refused::RefusedId};

use super::{
    super::{
        answer::{PageError, as_file, go},
        posted::{Fields, Posted},
        session::Session,
    },
    back,
    groups::{Looked, Reason, Sight},
    one::send,
};
use crate::{
    error::ApiError,
    resources::{query::Query, refused},
    state::AppState,
    wire::object::Object,
};

/// The messages of the group that a form names, without their bodies.
async fn chosen(state: &AppState, session: &Session, fields: &Fields) -> Result<Vec<Sight>, PageError> {
    let reason = Reason::of(fields.query()).ok_or_else(|| ApiError::parameter("a group is named by its code"))?;
    let looked = Looked::read(state, session.workspace()).await?;
    Ok(looked.messages.into_iter().filter(|one| one.reason == reason).collect())
}

/// Sends each message again as it was kept, one after the other.
pub(super) async fn resend(
    State(state): State<AppState>,
    Posted { session, fields, .. }: Posted,
) -> Result<Response, PageError> {
    session.require(Scopes::WRITE)?;
    let (mut stored, mut still) = (0u64, 0u64);
    for one in chosen(&state, &session, &fields).await? {
        let kept = state.store.refused_message(session.workspace().id, one.id).await.map_err(ApiError::Read)?;
        // Somebody else may have sent or dropped it meanwhile.
        let Some(kept) = kept else { continue };
        match send(&state, &session, kept, "").await? {
            None => stored += 1,
            Some(_) => still += 1,
        }
    }
    Ok(go(&back(&[("stored", &stored.to_string()), ("still", &still.to_string())])))
}

/// Drops every message, as one batch.
pub(super) async fn remove(
    State(state): State<AppState>,
    Posted { session, fields, .. }: Posted,
) -> Result<Response, PageError> {
    session.require(Scopes::WRITE)?;
    let kept = chosen(&state, &session, &fields).await?;
    refused::forget(&state, session.workspace(), kept.iter().map(|one| one.id)).await?;
    Ok(go(&back(&[("dropped", &kept.len().to_string())])))
}

/// Hands out the messages of a group, or all of them, one on a line, as the API shows them.
pub(super) async fn export(State(state): State<AppState>, session: Session, uri: Uri) -> Result<Response, PageError> {
    let reason = Reason::of(&Query::of(&uri));
    let looked = Looked::read(&state, session.workspace()).await?;
    let wanted = looked.messages.into_iter().filter(|one| reason.as_ref().is_none_or(|reason| one.reason == *reason));
    let ids: Vec<RefusedId> = wanted.map(|one| one.id).collect();
    let rest = (state, session, ids.into_iter());
    let mut response = Response::new(Body::from_stream(stream::try_unfold(rest, next_line)));
    as_file(&mut response, "application/x-ndjson", "refused.ndjson");
    Ok(response)
}

type Rest = (AppState, Session, std::vec::IntoIter<RefusedId>);

/// The next message as a line. An answer that fails in the middle is cut off, so that nobody takes it for the whole.
async fn next_line((state, session, mut ids): Rest) -> Result<Option<(Bytes, Rest)>, io::Error> {
    while let Some(id) = ids.next() {
        let read = state.store.refused_message(session.workspace().id, id).await;
        let read = read.map_err(|error| {
            ApiError::Read(error).log();
            io::Error::other("a message could not be read")
        })?;
        if let Some(one) = read {
            let mut line = Vec::with_capacity(512 + one.body.len());
            Object::write(&mut line, |object| crate::wire::refused::write(object, &one));
            line.push(b'\n');
            return Ok(Some((Bytes::from(line), (state, session, ids))));
        }
    }
    Ok(None)
}
