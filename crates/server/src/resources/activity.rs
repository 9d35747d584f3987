//! How much happened: activity by day, and the names of events.

use std::cmp::Reverse;

use axum::{
    extract::State,
    http::{Method, StatusCode, Uri},
    response::Response,
};
use muster_model::{day::Day, kind::RecordKind};
use muster_store::credentials::Scopes;

use super::{
    answer::{self, json},
    query::Query,
    records::{PathId, Reader, find},
    routes::ID,
};
use crate::{
    error::ApiError,
    openapi::{Words, named, schema},
    router::{Access, Route},
    state::AppState,
    wire::{activity, object::Object},
};

/// Days that one answer may be about.
const DAYS_MAX: i32 = 366;
/// Days that an answer is about when nothing else is asked for.
const DAYS_DEFAULT: i32 = 30;
const READ: Access = Access::Scope(Scopes::READ);

/// The routes of this file.
pub(super) fn routes() -> Vec<Route> {
    let kinds =
        [(RecordKind::Organization, "organizations"), (RecordKind::Account, "accounts"), (RecordKind::User, "users")];
    let mut routes: Vec<Route> = kinds.into_iter().map(|(kind, path)| days_of(kind, path)).collect();
    let description = "The most frequent first. Names beyond the number that is told (`reading.event_names_max`) are \
                       counted together as `others`.";
    let words =
        Words::new("Records", "Lists the names of events", description).answer(200, "All names.", named("EventNames"));
    routes.push(Route::new(Method::GET, "/resources/events/names", READ, names, words));
    routes
}

fn days_of(kind: RecordKind, path: &str) -> Route {
    let description = "Events and different users by day in UTC, as events are attributed now; days without events are \
                       left out.";
    let words = Words::new("Records", &format!("Counts the activity of one {}", kind.as_str()), description)
        .segment("id", ID)
        .query("from", "The first day; 29 days before the last one unless told otherwise.", schema::date())
        .query("to", "The last day; today unless told otherwise. At most 366 days.", schema::date())
        .answer(200, "The days.", named("Days"))
        .answer(400, "A parameter is not what it may be.", named("Error"))
        .answer(404, "There is no such record.", named("Error"));
    let handler =
        move |state: State<AppState>, reader: Reader, id: PathId, uri: Uri| days(kind, state, reader, id, uri);
    Route::new(Method::GET, format!("/resources/{path}/{{id}}/activity"), READ, handler, words)
}

/// Answers the days of a record.
async fn days(
    kind: RecordKind,
    State(state): State<AppState>,
    Reader(workspace): Reader,
    PathId(id): PathId,
    uri: Uri,
) -> Result<Response, ApiError> {
    let span = span(&Query::of(&uri), Day::of(state.clock.now()))?;
    let subject = (kind, find(&state, &workspace, kind, &id).await?.id);
    let found = state.store.activity(workspace.id, subject, span).await.map_err(ApiError::Read)?;
    let weight = found.iter().map(|day| 64 + day.by_event.len() * 96).sum();
    let one = move |object: &mut Object<'_>| {
        object.list("results", |list| {
            for day in &found {
                list.object(|object| activity::write_day(object, day));
            }
        });
        activity::write_span(object, span);
    };
    answer::write(&state, weight, move || json(StatusCode::OK, one)).await
}

/// The days that a request asks for.
fn span(parameters: &Query, today: Day) -> Result<(Day, Day), ApiError> {
    let day = |name: &str| {
        let Some(text) = parameters.filled(name) else { return Ok(None) };
        let says = || format!("{name} must be a date, such as 2018-05-15");
        Day::parse(text).map(Some).ok_or_else(|| ApiError::parameter(says()))
    };
    let last = day("to")?.unwrap_or(today);
    let first = day("from")?.unwrap_or(last.plus(1 - DAYS_DEFAULT));
    if first > last {
        return Err(ApiError::parameter("from must not be later than to"));
    }
    if last.0.saturating_sub(first.0) >= DAYS_MAX {
        return Err(ApiError::parameter(format!("from and to may span {DAYS_MAX} days at most; ask for fewer")));
    }
    Ok((first, last))
}

/// Answers all names of events.
async fn names(State(state): State<AppState>, Reader(workspace): Reader) -> Result<Response, ApiError> {
    let mut found = state.store.event_names(workspace.id).await.map_err(ApiError::Read)?;
    found.names.sort_by(|one, other| (Reverse(one.events), &one.name).cmp(&(Reverse(other.events), &other.name)));
    let weight = found.names.len() * 128;
    let one = move |object: &mut Object<'_>| {
        object.list("results", |list| {
            for name in &found.names {
                list.object(|object| activity::write_name(object, name));
            }
        });
        match &found.others {
            Some(others) => object.object("others", |object| activity::write_others(object, others)),
            None => object.null("others"),
        }
    };
    answer::write(&state, weight, move || json(StatusCode::OK, one)).await
}
