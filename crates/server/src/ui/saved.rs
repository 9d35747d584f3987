//! Views and queries that the workspace keeps: listed where they are used, kept, renamed and removed by forms.
//!
//! A query that is opened is filled in and not run, as any statement that comes in an address.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use muster_model::kind::RecordKind;
use muster_store::saved::{Saved, SavedKind};

use super::{
    answer::{PageError, go, sentence},
    link,
    posted::{Fields, Posted},
    session::Session,
    who::Names,
};
use crate::{error::ApiError, saved, state::AppState};

/// One as it is listed.
pub(super) struct Row {
    pub id: u64,
    pub name: String,
    pub href: String,
    pub by: String,
    pub may_change: bool,
    /// Whether it is what the page shows.
    pub current: bool,
}

/// What unfolds on a page: everything of one kind, and a form for another.
pub(super) struct Shelf {
    /// What a form says is kept.
    pub kind: &'static str,
    /// Under which name browsers held them before the server did.
    pub held: &'static str,
    /// One and several of them, in words.
    pub one: &'static str,
    pub several: &'static str,
    pub rows: Vec<Row>,
    /// What would be kept; of a query it stands in the page's own form.
    pub text: String,
    pub is_query: bool,
}

/// What is kept of a kind of record.
pub(super) fn kind_of(kind: RecordKind) -> SavedKind {
    match kind {
        RecordKind::Organization => SavedKind::Organizations,
        RecordKind::User => SavedKind::Users,
        RecordKind::Account
        | RecordKind::Instance
        | RecordKind::CustomObject
        | RecordKind::NpsResponse
        | RecordKind::Anonymous => SavedKind::Accounts,
    }
}

impl Shelf {
    /// What there is of a kind, on a page that shows `text`.
    pub(super) fn new(state: &AppState, session: &Session, kind: SavedKind, text: &str) -> Shelf {
        let text = saved::kept_text(kind, text);
        let names = Names::of(state, session.workspace());
        let row = |one: &Saved| Row {
            id: one.id,
            name: one.name.clone(),
            href: saved::address(one),
            by: names.name(one.saved_by),
            may_change: session.by().may_change(one),
            current: one.text == text,
        };
        let rows = saved::all(state, session.workspace(), Some(kind)).iter().map(row).collect();
        let is_query = kind == SavedKind::Query;
        let (one, several) = if is_query { ("query", "Saved queries") } else { ("view", "Views") };
        let held = match kind {
            SavedKind::Accounts => "account",
            SavedKind::Users => "user",
            SavedKind::Organizations => "organization",
            SavedKind::Query => "sql",
        };
        Shelf {
            kind: kind.as_str(),
            held,
            one,
            several,
            rows,
            text: if is_query { String::new() } else { text },
            is_query,
        }
    }
}

/// The text in a form: the field of a table's page, or the statement.
fn text(fields: &Fields) -> &str {
    if fields.get("text").is_empty() { fields.get("sql") } else { fields.get("text") }
}

/// Where the browser goes on: to the query, or to the page that the form was on.
fn back(fields: &Fields, saved: &Saved) -> Response {
    match saved.kind {
        SavedKind::Query => go(&saved::address(saved)),
        SavedKind::Accounts | SavedKind::Users | SavedKind::Organizations => go(link::within(fields.get("back"))),
    }
}

/// Keeps one more.
pub(super) async fn keep(
    State(state): State<AppState>,
    Posted { session, fields, .. }: Posted,
) -> Result<Response, PageError> {
    let unknown = || PageError::Told { status: StatusCode::BAD_REQUEST, says: "this form is none of ours".to_owned() };
    let kind = SavedKind::parse(fields.get("kind")).ok_or_else(unknown)?;
    let wish = (kind, fields.get("name"), text(&fields));
    let kept = saved::keep(&state, session.workspace(), session.by(), wish).await.map_err(told)?;
    // A script that hands over several stays where it is.
    if fields.get("quiet").is_empty() { Ok(back(&fields, &kept)) } else { Ok("kept".into_response()) }
}

/// Gives one another name.
pub(super) async fn rename(
    State(state): State<AppState>,
    Path(id): Path<String>,
    form: Posted,
) -> Result<Response, PageError> {
    change(&state, &id, &form, (Some(form.fields.get("name")), None)).await
}

/// Keeps what the page shows in its place.
pub(super) async fn replace(
    State(state): State<AppState>,
    Path(id): Path<String>,
    form: Posted,
) -> Result<Response, PageError> {
    change(&state, &id, &form, (None, Some(text(&form.fields)))).await
}

async fn change(
    state: &AppState,
    id: &str,
    Posted { session, fields, .. }: &Posted,
    wish: (Option<&str>, Option<&str>),
) -> Result<Response, PageError> {
    let kept = saved::change(state, session.workspace(), session.by(), id, wish).await.map_err(told)?;
    Ok(back(fields, &kept))
}

/// Keeps one no longer.
pub(super) async fn remove(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Posted { session, fields, .. }: Posted,
) -> Result<Response, PageError> {
    let gone = saved::remove(&state, session.workspace(), session.by(), &id).await.map_err(told)?;
    match gone.kind {
        SavedKind::Query => Ok(go(saved::path(gone.kind))),
        SavedKind::Accounts | SavedKind::Users | SavedKind::Organizations => Ok(back(&fields, &gone)),
    }
}

/// What is wrong, and that going back loses nothing.
fn told(error: ApiError) -> PageError {
    if error.status().is_server_error() || matches!(error, ApiError::MissingScope { .. }) {
        return PageError::Api(error);
    }
    let says = format!("{} Go back: nothing of the page is lost.", sentence(&error.says()));
    PageError::Told { status: error.status(), says }
}
