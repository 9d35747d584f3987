//! Signing in and out.
//!
//! A token is checked as a request's would be; what stays in the browser is a session's cookie, from which the token
//! cannot be found.

use askama::Template;
use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, Request, StatusCode, Uri, header::SET_COOKIE},
    response::Response,
};
use muster_store::credentials::Scopes;

use super::{
    answer::{self, PageError, go},
    link,
    posted::{open, posted},
    session::{self, Session},
};
use crate::{keys::Token, resources::query::Query, state::AppState};

#[derive(Template)]
#[template(path = "signin.html")]
struct SignIn<'a> {
    next: &'a str,
    says: &'a str,
}

/// The form.
pub(super) async fn form(session: Result<Session, PageError>, uri: Uri) -> Result<Response, PageError> {
    let parameters = Query::of(&uri);
    let next = link::within(parameters.get("next").unwrap_or("/"));
    if session.is_ok() {
        return Ok(go(next));
    }
    answer::page(&SignIn { next, says: "" })
}

/// A session begins, or the form is shown again with what is wrong.
pub(super) async fn sign_in(State(state): State<AppState>, request: Request<Body>) -> Result<Response, PageError> {
    let secure = session::is_secure(&state, request.headers());
    let fields = open(&state, request).await?;
    let next = link::within(fields.get("next"));
    let again = |says| answer::html(StatusCode::UNAUTHORIZED, &SignIn { next, says });
    let hash = Token::from_text(fields.get("token").trim()).map(|token| token.hash());
    let found = hash.and_then(|hash| Some((state.store.authenticate(&hash)?, hash)));
    let Some((key, hash)) = found else {
        state.metrics.unrecognised.inc();
        return again("This token belongs to no key of this server, or its key was revoked.");
    };
    if !key.scopes.contains(Scopes::READ) {
        return again("This key may not read. Sign in with one that has the scope “read”.");
    }
    let mut response = go(next);
    response.headers_mut().insert(SET_COOKIE, session::begin(&key, &hash, state.clock.now(), secure));
    Ok(response)
}

/// The session ends in this browser.
pub(super) async fn sign_out(
    State(state): State<AppState>,
    session: Session,
    request: Request<Body>,
) -> Result<Response, PageError> {
    let secure = session::is_secure(&state, request.headers());
    posted(&state, &session, request).await?;
    let mut response = go("/signin");
    let headers = response.headers_mut();
    headers.insert(SET_COOKIE, session::end(secure));
    headers.insert("clear-site-data", HeaderValue::from_static("\"cache\""));
    Ok(response)
}
