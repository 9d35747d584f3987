//! Keys: made, shown once, revoked.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::request::Parts,
    response::Response,
};
use muster_store::credentials::{Key, Scopes};

use super::super::{
    answer::{self, PageError, go},
    frame::Frame,
    posted::Posted,
    session::{Holder, Session},
    shown::{self, Form, Html},
};
use crate::{
    admin::keys::{self, NAME_BYTES_MAX},
    state::AppState,
};

const PATH: &str = "/admin/keys";

struct Row {
    id: u64,
    name: String,
    scopes: String,
    created: Html,
    used: Html,
    revoked: Option<Html>,
    /// The key of this session.
    own: bool,
}

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    frame: Frame,
    /// A token that was made by this request; it is shown this once.
    token: String,
    says: String,
    rows: Vec<Row>,
}

fn page(state: &AppState, session: &Session, parts: &Parts) -> KeysPage {
    let keys = state.store.keys();
    let own = keys.iter().rev().filter(|key| key.workspace.id == session.workspace().id);
    KeysPage {
        frame: Frame::new(session, parts, "Keys", PATH),
        token: String::new(),
        says: String::new(),
        rows: own.map(|key| row(state, session, key)).collect(),
    }
}

fn row(state: &AppState, session: &Session, key: &Arc<Key>) -> Row {
    Row {
        id: key.id,
        name: key.name.clone(),
        scopes: key.scopes.to_string().replace(',', ", "),
        created: shown::time(key.created_at, Form::Ago),
        used: shown::time_or_nothing(state.last_used.of(key.id), Form::Ago),
        revoked: key.revoked_at.map(|at| shown::time(at, Form::Ago)),
        own: session.holder == Holder::Key(key.id),
    }
}

/// The list, and a form for another.
pub(super) async fn show(State(state): State<AppState>, session: Session, parts: Parts) -> Result<Response, PageError> {
    session.require(Scopes::ADMIN)?;
    answer::page(&page(&state, &session, &parts))
}

/// Makes a key and shows its token, once.
pub(super) async fn create(
    State(state): State<AppState>,
    Posted { session, fields, parts }: Posted,
) -> Result<Response, PageError> {
    session.require(Scopes::ADMIN)?;
    let again = |says: String| {
        let page = KeysPage { says, ..page(&state, &session, &parts) };
        answer::html(axum::http::StatusCode::BAD_REQUEST, &page)
    };
    let name = fields.get("name").trim();
    if name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return again(format!("A name is one line of at most {NAME_BYTES_MAX} bytes."));
    }
    let listed: Vec<&str> =
        ["write", "read", "admin"].into_iter().filter(|scope| !fields.get(scope).is_empty()).collect();
    let Ok(scopes) = Scopes::parse(&listed.join(",")) else {
        return again("Choose at least one thing that the key may do.".to_owned());
    };
    let (_, token) = keys::make(&state, &session.workspace().name, name, scopes).await?;
    answer::page(&KeysPage { token: token.reveal().to_owned(), ..page(&state, &session, &parts) })
}

/// Ends a key of this workspace.
pub(super) async fn revoke(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Posted { session, .. }: Posted,
) -> Result<Response, PageError> {
    session.require(Scopes::ADMIN)?;
    keys::end(&state, &id, |key| key.workspace.id == session.workspace().id).await?;
    Ok(go(PATH))
}
