//! Events by name: how many, since when, with which properties.
//!
//! Counts by day were made when the history was written, so that a page of names scans nothing. Which properties a name
//! has is told from a bounded number of its events.

/// The page of one name.
mod one;

use std::cmp::Reverse;

use askama::Template;
use axum::{extract::State, http::request::Parts, response::Response};
use muster_model::day::Day;
use muster_store::activity::EventName;

pub(super) use self::one::show as one;
use super::{
    answer::{self, PageError},
    charts::{self, DayFigures, Width},
    days::{CHART_DAYS, first_of, lately_and_before},
    frame::Frame,
    link,
    session::Session,
    shown::{self, Form, Html, count},
};
use crate::{error::ApiError, resources::query::Query, state::AppState};

/// Names on the page.
const NAMES_SHOWN: usize = 500;

struct Row {
    name: String,
    href: String,
    spark: Html,
    events: String,
    lately: String,
    trend: Html,
    first: Html,
    last: Html,
}

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage {
    frame: Frame,
    chart: Html,
    chart_days: usize,
    rows: Vec<Row>,
    names: String,
    says: String,
}

/// The page of all names, or of the one that a parameter holds.
pub(super) async fn all(State(state): State<AppState>, session: Session, parts: Parts) -> Result<Response, PageError> {
    if let Some(name) = Query::of(&parts.uri).filled("name") {
        return one::page(&state, &session, name, &parts).await;
    }
    let mut found = state.store.event_names(session.workspace().id).await.map_err(ApiError::Read)?;
    found.names.sort_by(|one, other| (Reverse(one.events), &one.name).cmp(&(Reverse(other.events), &other.name)));
    let today = Day::of(state.clock.now());
    let others = found.others.map(|others| format!(" {} events have other names.", count(others.events)));
    let hidden = found.names.len().saturating_sub(NAMES_SHOWN);
    let hidden = if hidden > 0 {
        format!(" {} names with fewer events are not shown.", count(hidden as u64))
    } else {
        String::new()
    };
    answer::page(&EventsPage {
        frame: Frame::new(&session, &parts, "Events", "/events"),
        chart: charts::days(first_of(today, CHART_DAYS), &days_of_all(&found.names, today), false, Width::Page),
        chart_days: CHART_DAYS,
        names: shown::many(found.names.len() as u64, "name"),
        says: format!("Days are in UTC.{hidden}{}", others.unwrap_or_default()),
        rows: found.names.iter().take(NAMES_SHOWN).map(|name| row(name, today)).collect(),
    })
}

fn row(name: &EventName, today: Day) -> Row {
    let days = last_days(name, today, CHART_DAYS);
    let (lately, before) = lately_and_before(&days);
    Row {
        href: link::event(&name.name),
        name: name.name.clone(),
        spark: charts::trend(&days),
        events: count(name.events),
        lately: count(lately),
        trend: shown::change(lately, before),
        first: shown::time(name.first, Form::Ago),
        last: shown::time(name.last, Form::Ago),
    }
}

/// All events of each day of a chart.
pub(super) fn days_of_all(names: &[EventName], today: Day) -> Vec<DayFigures> {
    let mut figures = vec![DayFigures::default(); CHART_DAYS];
    for name in names {
        for (sum, count) in figures.iter_mut().zip(last_days(name, today, CHART_DAYS)) {
            sum.events += count;
        }
    }
    figures
}

/// Events of each of the last days, the oldest first.
pub(super) fn last_days(name: &EventName, today: Day, days: usize) -> Vec<u64> {
    let first = first_of(today, days);
    let mut counts = vec![0; days];
    for (day, events) in &name.days {
        if let Some(count) = usize::try_from(day.0.saturating_sub(first.0)).ok().and_then(|at| counts.get_mut(at)) {
            *count += events;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use muster_model::time::Micros;

    use super::*;

    #[test]
    fn the_last_days_end_today() {
        let days = vec![(Day(7), 1), (Day(8), 2), (Day(10), 3), (Day(11), 4)];
        let (first, last) = (Micros(0), Micros(0));
        let name = EventName { name: "a".to_owned(), events: 10, first, last, days };
        assert_eq!(last_days(&name, Day(10), 3), [2, 0, 3]);
        assert_eq!(last_days(&name, Day(20), 2), [0, 0]);
    }
}
