//! The page of one name: its days, and what its events carry.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::request::Parts,
    response::Response,
};
use muster_model::day::Day;
use muster_query::{Params, Request as Sql};
use muster_store::{catalogue::TraitType, credentials::Workspace};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    super::{
        answer::{self, PageError},
        charts::{self, DayFigures, Width},
        days::{CHART_DAYS, YEAR_DAYS, first_of, lately_and_before},
        frame::Frame,
        link,
        session::Session,
        shown::{self, Form, Html, Long, count},
    },
    last_days,
};
use crate::{error::ApiError, query::answer::gather, state::AppState};

/// Events that are looked at for their properties.
const EVENTS_LOOKED_AT: u64 = 500;
/// Properties that are shown.
const PROPERTIES_SHOWN: usize = 100;
/// Different values of a property that are shown.
const EXAMPLES: usize = 3;

struct Property {
    key: String,
    types: String,
    share: String,
    examples: Vec<Html>,
}

#[derive(Template)]
#[template(path = "event.html")]
struct EventPage {
    frame: Frame,
    name: String,
    events: String,
    lately: String,
    change: Html,
    first: Html,
    last: Html,
    chart: Html,
    chart_days: usize,
    heat: Html,
    looked_at: String,
    properties: Vec<Property>,
    sql: String,
}

/// Answers the page of the name in the path.
pub(in super::super) async fn show(
    State(state): State<AppState>,
    session: Session,
    Path(name): Path<String>,
    parts: Parts,
) -> Result<Response, PageError> {
    page(&state, &session, &name, &parts).await
}

/// Answers the page of a name.
pub(super) async fn page(
    state: &AppState,
    session: &Session,
    name: &str,
    parts: &Parts,
) -> Result<Response, PageError> {
    let names = state.store.event_names(session.workspace().id).await.map_err(ApiError::Read)?;
    let found = names.names.into_iter().find(|known| known.name == name);
    let found = found.ok_or(ApiError::NoSuchRecord { kind: "event name" })?;
    let today = Day::of(state.clock.now());
    let days = last_days(&found, today, YEAR_DAYS);
    let figures: Vec<DayFigures> =
        days[YEAR_DAYS - CHART_DAYS..].iter().map(|events| DayFigures { events: *events, users: 0 }).collect();
    let (lately, before) = lately_and_before(&days);
    let sampled = sample(state, session.workspace(), name).await?;
    let literal = name.replace('\'', "''");
    let sql = format!("select * from events\nwhere event = '{literal}'\norder by timestamp desc\nlimit 100");
    answer::page(&EventPage {
        frame: Frame::new(session, parts, name, "/events"),
        events: count(found.events),
        lately: count(lately),
        change: shown::change(lately, before),
        first: shown::time(found.first, Form::Full),
        last: shown::time(found.last, Form::Full),
        chart: charts::days(first_of(today, CHART_DAYS), &figures, false, Width::Page),
        chart_days: CHART_DAYS,
        heat: charts::year(first_of(today, YEAR_DAYS), &days),
        looked_at: count(sampled.len() as u64),
        properties: properties(&sampled),
        sql: link::with("/sql", &[("sql", &sql)]),
        name: name.to_owned(),
    })
}

#[derive(Deserialize)]
struct Sample {
    rows: Vec<(Option<String>,)>,
}

/// The properties of some events of this name, as JSON texts.
async fn sample(state: &AppState, workspace: &Workspace, name: &str) -> Result<Vec<String>, ApiError> {
    let sql = Sql {
        sql: format!("select properties from events where event = ? limit {EVENTS_LOOKED_AT}"),
        params: Params::Positional(vec![name.into()]),
    };
    let json = gather(state, workspace, sql, EVENTS_LOOKED_AT).await?;
    let sample: Sample = serde_json::from_slice(&json).map_err(|error| {
        tracing::error!(%error, "the answer to a query of a page could not be read");
        ApiError::Internal
    })?;
    Ok(sample.rows.into_iter().map(|(properties,)| properties.unwrap_or_default()).collect())
}

#[derive(Default)]
struct Seen {
    events: usize,
    types: Vec<TraitType>,
    examples: Vec<String>,
}

fn properties(sample: &[String]) -> Vec<Property> {
    let mut by_key: BTreeMap<String, Seen> = BTreeMap::new();
    for json in sample {
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(json).unwrap_or_default();
        for (key, value) in members {
            let (seen, value) = (by_key.entry(key).or_default(), value.get());
            seen.events += 1;
            if let Some(kind) = TraitType::of_json(value).filter(|kind| !seen.types.contains(kind)) {
                seen.types.push(kind);
            }
            if seen.examples.len() < EXAMPLES && !seen.examples.iter().any(|known| known == value) {
                seen.examples.push(value.to_owned());
            }
        }
    }
    let shown = by_key.into_iter().take(PROPERTIES_SHOWN).map(|(key, seen)| Property {
        key,
        types: seen.types.iter().map(|kind| word(*kind)).collect::<Vec<_>>().join(", "),
        share: format!("{} %", seen.events * 100 / sample.len().max(1)),
        examples: seen.examples.iter().map(|json| shown::value(json, Long::Folded)).collect(),
    });
    shown.collect()
}

fn word(kind: TraitType) -> &'static str {
    match kind {
        TraitType::String => "text",
        TraitType::Number => "number",
        TraitType::Boolean => "yes or no",
        TraitType::Instant => "time",
        TraitType::Array => "list",
        TraitType::Object => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_told_with_types_and_examples() {
        let sample = [r#"{"a":1,"b":"x"}"#, r#"{"a":"y","b":"x"}"#, "", r#"{"b":true}"#].map(str::to_owned);
        let told: Vec<(String, String, String, usize)> =
            properties(&sample).into_iter().map(|one| (one.key, one.types, one.share, one.examples.len())).collect();
        let of = |key: &str, types: &str, share: &str, examples| {
            (key.to_owned(), types.to_owned(), share.to_owned(), examples)
        };
        assert_eq!(told, [of("a", "number, text", "50 %", 2), of("b", "text, yes or no", "75 %", 2)]);
    }
}
