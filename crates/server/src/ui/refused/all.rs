//! What is done to all messages of a group: sent again, dropped, taken out as a file. As many as a page looks at.

use axum::{
    body::Body,
    extract::{RawQuery, State},
    http::{HeaderValue, header},
    response::Response,
};
use muster_store::{credentials::Scopes, refused::Refused};

use super::{
    super::{
        answer::{PageError, go},
        posted::{Fields, Posted},
        session::Session,
    },
    back,
    groups::{Looked, Reason},
    one::send,
};
use crate::{
    error::ApiError,
    resources::{query::Query, refused},
    state::AppState,
    wire::object::Object,
};

/// The messages of the group that a form names.
async fn chosen(state: &AppState, session: &Session, fields: &Fields) -> Result<Vec<Refused<'static>>, PageError> {
    let reason = Reason::of(fields.query()).ok_or_else(|| ApiError::parameter("a group is named by its code"))?;
    let looked = Looked::read(state, session.workspace()).await?;
    Ok(looked.messages.into_iter().filter(|one| reason.is_of(one)).collect())
}

/// Sends each message again as it was kept, one after the other.
pub(super) async fn resend(
    State(state): State<AppState>,
    Posted { session, fields, .. }: Posted,
) -> Result<Response, PageError> {
    session.require(Scopes::WRITE)?;
    let (mut stored, mut still) = (0u64, 0u64);
    for kept in chosen(&state, &session, &fields).await? {
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
pub(super) async fn export(
    State(state): State<AppState>,
    session: Session,
    RawQuery(raw): RawQuery,
) -> Result<Response, PageError> {
    let reason = Reason::of(&Query::of_text(raw.as_deref().unwrap_or_default()));
    let looked = Looked::read(&state, session.workspace()).await?;
    let mut out = Vec::new();
    for one in looked.messages.iter().filter(|one| reason.as_ref().is_none_or(|reason| reason.is_of(one))) {
        Object::write(&mut out, |object| crate::wire::refused::write(object, one));
        out.push(b'\n');
    }
    let mut response = Response::new(Body::from(out));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"refused.ndjson\""));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}
