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
    credentials::{NewKey, Scopes},
    lists::{ListOrder, ListQuery},
};

use super::{
    answer::{self, PageError},
    charts::{self, DayFigures, Width},
    events::{CHART_DAYS, TREND_DAYS, first_of, last_days},
    frame::Frame,
    link,
    list::name_of,
    posted::Posted,
    session::{self, Session},
    shown::{self, Form, Html, count},
};
use crate::{error::ApiError, keys::Token, state::AppState};

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
    let names = state.store.event_names(session.workspace().id).await.map_err(ApiError::Read)?;
    let lists = Lists { state: &state, session: &session };
    let newest = lists.of(RecordKind::Account, ListOrder::CreatedAt).await?;
    let is_empty = names.names.is_empty()
        && names.others.is_none()
        && newest.is_empty()
        && lists.of(RecordKind::User, ListOrder::CreatedAt).await?.is_empty()
        && lists.of(RecordKind::Organization, ListOrder::CreatedAt).await?.is_empty();
    if is_empty {
        return answer::page(&first(&state, &session, &parts, None));
    }
    let accounts = lists.of(RecordKind::Account, ListOrder::LastSeen).await?;
    answer::page(&overview(&state, Frame::new(&session, &parts, "Overview", "/"), names, accounts, newest))
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
                    let seen = self.state.store.account_seen(self.session.workspace().id, profile.id).await;
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

fn overview(
    state: &AppState,
    frame: Frame,
    mut names: EventNames,
    accounts: Vec<Line>,
    newest: Vec<Line>,
) -> StartPage {
    let today = Day::of(state.clock.now());
    let mut figures = vec![DayFigures::default(); CHART_DAYS];
    let mut by_name: Vec<(u64, &str)> = Vec::new();
    names.names.sort_by(|one, other| one.name.cmp(&other.name));
    for name in &names.names {
        let days = last_days(name, today, CHART_DAYS);
        by_name.push((days[CHART_DAYS - TREND_DAYS..].iter().sum(), &name.name));
        figures.iter_mut().zip(&days).for_each(|(sum, events)| sum.events += events);
    }
    by_name.sort_by_key(|(events, name)| (Reverse(*events), *name));
    let sum = |days: &[DayFigures]| days.iter().map(|day| day.events).sum::<u64>();
    let (before, lately) =
        (&figures[CHART_DAYS - 2 * TREND_DAYS..CHART_DAYS - TREND_DAYS], &figures[CHART_DAYS - TREND_DAYS..]);
    let line = |(events, name): &(u64, &str)| Line {
        label: (*name).to_owned(),
        href: format!("/events/{}", link::encoded(name)),
        value: askama::filters::Safe(count(*events)),
    };
    StartPage {
        frame,
        chart: charts::days(first_of(today, CHART_DAYS), &figures, false, Width::Page),
        chart_days: CHART_DAYS,
        lately: shown::many(sum(lately), "event"),
        change: shown::change(sum(lately), sum(before)),
        names: shown::many(names.names.len() as u64, "name"),
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
    let token = Token::mint();
    let new = NewKey {
        workspace_name: session.workspace().name.clone(),
        name: "first sender".to_owned(),
        scopes: Scopes::WRITE,
        token_hash: token.hash(),
        created_at: state.clock.now(),
    };
    state.store.create_key(new).await.map_err(ApiError::Admin)?;
    answer::page(&first(&state, &session, &parts, Some(&token)))
}
