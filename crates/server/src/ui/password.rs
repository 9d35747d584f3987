//! A member's own password, changed by whoever knows the one before.

use askama::Template;
use axum::{
    extract::State,
    http::{
        HeaderValue, StatusCode,
        header::{RETRY_AFTER, SET_COOKIE},
        request::Parts,
    },
    response::Response,
};
use muster_store::team::{Member, SignIn};

use super::{
    answer::{self, PageError, go, sentence},
    frame::Frame,
    posted::Posted,
    session::{self, Holder, Session},
    shown::many,
};
use crate::{error::ApiError, keys::password, listen::origin, state::AppState};

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    frame: Frame,
    says: String,
}

/// The member who signed in, with how; somebody with a key has no password.
fn member(state: &AppState, session: &Session) -> Result<(Member, SignIn), PageError> {
    let Holder::Member(workspace, id) = session.holder else { return Err(PageError::no_such_page()) };
    let found = state.store.team(workspace).into_iter().find(|member| member.id == id);
    let with = found.and_then(|member| member.sign_in.clone().map(|sign_in| (member, sign_in)));
    with.ok_or_else(PageError::no_such_page)
}

/// The form.
pub(super) async fn form(State(state): State<AppState>, session: Session, parts: Parts) -> Result<Response, PageError> {
    member(&state, &session)?;
    answer::page(&PasswordPage { frame: Frame::new(&session, &parts, "Password", "/password"), says: String::new() })
}

/// Changes it. Every other session of the member ends with the old one.
pub(super) async fn change(
    State(state): State<AppState>,
    Posted { session, fields, parts }: Posted,
) -> Result<Response, PageError> {
    let secure = session::is_secure(&state, &parts.headers);
    let (member, sign_in) = member(&state, &session)?;
    let shown = |status, says: &str| {
        let frame = Frame::new(&session, &parts, "Password", "/password");
        answer::html(status, &PasswordPage { frame, says: sentence(says) })
    };
    let again = |says: &str| shown(StatusCode::BAD_REQUEST, says);
    let (old, new) = (fields.get("old"), fields.get("new"));
    if let Err(says) = password::check(new) {
        return again(&says);
    }
    let fits = match old.len() {
        0..=password::BYTES_MAX => {
            let origin = origin(&parts.extensions, &parts.headers);
            state.passwords.is(old.to_owned(), Some(&sign_in.password), origin).await
        }
        _ => Ok(false),
    };
    match fits {
        Ok(true) => {}
        Ok(false) => return again("that is not your password so far"),
        Err(ApiError::OverRate { retry_after_seconds }) => {
            let wait = many(retry_after_seconds, "second");
            let says = format!("your password was tried too often; wait {wait}, and try again");
            let mut response = shown(StatusCode::TOO_MANY_REQUESTS, &says)?;
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after_seconds));
            return Ok(response);
        }
        Err(error) => return Err(error.into()),
    }
    let changed = SignIn { password: state.passwords.hash(new.to_owned()).await?, scopes: sign_in.scopes };
    let workspace = session.workspace().id;
    state.store.set_sign_in(workspace, member.id, Some(changed)).await.map_err(ApiError::Admin)?;
    let mut response = go("/");
    let cookie = session::begin(&state, session.holder, secure).ok_or_else(PageError::no_such_page)?;
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}
