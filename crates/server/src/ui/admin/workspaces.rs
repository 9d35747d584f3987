//! All workspaces, for those who operate the server: what each is called and how much it holds, and making one.
//!
//! Nothing in another workspace is shown or changed from here. The token of a new one's first key is shown once.

use askama::Template;
use axum::{
    extract::State,
    http::{StatusCode, request::Parts},
    response::Response,
};
use muster_model::kind::RecordKind;
use muster_store::{credentials::Scopes, error::AdminError};

use super::super::{
    answer::{self, PageError, sentence},
    frame::Frame,
    posted::Posted,
    session::Session,
    shown::{self, Form, Html, count, counted},
};
use crate::{
    admin::{
        keys::make_workspace,
        workspaces::{Overview, overview},
    },
    error::ApiError,
    state::AppState,
};

const PATH: &str = "/admin/workspaces";

struct Row {
    name: String,
    /// The workspace of this session.
    own: bool,
    since: Html,
    organizations: String,
    accounts: String,
    users: String,
    messages: String,
    last: Html,
    disk: String,
    keys: String,
    members: String,
}

#[derive(Template)]
#[template(path = "workspaces.html")]
struct WorkspacesPage {
    frame: Frame,
    /// A workspace that was made by this request, and the token of its key; it is shown this once.
    made: String,
    token: String,
    says: String,
    rows: Vec<Row>,
}

async fn page(state: &AppState, session: &Session, parts: &Parts) -> Result<WorkspacesPage, PageError> {
    let row = |one: Overview| Row {
        own: one.workspace.id == session.workspace().id,
        since: shown::time(one.workspace.created_at, Form::Ago),
        organizations: counted(one.records, RecordKind::Organization),
        accounts: counted(one.records, RecordKind::Account),
        users: counted(one.records, RecordKind::User),
        messages: count(one.size.messages),
        last: shown::time_or_nothing(one.last_received, Form::Ago),
        disk: shown::bytes(one.size.history_bytes),
        keys: count(one.keys),
        members: count(one.members),
        name: one.workspace.name,
    };
    Ok(WorkspacesPage {
        frame: Frame::new(session, parts, "All workspaces", PATH),
        made: String::new(),
        token: String::new(),
        says: String::new(),
        rows: overview(state).await?.into_iter().map(row).collect(),
    })
}

/// The list, and a form for another.
pub(super) async fn all(State(state): State<AppState>, session: Session, parts: Parts) -> Result<Response, PageError> {
    session.require(Scopes::OPERATOR)?;
    answer::page(&page(&state, &session, &parts).await?)
}

/// Makes one with its first key.
pub(super) async fn create(
    State(state): State<AppState>,
    Posted { session, fields, parts }: Posted,
) -> Result<Response, PageError> {
    session.require(Scopes::OPERATOR)?;
    match make_workspace(&state, fields.get("name").trim()).await {
        Ok((key, token)) => {
            let (made, token) = (key.workspace.name.clone(), token.reveal().to_owned());
            answer::page(&WorkspacesPage { made, token, ..page(&state, &session, &parts).await? })
        }
        Err(ApiError::Admin(error @ (AdminError::Invalid(_) | AdminError::Exists(_)))) => {
            let says = sentence(&ApiError::Admin(error).says());
            answer::html(StatusCode::BAD_REQUEST, &WorkspacesPage { says, ..page(&state, &session, &parts).await? })
        }
        Err(error) => Err(error.into()),
    }
}
