//! Imports: how far each has come, what it brought, and taking one back.
//!
//! A bar is a picture of a share that stands beside it in words. While one is under way the page asks to be read again now
//! and then; nothing here needs a script. Taking back is asked about on a page of its own.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::{StatusCode, request::Parts},
    response::Response,
};
use muster_store::{
    credentials::Scopes,
    import::{Import, Stage},
};

use super::super::{
    answer::{self, PageError, go},
    frame::Frame,
    posted::Posted,
    session::Session,
    shown::{self, Form, Html, count},
    who::Names,
};
use crate::{
    error::ApiError,
    imports::{show, undo::take_back},
    state::AppState,
    wire::import,
};

const PATH: &str = "/admin/imports";
/// The word that has to be typed.
const WORD: &str = "undo";

struct Row {
    href: String,
    id: String,
    name: Html,
    form: String,
    state: &'static str,
    class: &'static str,
    /// In hundredths; nothing once it is over, or where it is not known how much there is.
    share: Option<u64>,
    read: String,
    stored: String,
    duplicates: String,
    refused: String,
    begun: Html,
    by: String,
    /// Who had it taken back; empty if it was not, or that was not written down.
    undone_by: String,
    heard: Html,
    ended: Html,
}

#[derive(Template)]
#[template(path = "imports.html")]
struct ImportsPage {
    frame: Frame,
    under_way: Vec<Row>,
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "import.html")]
struct ImportPage {
    frame: Frame,
    row: Row,
    taken_back: String,
    may_undo: bool,
}

#[derive(Template)]
#[template(path = "import_undo.html")]
struct UndoPage {
    frame: Frame,
    row: Row,
    word: &'static str,
    says: String,
}

fn row(state: &AppState, names: &Names, import: &Import) -> Row {
    let word = import::state(import, state.clock.now());
    let whole = import.total.map(|total| (import.counts.read, total));
    let whole = whole.or_else(|| import.source.bytes.map(|bytes| (import.bytes, bytes))).filter(|(_, all)| *all > 0);
    let share = whole.map(|(come, all)| (u128::from(come.min(all)) * 100 / u128::from(all)) as u64);
    Row {
        href: format!("{PATH}/{}", import.id),
        id: import.id.to_string(),
        name: shown::text(&import.source.name),
        form: import.source.form.as_ref().to_owned(),
        state: word,
        class: match word {
            "running" | "undoing" => "accent",
            "interrupted" => "warn",
            "complete" => "good",
            _ => "",
        },
        share: share.filter(|_| import.stage == Stage::Running),
        read: count(import.counts.read),
        stored: count(import.counts.stored),
        duplicates: count(import.counts.duplicates),
        refused: count(import.counts.refused),
        begun: shown::time(import.started_at, Form::Ago),
        by: names.name(import.key_id),
        undone_by: import.undone_by.map(|by| names.name(by)).unwrap_or_default(),
        heard: shown::time(import.heard_at, Form::Ago),
        ended: shown::time_or_nothing(import::ended_at(import), Form::Full),
    }
}

/// Those under way with their bars, and the others.
pub(super) async fn all(State(state): State<AppState>, session: Session, parts: Parts) -> Result<Response, PageError> {
    session.require(Scopes::ADMIN)?;
    let imports = state.store.imports(session.workspace().id).await.map_err(ApiError::Read)?;
    let names = Names::of(&state, session.workspace());
    let is_over = |import: &&Import| matches!(import.stage, Stage::Complete { .. } | Stage::Undone { .. });
    let (over, under_way): (Vec<&Import>, Vec<&Import>) = imports.iter().partition(is_over);
    answer::page(&ImportsPage {
        frame: Frame::new(&session, &parts, "Imports", PATH),
        under_way: under_way.into_iter().map(|import| row(&state, &names, import)).collect(),
        rows: over.into_iter().map(|import| row(&state, &names, import)).collect(),
    })
}

async fn find(state: &AppState, session: &Session, id: &str) -> Result<Import, PageError> {
    session.require(Scopes::ADMIN)?;
    Ok(show::named(state, session.workspace().id, id).await?)
}

/// One.
pub(super) async fn one(
    State(state): State<AppState>,
    session: Session,
    Path(id): Path<String>,
    parts: Parts,
) -> Result<Response, PageError> {
    let import = find(&state, &session, &id).await?;
    let taken_back = if let Stage::Undone { messages, .. } = import.stage { count(messages) } else { String::new() };
    answer::page(&ImportPage {
        frame: Frame::new(&session, &parts, format!("Import {}", import.id), PATH),
        row: row(&state, &Names::of(&state, session.workspace()), &import),
        taken_back,
        may_undo: !import.is_closed(),
    })
}

/// Asks whether it is meant.
pub(super) async fn ask(
    State(state): State<AppState>,
    session: Session,
    Path(id): Path<String>,
    parts: Parts,
) -> Result<Response, PageError> {
    let import = find(&state, &session, &id).await?;
    answer::page(&asking(&state, &session, &parts, &import, String::new()))
}

fn asking(state: &AppState, session: &Session, parts: &Parts, import: &Import, says: String) -> UndoPage {
    let frame = Frame::new(session, parts, format!("Take import {} back", import.id), PATH);
    let names = Names::of(state, session.workspace());
    UndoPage { frame, row: row(state, &names, import), word: WORD, says }
}

/// Has it taken back.
pub(super) async fn undo(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Posted { session, fields, parts }: Posted,
) -> Result<Response, PageError> {
    let import = find(&state, &session, &id).await?;
    if fields.get("word").trim() != WORD {
        let says = format!("Nothing was taken back: type the word “{WORD}” to say that it is meant.");
        return answer::html(StatusCode::BAD_REQUEST, &asking(&state, &session, &parts, &import, says));
    }
    let import = take_back(&state, session.workspace().id, import, session.key_id()).await?;
    Ok(go(&format!("{PATH}/{}", import.id)))
}
