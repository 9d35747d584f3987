//! Team members: who looks after the customers of this workspace.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::{StatusCode, request::Parts},
    response::Response,
};
use muster_model::id::RecordId;
use muster_store::{
    credentials::Scopes,
    error::AdminError,
    team::{Member, NewMember, SignIn},
};

use super::super::{
    answer::{self, PageError, go, sentence},
    frame::Frame,
    posted::Posted,
    session::Session,
    shown::{self, Form, Html},
};
use crate::{error::ApiError, keys::password, state::AppState};

const PATH: &str = "/admin/team";

struct Row {
    id: String,
    name: String,
    email: String,
    added: Html,
    /// What the member may do here, if it signs in.
    may: String,
    writes: bool,
    administers: bool,
}

#[derive(Template)]
#[template(path = "team.html")]
struct TeamPage {
    frame: Frame,
    says: String,
    rows: Vec<Row>,
}

fn page(state: &AppState, session: &Session, parts: &Parts) -> TeamPage {
    let may = |member: &Member| member.sign_in.as_ref().map_or(Scopes::NONE, |sign_in| sign_in.scopes);
    let row = |member: &Member| Row {
        may: may(member).to_string().replace(',', ", "),
        writes: may(member).contains(Scopes::WRITE),
        administers: may(member).contains(Scopes::ADMIN),
        id: member.id.to_string(),
        name: member.name.clone(),
        email: member.email.clone(),
        added: shown::time(member.added_at, Form::Ago),
    };
    TeamPage {
        frame: Frame::new(session, parts, "Team", PATH),
        says: String::new(),
        rows: state.store.team(session.workspace().id).iter().map(row).collect(),
    }
}

/// The list, and a form for another.
pub(super) async fn show(State(state): State<AppState>, session: Session, parts: Parts) -> Result<Response, PageError> {
    session.require(Scopes::ADMIN)?;
    answer::page(&page(&state, &session, &parts))
}

/// Adds a member.
pub(super) async fn add(
    State(state): State<AppState>,
    Posted { session, fields, parts }: Posted,
) -> Result<Response, PageError> {
    session.require(Scopes::ADMIN)?;
    let (name, email) = (fields.get("name").trim().to_owned(), fields.get("email").trim().to_owned());
    let new = NewMember { name, email, added_at: state.clock.now() };
    match state.store.add_member(session.workspace().id, new).await {
        Ok(_) => Ok(go(PATH)),
        Err(error @ (AdminError::Failed(_) | AdminError::Busy(_))) => Err(ApiError::Admin(error).into()),
        Err(error) => {
            let says = sentence(&ApiError::Admin(error).says());
            answer::html(StatusCode::BAD_REQUEST, &TeamPage { says, ..page(&state, &session, &parts) })
        }
    }
}

/// The member that an address names.
fn member_id(text: &str) -> Result<RecordId, ApiError> {
    RecordId::parse(text).ok_or_else(|| ApiError::Admin(muster_store::team::unknown()))
}

/// Says what a member may do here, and gives it a password; an empty one leaves it the one that it has, and its sessions.
pub(super) async fn set_password(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Posted { session, fields, parts }: Posted,
) -> Result<Response, PageError> {
    session.require(Scopes::ADMIN)?;
    let id = member_id(&id)?;
    let again = |says: String| {
        let page = TeamPage { says: sentence(&says), ..page(&state, &session, &parts) };
        answer::html(StatusCode::BAD_REQUEST, &page)
    };
    let chosen = [("write", Scopes::WRITE), ("admin", Scopes::ADMIN)].into_iter();
    let chosen = chosen.filter(|(name, _)| !fields.get(name).is_empty()).map(|(_, scope)| scope);
    let scopes = chosen.fold(Scopes::READ, Scopes::union);
    let password = match fields.get("password") {
        "" => {
            let known = state.store.team(session.workspace().id).into_iter().find(|member| member.id == id);
            let Some(sign_in) = known.and_then(|member| member.sign_in) else {
                return again("a member who does not sign in yet needs a password to do so".to_owned());
            };
            sign_in.password
        }
        password => {
            if let Err(says) = password::check(password) {
                return again(says);
            }
            state.passwords.hash(password.to_owned()).await?
        }
    };
    let sign_in = Some(SignIn { password, scopes });
    state.store.set_sign_in(session.workspace().id, id, sign_in).await.map_err(ApiError::Admin)?;
    Ok(go(PATH))
}

/// Takes a member's password away, and ends its sessions; it stays on the list.
pub(super) async fn remove_password(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Posted { session, .. }: Posted,
) -> Result<Response, PageError> {
    session.require(Scopes::ADMIN)?;
    let id = member_id(&id)?;
    state.store.set_sign_in(session.workspace().id, id, None).await.map_err(ApiError::Admin)?;
    Ok(go(PATH))
}

/// Takes a member off the list.
pub(super) async fn remove(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Posted { session, .. }: Posted,
) -> Result<Response, PageError> {
    session.require(Scopes::ADMIN)?;
    let id = member_id(&id)?;
    state.store.remove_member(session.workspace().id, id).await.map_err(ApiError::Admin)?;
    Ok(go(PATH))
}
