//! Reading how much happened.

use std::collections::{BTreeMap, BTreeSet};

use muster_model::{
    day::Day,
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    message::ordered_at,
    profile::Span,
    time::Micros,
};

use super::{MemoryStore, history::belongs};
use crate::{
    Answer,
    activity::{
        Activity, DailyPage, DailyQuery, DailyRow, DayActivity, EventActivity, EventName, EventNames, OtherEvents,
    },
    error::ReadError,
    history::Event,
};

/// Names of events kept one by one.
const EVENT_NAMES_MAX: usize = 1_000;

impl Activity for MemoryStore {
    fn event_names(&self, workspace: WorkspaceId) -> Answer<'_, EventNames, ReadError> {
        Box::pin(async move {
            let folded = self.folded(workspace);
            let mut by_name: BTreeMap<(usize, &str), Vec<Micros>> = BTreeMap::new();
            for event in &folded.events {
                by_name.entry((event.name.len(), &event.name)).or_default().push(placed_at(event));
            }
            let kept = by_name.iter().take(EVENT_NAMES_MAX).map(|((_, name), instants)| {
                let (first, last) = bounds(instants.iter());
                let mut days: BTreeMap<Day, u64> = BTreeMap::new();
                instants.iter().for_each(|at| *days.entry(Day::of(*at)).or_default() += 1);
                let days = days.into_iter().collect();
                EventName { name: (*name).to_owned(), events: instants.len() as u64, first, last, days }
            });
            let mut names: Vec<EventName> = kept.collect();
            names.sort_by(|one, other| one.name.cmp(&other.name));
            let others: Vec<&Micros> = by_name.values().skip(EVENT_NAMES_MAX).flatten().collect();
            let (first, last) = bounds(others.iter().copied());
            let others = (!others.is_empty()).then_some(OtherEvents { events: others.len() as u64, first, last });
            Ok(EventNames { names, others })
        })
    }

    fn activity(
        &self,
        workspace: WorkspaceId,
        subject: (RecordKind, RecordId),
        days: (Day, Day),
    ) -> Answer<'_, Vec<DayActivity>, ReadError> {
        Box::pin(async move {
            let folded = self.folded(workspace);
            let events: Vec<&Event> = folded.events.iter().filter(|event| belongs(event, subject)).collect();
            Ok(by_day(&events, days))
        })
    }

    fn daily(&self, workspace: WorkspaceId, query: DailyQuery) -> Answer<'_, DailyPage, ReadError> {
        Box::pin(async move {
            let folded = self.folded(workspace);
            let wanted = |id: RecordId| {
                query.account.is_none_or(|account| account == id) && query.from.is_none_or(|from| id > from)
            };
            let accounts = folded.profiles.values().filter(|profile| profile.kind() == RecordKind::Account);
            let mut accounts = accounts.filter(|profile| wanted(profile.id));
            let days = (query.first.unwrap_or(Day(i32::MIN)), query.last.unwrap_or(Day(i32::MAX)));
            let (mut rows, mut next) = (Vec::new(), None);
            for profile in accounts.by_ref().take(query.accounts_max.max(1)) {
                next = Some(profile.id);
                let here = |event: &&Event| belongs(event, (RecordKind::Account, profile.id));
                let events: Vec<&Event> = folded.events.iter().filter(here).collect();
                let account =
                    muster_model::profile::Parent { id: profile.id, external_id: profile.external_id.clone() };
                for day in by_day(&events, days) {
                    let of_event = day
                        .by_event
                        .into_iter()
                        .filter(|one| query.event.as_ref().is_none_or(|name| one.name == *name));
                    rows.extend(of_event.map(|activity| DailyRow { day: day.day, account: account.clone(), activity }));
                }
            }
            Ok(DailyPage { rows, next: next.filter(|_| accounts.next().is_some()) })
        })
    }
}

fn by_day(events: &[&Event], (first, last): (Day, Day)) -> Vec<DayActivity> {
    let mut days: BTreeMap<Day, Vec<&Event>> = BTreeMap::new();
    for event in events {
        let day = Day::of(placed_at(event));
        if (first..=last).contains(&day) {
            days.entry(day).or_default().push(event);
        }
    }
    let users = |events: &[&Event]| {
        let named = events.iter().filter_map(|event| event.user.as_ref());
        named.map(|user| user.id).collect::<BTreeSet<RecordId>>().len() as u64
    };
    let of_day = |(day, events): (Day, Vec<&Event>)| {
        let names: BTreeSet<&str> = events.iter().map(|event| event.name.as_str()).collect();
        let of_name = |name: &str| {
            let named: Vec<&Event> = events.iter().copied().filter(|event| event.name == name).collect();
            EventActivity { name: name.to_owned(), events: named.len() as u64, users: users(&named) }
        };
        let by_event = names.into_iter().map(of_name).collect();
        DayActivity { day, events: events.len() as u64, users: users(&events), by_event }
    };
    days.into_iter().map(of_day).collect()
}

fn placed_at(event: &Event) -> Micros {
    ordered_at(event.timestamp, event.received_at)
}

fn bounds<'m>(instants: impl Iterator<Item = &'m Micros>) -> (Micros, Micros) {
    let mut span = Span::default();
    instants.for_each(|at| span.take_in(*at));
    span.bounds().unwrap_or_default()
}
