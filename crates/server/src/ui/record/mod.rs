//! The page of one account, user or organization.
//!
//! It reads one record, a year of its activity by day, one page of its timeline and a few of the records beside it;
//! nothing on it scans more. Where activity is too much for one answer the page says so and shows the rest.

/// What happened, by day and by event.
mod activity;

/// What happened, one by one.
mod timeline;

/// What stands beside it: users, accounts, objects, answers to surveys.
mod beside;

/// What was said of one trait.
mod trait_history;

/// Deleting it.
mod removal;

use std::sync::Arc;

use askama::{Template, filters::Safe};
use axum::{extract::State, http::request::Parts, response::Response};
use muster_model::{
    kind::RecordKind,
    profile::{Profile, Span},
};

use self::{
    activity::{Activity, TopEvent},
    beside::{Answer, Group},
    timeline::{DayOfEvents, Timeline},
};
pub(super) use self::{removal::remove, trait_history::show as trait_history};
use muster_store::credentials::Scopes;

use super::{
    answer::{self, PageError},
    days::CHART_DAYS,
    frame::Frame,
    link,
    list::{name_of, plural},
    session::Session,
    shown::{self, Form, Html, Long},
};
use crate::{
    error::ApiError,
    resources::{
        query::Query,
        records::{PathId, find},
        related::Gatherer,
    },
    state::AppState,
    wire::value,
};

/// A line of figures: what it is, and what it comes to.
struct Figure {
    label: &'static str,
    value: Html,
}

/// A record beside this one, or a trait of it.
struct Line {
    label: String,
    href: String,
    value: Html,
}

/// A record above this one.
struct Above {
    label: String,
    href: String,
}

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPage {
    frame: Frame,
    kind_plural: &'static str,
    name: String,
    external_id: String,
    uuid: String,
    email: String,
    churned: bool,
    stated: bool,
    parents: Vec<Above>,
    created: Html,
    updated: Html,
    figures: Vec<Figure>,
    chart_days: usize,
    chart_users: bool,
    chart: Html,
    heat: Html,
    activity_says: String,
    top: Vec<TopEvent>,
    here: String,
    event: String,
    days: Vec<DayOfEvents>,
    older: String,
    newest: String,
    may_delete: bool,
    related: Vec<Group>,
    answers: Vec<Answer>,
    answers_count: String,
    answers_all: String,
    /// A deletion of it that waits for its day: its page, and the day.
    scheduled: Option<(String, Html)>,
    traits: Vec<Line>,
    traits_count: usize,
}

/// Answers the page.
pub(super) async fn show(
    kind: RecordKind,
    State(state): State<AppState>,
    session: Session,
    PathId(id): PathId,
    parts: Parts,
) -> Result<Response, PageError> {
    let parameters = Query::of(&parts.uri);
    let workspace = session.workspace();
    let profile = find(&state, workspace, kind, &id).await?;
    let here = link::record(kind, &profile.external_id, profile.id);
    // None of them needs another, and each may read files.
    let (activity, timeline, seen, beside, parents, scheduled) = tokio::try_join!(
        Activity::read(&state, workspace, &profile, &here),
        Timeline::read(&state, workspace, &profile, &parameters, &here),
        seen(&state, &session, &profile),
        beside::read(&state, workspace, &profile),
        parents(&state, &session, &profile),
        removal::scheduled(&state, workspace, &profile),
    )?;
    let figures = figures(&state, &profile, seen, &activity, beside.active.as_deref());
    let traits: Vec<Line> = profile.traits.iter().map(|(key, json)| trait_line(&here, key, json)).collect();
    let churned = kind == RecordKind::Account && profile.traits.get(&state.settings.trait_names.churned_at).is_some();
    let name = name_of(&profile);
    answer::page(&RecordPage {
        frame: Frame::new(&session, &parts, &name, link::list(kind)),
        kind_plural: plural(kind),
        external_id: profile.external_id.to_string(),
        uuid: profile.id.to_string(),
        email: profile.as_user().and_then(|_| value::text(&profile.traits, "email")).unwrap_or_default().into_owned(),
        churned,
        stated: profile.stated,
        parents,
        created: shown::time(profile.created_at, Form::Ago),
        updated: shown::time(profile.updated_at, Form::Ago),
        figures,
        chart_days: CHART_DAYS,
        chart_users: kind != RecordKind::User,
        chart: activity.chart,
        heat: activity.heat,
        activity_says: activity.says,
        top: activity.top,
        here,
        event: timeline.event,
        days: timeline.days,
        older: timeline.older,
        newest: timeline.newest,
        may_delete: session.scopes.contains(Scopes::WRITE),
        related: beside.groups,
        answers: beside.answers,
        answers_count: beside.answers_count,
        answers_all: beside.answers_all,
        scheduled,
        traits_count: traits.len(),
        traits,
        name,
    })
}

