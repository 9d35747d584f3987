//! Tables of accounts, users and organizations.
//!
//! The parameters are those of the API's lists, so that what a page shows can be asked for by a program as well; besides
//! them a page knows which columns to show. One page costs one page of the API.

/// What stands in each column.
mod columns;

/// Addresses of the same table, a little different.
mod addresses;

/// Filters: shown, added, removed.
mod filters;

/// The table as CSV, to its end.
mod csv;

use askama::Template;
use axum::{extract::State, http::request::Parts, response::Response};
use muster_model::{id::RecordId, kind::RecordKind};
use muster_store::{catalogue::Model, credentials::Workspace, lists::ListCursor};

use self::{
    addresses::Addresses,
    columns::{Column, Record},
};
pub(super) use self::{columns::name_of, csv::show as csv};
use super::{
    answer::{self, PageError, sentence},
    frame::Frame,
    link,
    saved::{self, Shelf},
    session::Session,
    shown::Html,
    warm,
};
use crate::{
    error::ApiError,
    resources::{
        accounts,
        query::Query,
        records::{ListOf, ListRequest},
        related::Gatherer,
    },
    state::AppState,
};

/// Rows of a page.
const ROWS: &str = "50";
/// Keys of traits that are offered as columns and filters.
const KEYS_OFFERED_MAX: usize = 500;

/// The words about a kind of record.
pub(super) fn plural(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Organization => "Organizations",
        RecordKind::User => "Users",
        RecordKind::Account
        | RecordKind::Instance
        | RecordKind::CustomObject
        | RecordKind::NpsResponse
        | RecordKind::Anonymous => "Accounts",
    }
}

struct Choice {
    key: String,
    shown: bool,
}

struct Tab {
    label: &'static str,
    href: String,
    current: bool,
}

struct Head {
    label: String,
    /// The same table sorted by this, if it can be.
    href: String,
    /// `ascending` or `descending`, where the table is sorted by this.
    sorted: &'static str,
    number: bool,
}

struct Row {
    href: String,
    name: String,
    churned: bool,
    cells: Vec<Cell>,
}

struct Cell {
    shown: Html,
    number: bool,
}

#[derive(Template)]
#[template(path = "list.html")]
struct ListPage {
    frame: Frame,
    shelf: Shelf,
    csv: String,
    search: String,
    without_columns: Vec<(String, String)>,
    without_search: Vec<(String, String)>,
    without_filter: Vec<(String, String)>,
    columns_offered: Vec<Choice>,
    statuses: Vec<Tab>,
    filters: Vec<filters::Chip>,
    filtered: bool,
    says: String,
    heads: Vec<Head>,
    rows: Vec<Row>,
    ended: bool,
    first: String,
    next: String,
}

/// Answers a table of a kind of record.
pub(super) async fn show(
    kind: RecordKind,
    State(state): State<AppState>,
    session: Session,
    parts: Parts,
) -> Result<Response, PageError> {
    let parameters = filters::asked(Query::of(&parts.uri));
    if let Some(canonical) = filters::added(kind, &parameters) {
        return Ok(answer::go(&canonical));
    }
    warm::begin(&state, session.workspace());
    let mut page = outline(kind, &state, &session, &parts, &parameters).await?;
    let chosen = columns::chosen(kind, &state, session.workspace(), &parameters).await?;
    page.columns_offered = offered(kind, &state, session.workspace(), &chosen).await?;
    match found(kind, &state, session.workspace(), &parameters, Some(ROWS)).await {
        Ok(found) => fill(&mut page, kind, &parameters, &chosen, &found),
        Err(error) if error.status().is_client_error() => page.says = sentence(&error.says()),
        Err(error) => return Err(error.into()),
    }
    answer::page(&page)
}

/// Everything but the rows.
async fn outline(
    kind: RecordKind,
    state: &AppState,
    session: &Session,
    parts: &Parts,
    parameters: &Query,
) -> Result<ListPage, PageError> {
    let path = link::list(kind);
    let addresses = Addresses::new(path, parameters);
    let status = parameters.filled("status").unwrap_or("active");
    let tab = |label, word: &'static str| {
        let value = if word == "active" { "" } else { word };
        Tab { label, href: addresses.with("status", value), current: status == word }
    };
    let statuses = match kind {
        RecordKind::Account => {
            vec![tab("Active", "active"), tab("Churned", "churned"), tab("All", "activeOrChurned")]
        }
        _ => Vec::new(),
    };
    let filters = filters::chips(state, session.workspace(), parameters, &addresses).await?;
    let search = parameters.get("search").unwrap_or_default().to_owned();
    Ok(ListPage {
        frame: Frame::new(session, parts, plural(kind), path),
        shelf: Shelf::new(state, session, saved::kind_of(kind), parts.uri.query().unwrap_or_default()),
        csv: Addresses::new(&format!("{path}.csv"), parameters).without(&["from"]),
        without_columns: addresses.pairs_without(&["column", "columns", "from"]),
        without_search: addresses.pairs_without(&["search", "from"]),
        without_filter: addresses.pairs_without(&["from", "f.key", "f.way", "f.value"]),
        filtered: !filters.is_empty() || !search.is_empty() || !matches!(status, "active" | "activeOrChurned"),
        search,
        columns_offered: Vec::new(),
        statuses,
        filters,
        says: String::new(),
        heads: Vec::new(),
        rows: Vec::new(),
        ended: true,
        first: if parameters.filled("from").is_some() { addresses.without(&["from"]) } else { String::new() },
        next: String::new(),
    })
}

