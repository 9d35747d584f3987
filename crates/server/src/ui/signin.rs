//! Signing in and out.
//!
//! A token is checked as a request's would be, a password of a team member slowly and not often; what stays in the browser is a session's cookie, from which the token
//! cannot be found.

use std::net::IpAddr;

use askama::Template;
use axum::{
    body::Body,
    extract::State,
    http::{
        HeaderMap, HeaderValue, Request, StatusCode, Uri,
        header::{RETRY_AFTER, SET_COOKIE},
    },
    response::Response,
};
use muster_store::{credentials::Scopes, team::find};

use super::{
    answer::{self, PageError, go},
    link,
    posted::{Posted, open},
    session::{self, Holder, Session},
    shown,
    theme::Theme,
};
use crate::{
    error::ApiError,
    keys::{Token, password},
    listen::origin,
    resources::query::Query,
    state::AppState,
};

#[derive(Template)]
#[template(path = "signin.html")]
struct SignIn<'a> {
    theme: Theme,
    next: &'a str,
    email: &'a str,
    says: &'a str,
}

fn too_often(retry_after_seconds: u64) -> String {
    let wait = shown::many(retry_after_seconds, "second");
    format!("Passwords were tried too often, from this place or by everybody together. Wait {wait}, and try again.")
}

/// The form.
pub(super) async fn form(
    session: Result<Session, PageError>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, PageError> {
    let parameters = Query::of(&uri);
    let next = link::within(parameters.get("next").unwrap_or("/"));
    if session.is_ok() {
        return Ok(go(next));
    }
    answer::page(&SignIn { theme: Theme::of(&headers), next, email: "", says: "" })
}

/// A session begins, or the form is shown again with what is wrong.
pub(super) async fn sign_in(State(state): State<AppState>, request: Request<Body>) -> Result<Response, PageError> {
    let (secure, theme) = (session::is_secure(&state, request.headers()), Theme::of(request.headers()));
    let origin = origin(request.extensions(), request.headers());
    let fields = open(&state, request).await?;
    let next = link::within(fields.get("next"));
    let email = fields.get("email").trim();
    let found = match email {
        "" => of_key(&state, fields.get("token").trim()),
        email => of_member(&state, email, fields.get("token"), origin).await,
    };
    match found {
        Ok(holder) => {
            let mut response = go(next);
            let cookie = session::begin(&state, holder, secure).ok_or_else(PageError::no_such_page)?;
            response.headers_mut().insert(SET_COOKIE, cookie);
            Ok(response)
        }
        Err(Refused::Over(ApiError::OverRate { retry_after_seconds })) => {
            let says = too_often(retry_after_seconds);
            let page = SignIn { theme, next, email, says: &says };
            let mut response = answer::html(StatusCode::TOO_MANY_REQUESTS, &page)?;
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after_seconds));
            Ok(response)
        }
        Err(Refused::Over(error)) => Err(error.into()),
        Err(Refused::Not(says)) => {
            state.metrics.unrecognised.inc();
            answer::html(StatusCode::UNAUTHORIZED, &SignIn { theme, next, email, says })
        }
    }
}

/// Why somebody is not let in.
enum Refused {
    Not(&'static str),
    Over(ApiError),
}

/// Whoever has the token of a key.
fn of_key(state: &AppState, token: &str) -> Result<Holder, Refused> {
    let unknown = "This token belongs to no key of this server, or its key was revoked.";
    let hash = Token::from_text(token).map(|token| token.hash());
    let key = hash.and_then(|hash| state.store.authenticate(&hash)).ok_or(Refused::Not(unknown))?;
    if !key.scopes.contains(Scopes::READ) {
        return Err(Refused::Not("This key may not read. Sign in with one that has the scope “read”."));
    }
    Ok(Holder::Key(key.id))
}

/// The team member with an address and a password. Of several workspaces that have such a member it is the first.
async fn of_member(state: &AppState, email: &str, password: &str, origin: IpAddr) -> Result<Holder, Refused> {
    let wrong = Refused::Not("No team member signs in with this address and this password.");
    if password.len() > password::BYTES_MAX {
        return Err(wrong);
    }
    let mut tried = false;
    for workspace in state.store.workspaces() {
        let team = state.store.team(workspace.id);
        let Some(member) = find(&team, email) else { continue };
        let Some(sign_in) = &member.sign_in else { continue };
        tried = true;
        let fits = state.passwords.is(password.to_owned(), Some(&sign_in.password), origin).await;
        if fits.map_err(Refused::Over)? {
            return Ok(Holder::Member(workspace.id, member.id));
        }
    }
    if !tried {
        state.passwords.is(password.to_owned(), None, origin).await.map_err(Refused::Over)?;
    }
    Err(wrong)
}

/// The session ends in this browser.
pub(super) async fn sign_out(
    State(state): State<AppState>,
    Posted { parts, .. }: Posted,
) -> Result<Response, PageError> {
    let secure = session::is_secure(&state, &parts.headers);
    let mut response = go("/signin");
    let headers = response.headers_mut();
    headers.insert(SET_COOKIE, session::end(secure));
    headers.insert("clear-site-data", HeaderValue::from_static("\"cache\""));
    Ok(response)
}
