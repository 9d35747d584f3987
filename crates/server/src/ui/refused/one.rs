//! The page of one message set aside: its JSON with the fault marked, to be corrected and sent again.

use askama::{Template, filters::Safe};
use axum::{
    body::{Body, to_bytes},
    extract::{Path, State},
    http::{Request, StatusCode, header::RETRY_AFTER, request::Parts},
    response::Response,
};
use muster_store::{
    credentials::Scopes,
    refused::{Refused, Way},
};
use serde::Deserialize;

use super::{
    super::{
        answer::{self, PageError, go, sentence},
        frame::Frame,
        json,
        posted::Posted,
        session::Session,
        shown::{self, Form, Html},
        who::Names,
    },
    PATH, back,
    groups::Reason,
};
use crate::{error::ApiError, ingest, resources::refused, state::AppState};

/// Bytes of an answer to a message that was sent again.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

#[derive(Template)]
#[template(path = "refused_one.html")]
struct MessagePage {
    frame: Frame,
    id: String,
    group: String,
    code: String,
    place: String,
    says: String,
    at: Html,
    key: String,
    way: &'static str,
    json: Html,
    /// What stands in the form.
    draft: String,
    /// What is still wrong with what was sent.
    still: String,
    may_write: bool,
}

fn page(state: &AppState, session: &Session, parts: &Parts, kept: &Refused<'static>) -> MessagePage {
    let text = String::from_utf8_lossy(&kept.body);
    let code = kept.code.as_str().to_owned();
    MessagePage {
        frame: Frame::new(session, parts, "Refused message", PATH),
        id: kept.id.to_string(),
        group: Reason::of_message(&code, &kept.pointer).address(PATH, &[]),
        place: kept.pointer.to_string(),
        says: sentence(&kept.reason),
        at: shown::time(kept.received_at, Form::Full),
        key: Names::of(state, session.workspace()).name(kept.key_id),
        way: match kept.way {
            Way::Batch => "in a batch",
            Way::Kind(kind) => kind.as_str(),
            Way::Segment => "as a call of the Segment spec",
        },
        json: Safe(json::marked(&text, &kept.pointer)),
        draft: json::pretty(&text),
        still: String::new(),
        may_write: session.scopes.contains(Scopes::WRITE),
        code,
    }
}

/// Answers the page.
pub(super) async fn show(
    State(state): State<AppState>,
    session: Session,
    Path(id): Path<String>,
    parts: Parts,
) -> Result<Response, PageError> {
    let kept = refused::find(&state, session.workspace(), &id).await?;
    answer::page(&page(&state, &session, &parts, &kept))
}

/// Sends what stands in the form in the message's place.
pub(super) async fn resend(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Posted { session, fields, parts }: Posted,
) -> Result<Response, PageError> {
    session.require(Scopes::WRITE)?;
    let kept = refused::find(&state, session.workspace(), &id).await?;
    let draft = fields.get("message");
    if draft.trim().is_empty() {
        let still = "There is nothing to send: the field was empty.".to_owned();
        let page = MessagePage { still, ..page(&state, &session, &parts, &kept) };
        return answer::html(StatusCode::BAD_REQUEST, &page);
    }
    match send(&state, &session, kept.clone(), draft).await? {
        None => Ok(go(&back(&session, &[("stored", "1"), ("still", "0")]))),
        Some(still) => {
            let page = MessagePage { still, draft: draft.to_owned(), ..page(&state, &session, &parts, &kept) };
            answer::html(StatusCode::BAD_REQUEST, &page)
        }
    }
}

/// Drops the message.
pub(super) async fn remove(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Posted { session, .. }: Posted,
) -> Result<Response, PageError> {
    session.require(Scopes::WRITE)?;
    let kept = refused::find(&state, session.workspace(), &id).await?;
    refused::forget(&state, session.workspace(), [kept.id]).await?;
    Ok(go(&back(&session, &[("dropped", "1")])))
}

#[derive(Deserialize)]
struct Answer {
    error: Told,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Told {
    Plain(String),
    Listed {
        message: String,
        #[serde(default)]
        errors: Vec<Fault>,
    },
}

#[derive(Deserialize)]
struct Fault {
    message: String,
    #[serde(default, rename = "instancePath")]
    place: String,
}

/// Sends a message again, as it was kept when the text is empty. What is still wrong with it, if anything.
pub(super) async fn send(
    state: &AppState,
    session: &Session,
    kept: Refused<'static>,
    text: &str,
) -> Result<Option<String>, PageError> {
    let request = Request::builder().method("POST").uri("/").body(Body::from(text.to_owned()));
    let request = request.map_err(|_| PageError::Api(ApiError::Internal))?;
    let answer = ingest::resend(state, kept, session.caller(state)?, request).await;
    if answer.status().is_success() {
        return Ok(None);
    }
    let (status, retry_after) = (answer.status(), answer.headers().get(RETRY_AFTER).cloned());
    let body = to_bytes(answer.into_body(), ANSWER_BYTES_MAX).await.unwrap_or_default();
    let told = serde_json::from_slice::<Answer>(&body).map(|answer| answer.error);
    let says = match told {
        Ok(Told::Plain(says)) => says,
        Ok(Told::Listed { message, errors }) => match errors.into_iter().next() {
            Some(Fault { message, place }) if place.is_empty() => message,
            Some(Fault { message, place }) => format!("{place}: {message}"),
            None => message,
        },
        Err(_) => "the server failed to do this".to_owned(),
    };
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(PageError::Later { status, says, retry_after });
    }
    Ok(Some(sentence(&says)))
}