fn trait_line(here: &str, key: &str, json: &str) -> Line {
    let href = link::trait_history(here, key);
    Line { label: key.to_owned(), href, value: shown::value(json, Long::Folded) }
}

/// First and last track, exactly.
async fn seen(state: &AppState, session: &Session, profile: &Arc<Profile>) -> Result<Span, ApiError> {
    Gatherer::new(state, session.workspace().id).seen(profile).await
}

/// The organization of an account; the accounts and organizations of a user, as many as a heading holds.
async fn parents(state: &AppState, session: &Session, profile: &Arc<Profile>) -> Result<Vec<Above>, ApiError> {
    const NAMED_MAX: usize = 4;
    let mut gatherer = Gatherer::new(state, session.workspace().id);
    let mut above = Vec::new();
    if let Some(parent) = profile.as_account().and_then(|account| account.parent()) {
        above.extend(gatherer.organization_of(Some(parent.id)).await?.map(|view| Arc::clone(&view.profile)));
    }
    if let Some(user) = profile.as_user() {
        for link in user.accounts.standing().into_iter().take(NAMED_MAX) {
            above.extend(gatherer.account_of(Some(link.parent)).await?.map(|view| Arc::clone(&view.profile)));
        }
        for link in user.organizations.standing().into_iter().take(NAMED_MAX) {
            above.extend(gatherer.organization_of(Some(link.parent)).await?.map(|view| Arc::clone(&view.profile)));
        }
    }
    let shown =
        |one: &Arc<Profile>| Above { label: name_of(one), href: link::record(one.kind(), &one.external_id, one.id) };
    Ok(above.iter().map(shown).collect())
}

/// Renewals that are so near are marked.
const NEAR_MICROS: i64 = 30 * 86_400 * 1_000_000;

/// What a person looks at first: how alive it is, then what it is worth.
fn figures(state: &AppState, profile: &Profile, seen: Span, activity: &Activity, active: Option<&str>) -> Vec<Figure> {
    let names = &state.settings.trait_names;
    let mut figures = Vec::new();
    let mut put = |label, value| figures.push(Figure { label, value });
    let plain = |text: String| Safe(text);
    if profile.as_organization().is_none() {
        put("Last seen", shown::time_or_nothing(seen.last(), Form::Ago));
    }
    if activity.says.is_empty() {
        put("Events, 30 days", plain(format!("{} {}", shown::count(activity.events_lately), activity.change.0)));
    }
    let users = profile.as_account().map(|account| account.users_count);
    let users = users.or_else(|| profile.as_organization().map(|organization| organization.users_count));
    if let (Some(users), Some(active)) = (users, active) {
        put("Active, 30 days", plain(format!("{active} <small>of {}</small>", shown::many(users.into(), "user"))));
    }
    if let Some(organization) = profile.as_organization() {
        put("Accounts", plain(shown::count(organization.accounts_count.into())));
    }
    let tally = profile.as_account().map(|account| account.nps);
    let tally = tally.or_else(|| profile.as_organization().map(|organization| organization.nps));
    if let Some((tally, score)) = tally.and_then(|tally| Some((tally, tally.score()?))) {
        put("NPS", plain(format!("{score} <small>of {}</small>", shown::many(tally.all(), "answer"))));
    }
    if let Some(last) = profile.as_user().and_then(|user| user.nps.last) {
        put("Last NPS answer", plain(format!("{} <small>of 10</small>", last.score)));
    }
    if let Some(mrr) = value::number(&profile.traits, &names.mrr) {
        put("MRR", plain(shown::number(&mrr)));
    }
    if let Some(renewal) = value::instant(&profile.traits, &names.next_renewal_date) {
        let now = state.clock.now();
        let is_near = renewal >= now && renewal <= now.plus_micros(NEAR_MICROS);
        let time = shown::time(renewal, Form::Ago);
        put("Renewal", if is_near { plain(format!("<span class=\"near\">{}</span>", time.0)) } else { time });
    }
    if let Some(churned) = value::instant(&profile.traits, &names.churned_at) {
        put("Churned", shown::time(churned, Form::Ago));
    }
    if profile.as_organization().is_none() {
        put("First seen", shown::time_or_nothing(seen.first(), Form::Ago));
    }
    figures
}
