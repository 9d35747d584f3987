//! What happened, by day and by event.

use std::{cmp::Reverse, collections::BTreeMap};

use muster_model::{day::Day, profile::Profile};
use muster_store::{activity::DayActivity, credentials::Workspace, error::ReadError};

use super::super::{
    answer::sentence,
    charts::{self, DayFigures, Width},
    days::{CHART_DAYS, YEAR_DAYS, first_of, lately_and_before},
    link,
    shown::{self, Html, count},
};
use crate::{error::ApiError, state::AppState};

/// Names of events that are shown.
const TOP_EVENTS: usize = 10;

/// One name of events.
pub(super) struct TopEvent {
    pub name: String,
    pub href: String,
    pub spark: Html,
    pub events: String,
    pub trend: Html,
}

/// A year of a record.
pub(super) struct Activity {
    pub chart: Html,
    pub heat: Html,
    pub top: Vec<TopEvent>,
    /// Why there is none of it, if so.
    pub says: String,
    /// Events of the last thirty days, and how that compares with the thirty before.
    pub events_lately: u64,
    pub change: Html,
}

impl Activity {
    /// Reads and draws it.
    pub(super) async fn read(
        state: &AppState,
        workspace: &Workspace,
        profile: &Profile,
        here: &str,
    ) -> Result<Activity, ApiError> {
        let last = Day::of(state.clock.now());
        let first = first_of(last, YEAR_DAYS);
        let read = state.store.activity(workspace.id, (profile.kind(), profile.id), (first, last)).await;
        match read {
            Ok(days) => Ok(Activity::drawn(first, &days, here, profile.as_user().is_none())),
            Err(error @ ReadError::TooLarge { .. }) => Ok(Activity {
                says: sentence(&ApiError::Read(error).says()),
                ..Activity::drawn(first, &[], here, false)
            }),
            Err(error) => Err(ApiError::Read(error)),
        }
    }

    fn drawn(first: Day, found: &[DayActivity], here: &str, with_users: bool) -> Activity {
        let at = |day: Day| usize::try_from(day.0 - first.0).ok().filter(|at| *at < YEAR_DAYS);
        let mut days = vec![DayFigures::default(); YEAR_DAYS];
        let mut by_event: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for one in found {
            let Some(at) = at(one.day) else { continue };
            days[at] = DayFigures { events: one.events, users: one.users };
            for event in one.by_event.iter().filter(|_| at >= YEAR_DAYS - CHART_DAYS) {
                let counts = by_event.entry(&event.name).or_insert_with(|| vec![0; CHART_DAYS]);
                counts[at + CHART_DAYS - YEAR_DAYS] += event.events;
            }
        }
        let mut names: Vec<(&str, Vec<u64>)> = by_event.into_iter().collect();
        names.sort_by_key(|(name, counts)| (Reverse(counts.iter().sum::<u64>()), *name));
        let chart_from = YEAR_DAYS - CHART_DAYS;
        let events: Vec<u64> = days.iter().map(|day| day.events).collect();
        let (lately, before) = lately_and_before(&events);
        Activity {
            chart: charts::days(
                first.plus(i32::try_from(chart_from).unwrap_or(0)),
                &days[chart_from..],
                with_users,
                Width::Column,
            ),
            heat: charts::year(first, &events),
            top: names.iter().take(TOP_EVENTS).map(|(name, counts)| top_event(name, counts, here)).collect(),
            says: String::new(),
            events_lately: lately,
            change: shown::change(lately, before),
        }
    }
}

fn top_event(name: &str, counts: &[u64], here: &str) -> TopEvent {
    let (lately, before) = lately_and_before(counts);
    let sum: u64 = counts.iter().sum();
    TopEvent {
        name: name.to_owned(),
        href: format!("{}#timeline", link::with(here, &[("event", name)])),
        spark: charts::trend(counts),
        events: count(sum),
        trend: shown::change(lately, before),
    }
}