fn fill(page: &mut ListPage, kind: RecordKind, parameters: &Query, columns: &[Column], found: &Found) {
    let addresses = Addresses::new(link::list(kind), parameters);
    page.heads = columns.iter().map(|column| head(kind, column, parameters, &addresses)).collect();
    page.rows = found.records.iter().map(|record| row(record, columns)).collect();
    page.ended = found.next.is_none();
    page.next = found.next.as_ref().map(|from| addresses.with("from", from)).unwrap_or_default();
}

fn head(kind: RecordKind, column: &Column, parameters: &Query, addresses: &Addresses<'_>) -> Head {
    let (by, number) = (column.sort_by(), column.is_number());
    let label = column.label();
    let Some(by) = by else { return Head { label, href: String::new(), sorted: "", number } };
    let sorted = parameters.filled("sortBy").unwrap_or(default_order(kind)) == by;
    let ascending = parameters.filled("order") == Some("asc");
    let order = if sorted && !ascending { "asc" } else { "desc" };
    let href = addresses.with_all(&[("sortBy", &by), ("order", order), ("from", "")]);
    let sorted = match (sorted, ascending) {
        (false, _) => "",
        (true, true) => "ascending",
        (true, false) => "descending",
    };
    Head { label, href, sorted, number }
}

/// What a table is sorted by unless something else is asked for: who was there last, or of whom something was said last.
fn default_order(kind: RecordKind) -> &'static str {
    if matches!(kind, RecordKind::Account | RecordKind::User) { "lastSeenTimestamp" } else { "updatedAt" }
}

fn row(record: &Record, columns: &[Column]) -> Row {
    let profile = record.profile();
    let cells = columns.iter().skip(1).map(|column| Cell { shown: column.cell(record), number: column.is_number() });
    Row {
        href: link::record(profile.kind(), &profile.external_id, profile.id),
        name: name_of(profile),
        churned: record.churned,
        cells: cells.collect(),
    }
}

/// The traits that can be columns and filters, by key.
async fn offered(
    kind: RecordKind,
    state: &AppState,
    workspace: &Workspace,
    chosen: &[Column],
) -> Result<Vec<Choice>, PageError> {
    let model = Model { kind, object: None };
    let mut known = state.store.known_traits(workspace.id, model).await.map_err(ApiError::Read)?;
    known.sort_by(|one, other| one.key.cmp(&other.key));
    let shown = |key: &str| chosen.iter().any(|column| matches!(column, Column::Trait { key: one, .. } if one == key));
    let choices = known.iter().take(KEYS_OFFERED_MAX);
    Ok(choices.map(|one| Choice { shown: shown(&one.key), key: one.key.to_string() }).collect())
}

/// A page of records with what belongs to them.
struct Found {
    records: Vec<Record>,
    /// The cursor of the next page.
    next: Option<String>,
}

/// Reads a page as the API does. `limit` stands in for the parameter of that name.
async fn found(
    kind: RecordKind,
    state: &AppState,
    workspace: &Workspace,
    parameters: &Query,
    limit: Option<&str>,
) -> Result<Found, ApiError> {
    let mut conditions = Vec::new();
    if kind == RecordKind::Account {
        conditions.extend(accounts::of_status(state, parameters)?);
    }
    let within = within(kind, state, workspace, parameters).await?;
    let limited = limit.map(|limit| parameters.and("limit", limit));
    let parameters = limited.as_ref().unwrap_or(parameters);
    let is_ordered = parameters.filled("sortBy").is_some();
    let ordered = (!is_ordered).then(|| parameters.and("sortBy", default_order(kind)));
    let parameters = ordered.as_ref().unwrap_or(parameters);
    let request = ListRequest::read(state, workspace, parameters, ListOf { within, conditions, ..ListOf::all(kind) });
    let request = request.await?;
    let page = request.page(state, workspace).await?;
    let mut gatherer = Gatherer::new(state, workspace.id);
    gatherer.read_ahead(&page.profiles).await?;
    let mut records = Vec::with_capacity(page.profiles.len());
    for profile in page.profiles {
        records.push(columns::gather(&mut gatherer, profile, state).await?);
    }
    Ok(Found { records, next: page.next.map(|at: ListCursor| request.cursor(at)) })
}

/// The account or organization whose records a page is about.
async fn within(
    kind: RecordKind,
    state: &AppState,
    workspace: &Workspace,
    parameters: &Query,
) -> Result<Option<(RecordKind, RecordId)>, ApiError> {
    for (name, parent) in [("account", RecordKind::Account), ("organization", RecordKind::Organization)] {
        let possible = kind == RecordKind::User || (kind == RecordKind::Account && parent == RecordKind::Organization);
        if let Some(id) = parameters.filled(name).filter(|_| possible) {
            let found = crate::resources::records::find(state, workspace, parent, id).await?;
            return Ok(Some((parent, found.id)));
        }
    }
    Ok(None)
}
