//! The first page: how to send a first message, or what goes on.

use std::cmp::Reverse;

use askama::Template;
use axum::{
    extract::State,
    http::{header::HOST, request::Parts},
    response::Response,
};
use muster_model::{day::Day, kind::RecordKind};
use muster_store::{
    activity::EventNames,
    credentials::Scopes,
    lists::{ListOrder, ListQuery},
    status::Records,
};

use super::{
    answer::{self, PageError},
    charts::{self, Width},
    days::{CHART_DAYS, first_of, lately_and_before},
    events::{days_of_all, last_days},
    frame::Frame,
    link,
    list::name_of,
    posted::Posted,
    session::{self, Session},
    shown::{self, Form, Html, count},
    warm,
};
use crate::{admin::keys, error::ApiError, keys::Token, state::AppState};

/// Lines of each list.
const LINES: usize = 8;

struct Line {
    label: String,
    href: String,
    value: Html,
}

#[derive(Template)]
#[template(path = "start.html")]
struct StartPage {
    frame: Frame,
    chart: Html,
    chart_days: usize,
    lately: String,
    change: Html,
    names: String,
    /// How many records there are; nothing while they are counted.
    records: String,
    accounts: Vec<Line>,
    newest: Vec<Line>,
    events: Vec<Line>,
}

#[derive(Template)]
#[template(path = "first.html")]
struct FirstPage {
    frame: Frame,
    /// Where this server is, as the browser sees it.
    address: String,
    /// The token of a key made just now, or words in its place.
    token: String,
    made: bool,
    may_make: bool,
}

/// Answers the page.
pub(super) async fn show(State(state): State<AppState>, session: Session, parts: Parts) -> Result<Response, PageError> {
    warm::begin(&state, session.workspace());
    let lists = Lists { state: &state, session: &session };
    let (names, newest, accounts) = tokio::try_join!(
        async { state.store.event_names(session.workspace().id).await.map_err(ApiError::Read) },
        lists.of(RecordKind::Account, ListOrder::CreatedAt),
        lists.of(RecordKind::Account, ListOrder::LastSeen),
    )?;
    let is_empty = names.names.is_empty()
        && names.others.is_none()
        && newest.is_empty()
        && lists.of(RecordKind::User, ListOrder::CreatedAt).await?.is_empty()
        && lists.of(RecordKind::Organization, ListOrder::CreatedAt).await?.is_empty();
    if is_empty {
        return answer::page(&first(&state, &session, &parts, None));
    }
    let records = state.store.records(session.workspace().id);
    let page = overview(&state, Frame::new(&session, &parts, "Overview", "/"), names, accounts, newest);
    answer::page(&StartPage { records: records.map(told).unwrap_or_default(), ..page })
}

fn told(records: Records) -> String {
    let Records { organizations, accounts, users } = records;
    let all = [(organizations, "organization"), (accounts, "account"), (users, "user")];
    all.map(|(number, thing)| shown::many(number, thing)).join(", ")
}

struct Lists<'a> {
    state: &'a AppState,
    session: &'a Session,
}

impl Lists<'_> {
    /// The first records in an order, with the instant that it is about.
    async fn of(&self, kind: RecordKind, order: ListOrder) -> Result<Vec<Line>, ApiError> {
        let by_seen = order == ListOrder::LastSeen;
        let query = ListQuery { limit: LINES, ..ListQuery::new(kind, order) };
        let page = self.state.store.list(self.session.workspace().id, query).await.map_err(ApiError::Read)?;
        let mut lines = Vec::new();
        for profile in &page.profiles {
            let at = match by_seen {
                true => {
                    let seen = self.state.store.seen(self.session.workspace().id, (kind, profile.id)).await;
                    seen.map_err(ApiError::Read)?.last()
                }
                false => Some(profile.created_at),
            };
            lines.push(Line {
                label: name_of(profile),
                href: link::record(kind, &profile.external_id, profile.id),
                value: shown::time_or_nothing(at, Form::Ago),
            });
        }
        Ok(lines)
    }
}

fn overview(state: &AppState, frame: Frame, names: EventNames, accounts: Vec<Line>, newest: Vec<Line>) -> StartPage {
    let today = Day::of(state.clock.now());
    let figures = days_of_all(&names.names, today);
    let of_name = |name| lately_and_before(&last_days(name, today, CHART_DAYS)).0;
    let mut by_name: Vec<(u64, &str)> = names.names.iter().map(|name| (of_name(name), name.name.as_str())).collect();
    by_name.sort_by_key(|(events, name)| (Reverse(*events), *name));
    let (lately, before) = lately_and_before(&figures.iter().map(|day| day.events).collect::<Vec<u64>>());
    let line = |(events, name): &(u64, &str)| Line {
        label: (*name).to_owned(),
        href: link::event(name),
        value: askama::filters::Safe(count(*events)),
    };
    StartPage {
        frame,
        chart: charts::days(first_of(today, CHART_DAYS), &figures, false, Width::Page),
        chart_days: CHART_DAYS,
        lately: shown::many(lately, "event"),
        change: shown::change(lately, before),
        names: shown::many(names.names.len() as u64, "name"),
        records: String::new(),
        events: by_name.iter().filter(|(events, _)| *events > 0).take(LINES).map(line).collect(),
        accounts,
        newest,
    }
}

fn first(state: &AppState, session: &Session, parts: &Parts, token: Option<&Token>) -> FirstPage {
    let scheme = if session::is_secure(state, &parts.headers) { "https" } else { "http" };
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1:8080");
    FirstPage {
        frame: Frame::new(session, parts, "Send the first message", "/"),
        address: format!("{scheme}://{host}"),
        token: token.map_or_else(|| "YOUR_TOKEN".to_owned(), |token| token.reveal().to_owned()),
        made: token.is_some(),
        may_make: session.scopes.contains(Scopes::ADMIN),
    }
}

/// Makes a key for sending, and shows the page with its token filled in.
pub(super) async fn make_key(
    State(state): State<AppState>,
    Posted { session, parts, .. }: Posted,
) -> Result<Response, PageError> {
    session.require(Scopes::ADMIN)?;
    let (_, token) = keys::make(&state, &session.workspace().name, "first sender", Scopes::WRITE).await?;
    answer::page(&first(&state, &session, &parts, Some(&token)))
}
