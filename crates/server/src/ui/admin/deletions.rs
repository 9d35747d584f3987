//! Deletions and their receipts.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::request::Parts,
    response::Response,
};
use muster_model::deletion::DeletionId;
use muster_store::{
    credentials::Scopes,
    deletion::{Deletion, Stage, receipt},
};

use super::super::{
    answer::{self, PageError, go},
    frame::Frame,
    link,
    posted::Posted,
    session::Session,
    shown::{self, Form, Html, count},
    who::Names,
};
use crate::{
    deletions::receipts,
    error::ApiError,
    resources::{
        cursor::{ListName, Place},
        query::Query,
    },
    state::AppState,
};

const PATH: &str = "/admin/deletions";
/// Deletions of a page.
const ROWS: usize = 50;

struct Row {
    href: String,
    kind: &'static str,
    record: String,
    stage: &'static str,
    class: &'static str,
    requested: Html,
    by: String,
    /// Who called it off, and when.
    called_off: Option<(String, Html)>,
    due: Html,
    removed: String,
}

#[derive(Template)]
#[template(path = "deletions.html")]
struct DeletionsPage {
    frame: Frame,
    rows: Vec<Row>,
    next: String,
}

#[derive(Template)]
#[template(path = "deletion.html")]
struct DeletionPage {
    frame: Frame,
    row: Row,
    counts: Vec<(&'static str, String)>,
    finished: Html,
    number: String,
    receipt: String,
    /// Whether it can be called off, by whoever looks at it.
    scheduled: bool,
}

fn row(deletion: &Deletion, names: &Names) -> Row {
    let (stage, class) = match deletion.stage {
        Stage::Scheduled => ("scheduled", "warn"),
        Stage::Cancelled { .. } => ("called off", ""),
        Stage::Erasing(_) => ("being removed from disk", "accent"),
        Stage::Finished(..) => ("finished", "good"),
    };
    let removed = deletion.erasure().map(|erasure| erasure.removed).unwrap_or_default();
    Row {
        href: format!("{PATH}/{}", deletion.id),
        kind: deletion.root.0.as_str(),
        record: deletion.root.1.to_string(),
        stage,
        class,
        requested: shown::time(deletion.requested_at, Form::Ago),
        by: names.name(deletion.key_id),
        called_off: called_off(deletion, names),
        due: shown::time_or_nothing(deletion.due, Form::Full),
        removed: shown::many(removed.messages, "message"),
    }
}

/// Who called it off, if it was, and when. Long ago that was not written down; and of a record that somebody deleted otherwise
/// the server itself calls off what was scheduled.
fn called_off(deletion: &Deletion, names: &Names) -> Option<(String, Html)> {
    let Stage::Cancelled { at, by } = deletion.stage else { return None };
    Some((by.map_or_else(String::new, |by| names.name(by)), shown::time(at, Form::Full)))
}

/// The newest first.
pub(super) async fn all(State(state): State<AppState>, session: Session, parts: Parts) -> Result<Response, PageError> {
    let parameters = Query::of(&parts.uri);
    let workspace = session.workspace();
    let name = ListName::new(workspace.id, &["page of deletions"]);
    let from = name.read(parameters.get("from"))?.map(|place| DeletionId(place.id));
    let page = state.store.deletions(workspace.id, from, ROWS).await.map_err(ApiError::Read)?;
    let names = Names::of(&state, workspace);
    let at = page.deletions.last().map(|last| last.requested_at).unwrap_or_default();
    let next = page.next.map(|id| link::with(PATH, &[("from", &name.write(Place { at, id: id.0 }))]));
    answer::page(&DeletionsPage {
        frame: Frame::new(&session, &parts, "Deletions", PATH),
        rows: page.deletions.iter().map(|one| row(one, &names)).collect(),
        next: next.unwrap_or_default(),
    })
}

/// One, with its receipt byte for byte.
pub(super) async fn one(
    State(state): State<AppState>,
    session: Session,
    Path(id): Path<String>,
    parts: Parts,
) -> Result<Response, PageError> {
    let deletion = receipts::find(&state, session.workspace(), &id).await?;
    let removed = deletion.erasure().map(|erasure| erasure.removed).unwrap_or_default();
    let counts = [
        ("Organizations", removed.organizations),
        ("Accounts", removed.accounts),
        ("Users", removed.users),
        ("Custom objects", removed.custom_objects),
        ("Instances of custom objects", removed.instances),
        ("NPS responses", removed.responses),
        ("Messages", removed.messages),
        ("Messages that lost a part", removed.redacted),
        ("Refused messages", removed.refused),
        ("History files written anew", removed.files),
    ];
    let seal = deletion.seal();
    answer::page(&DeletionPage {
        frame: Frame::new(&session, &parts, "Deletion", PATH),
        counts: counts.into_iter().filter(|(_, many)| *many > 0).map(|(what, many)| (what, count(many))).collect(),
        finished: shown::time_or_nothing(seal.map(|seal| seal.finished_at), Form::Full),
        number: seal.map(|seal| count(seal.number)).unwrap_or_default(),
        receipt: receipts::with_problem(&state, &deletion, receipt::text(&deletion)),
        scheduled: deletion.stage == Stage::Scheduled && session.scopes.contains(Scopes::WRITE),
        row: row(&deletion, &Names::of(&state, session.workspace())),
    })
}

/// Calls off one that is scheduled.
pub(super) async fn cancel(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Posted { session, .. }: Posted,
) -> Result<Response, PageError> {
    session.require(Scopes::WRITE)?;
    receipts::call_off(&state, session.workspace(), &id, session.key_id()).await?;
    Ok(go(PATH))
}
