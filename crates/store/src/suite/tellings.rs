//! What can be read of a workspace's past and of how much happened there, as text.

use std::fmt::Write;

use muster_model::{
    day::Day,
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::Profile,
    time::Micros,
};

use super::{desk::START, reads::Times};
use crate::{
    Store,
    activity::{DailyQuery, DailyRow, DayActivity},
    history::Event,
    past::{TraitQuery, TraitStatement},
};

const EVER: (Day, Day) = (Day(i32::MIN), Day(i32::MAX));

/// Writes what can be told of a record besides itself. Panics when a read fails or contradicts another.
pub async fn record<S: Store>(
    store: &S,
    workspace: WorkspaceId,
    profile: &Profile,
    timeline: &[Event],
    times: Times,
    out: &mut String,
) {
    let subject = (profile.kind(), profile.id);
    for (key, stamp, value) in profile.traits.registers() {
        let statements = trait_history(store, workspace, subject, key, 1_000).await;
        if statements.len() > 3 {
            assert_eq!(trait_history(store, workspace, subject, key, 3).await, statements, "pages of any size");
        }
        let place = |one: &TraitStatement| (one.ordered_at, one.identity);
        assert!(statements.is_sorted_by(|one, other| place(one) > place(other)), "the latest statement comes first");
        if told(subject.0) {
            let latest = statements.first().map(|one| (place(one), one.value.as_deref()));
            assert_eq!(latest, Some(((stamp.at, stamp.by), value)), "the latest statement is the one that stands");
        }
        for statement in statements {
            let _ = writeln!(out, "-- {key}: {statement:?}");
        }
    }
    for at in [profile.first_known.plus_micros(-1), START.plus_micros(90_000_000), Micros::MAX] {
        let mut then = store.as_of(workspace, subject, at).await.expect("what was true can be read");
        let known = told(subject.0) && profile.first_known <= at;
        assert_eq!(then.is_some(), known, "{} is known from {:?} on, not at {at:?}", profile.id, profile.first_known);
        if let (Some(then), Times::Hidden) = (&mut then, times) {
            let shown = std::sync::Arc::make_mut(then);
            (shown.created_at, shown.updated_at) = (Micros(0), Micros(0));
        }
        if let Some(then) = then.as_ref().filter(|_| at == Micros::MAX) {
            assert_eq!(then.traits, profile.traits, "as of the end of time is now");
        }
        let _ = writeln!(out, "-- as of {at:?}: {then:?}");
    }
    let days = store.activity(workspace, subject, EVER).await.expect("activity can be read");
    assert!(days.is_sorted_by(|one, other| one.day < other.day), "days run from old to new");
    let counted: u64 = days.iter().map(|day| day.events).sum();
    assert_eq!(counted, timeline.len() as u64, "every event of the timeline counts once");
    if let Some(day) = days.get(days.len() / 2) {
        let one = store.activity(workspace, subject, (day.day, day.day)).await.expect("activity can be read");
        assert_eq!(one, std::slice::from_ref(day), "a day alone is what it is among others");
    }
    for day in days {
        let _ = writeln!(out, "-- {day:?}");
    }
}

/// Writes what can be told of a workspace as a whole.
pub async fn workspace<S: Store>(store: &S, workspace: WorkspaceId, accounts: &[RecordId], out: &mut String) {
    let names = store.event_names(workspace).await.expect("names of events can be read");
    assert!(names.names.is_sorted_by(|one, other| one.name < other.name), "names are sorted");
    let _ = writeln!(out, "== names of events {names:?}");
    let mut expected = Vec::new();
    for account in accounts {
        let subject = (RecordKind::Account, *account);
        let days = store.activity(workspace, subject, EVER).await.expect("activity can be read");
        expected.extend(days.into_iter().map(|day| (*account, day)));
    }
    for accounts_max in [2, 1_000] {
        let query = DailyQuery { accounts_max, ..DailyQuery::default() };
        let found = daily(store, workspace, query).await;
        assert_eq!(flat(&expected), rows(&found), "rows of accounts are their days");
    }
    if let Some((account, day)) = expected.first() {
        let event = day.by_event.first().map(|one| one.name.clone());
        let (first, last) = (Some(day.day), Some(day.day));
        let query = DailyQuery { account: Some(*account), event, first, last, from: None, accounts_max: 1 };
        let found = daily(store, workspace, query).await;
        assert_eq!(rows(&found), flat(&expected)[..1], "filters choose rows");
    }
}

/// Whether a record of this kind has a past that is told.
fn told(kind: RecordKind) -> bool {
    matches!(kind, RecordKind::Organization | RecordKind::Account | RecordKind::User)
}

type Row = (RecordId, Day, String, u64, u64);

fn flat(days: &[(RecordId, DayActivity)]) -> Vec<Row> {
    let of_day = |(account, day): &(RecordId, DayActivity)| {
        let (account, number) = (*account, day.day);
        let row =
            move |one: &crate::activity::EventActivity| (account, number, one.name.clone(), one.events, one.users);
        day.by_event.iter().map(row).collect::<Vec<Row>>()
    };
    days.iter().flat_map(of_day).collect()
}

fn rows(rows: &[DailyRow]) -> Vec<Row> {
    let row =
        |row: &DailyRow| (row.account.id, row.day, row.activity.name.clone(), row.activity.events, row.activity.users);
    rows.iter().map(row).collect()
}

async fn daily<S: Store>(store: &S, workspace: WorkspaceId, mut query: DailyQuery) -> Vec<DailyRow> {
    let mut found = Vec::new();
    loop {
        let page = store.daily(workspace, query.clone()).await.expect("daily activity can be read");
        found.extend(page.rows);
        let Some(next) = page.next else { return found };
        assert!(query.from.is_none_or(|from| from < next), "the cursor moves on");
        query.from = Some(next);
    }
}

/// Everything that was said of a trait, in pages of so many.
pub async fn trait_history<S: Store>(
    store: &S,
    workspace: WorkspaceId,
    subject: (RecordKind, RecordId),
    key: &str,
    limit: usize,
) -> Vec<TraitStatement> {
    let mut query = TraitQuery { subject, key: key.to_owned(), from: None, limit };
    let mut found = Vec::new();
    loop {
        let page = store.trait_history(workspace, query.clone()).await.expect("what was said can be read");
        assert!(page.statements.len() <= limit, "a page holds at most what was asked for");
        found.extend(page.statements);
        let Some(next) = page.next else { return found };
        assert_ne!(Some(next), query.from, "the cursor moves on");
        query.from = Some(next);
    }
}
