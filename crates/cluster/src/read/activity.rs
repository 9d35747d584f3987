//! How much happened: names of events from what is counted when messages are folded in, days of a record from its tracks, and from
//! what files counted of theirs when they were written.

use std::collections::{BTreeMap, BTreeSet};

use muster_history::{
    counted::{Counted, Subject},
    wanted::Wanted,
};
use muster_model::{
    day::Day,
    id::{RecordId, WorkspaceId},
    kind::{Kind, RecordKind},
    profile::Parent,
};
use muster_store::{
    Answer,
    activity::{Activity, DailyPage, DailyQuery, DailyRow, DayActivity, EventName, EventNames, OtherEvents},
    attribution::Attributor,
    error::ReadError,
    record,
};
use postgres::types::ToSql;

use super::{book::Book, candidates};
use crate::{
    cluster::Cluster,
    fault::Fault,
    sql::values::{At, Id},
};

/// Tracks that one answer may count at the most.
const TRACKS_MAX: usize = 5_000_000;

/// Names, the shortest first, and of one length by the alphabet; each with its place in that order.
const NAMES: &str = "select event, events, first_at, last_at from (
        select event, sum(events)::int8 as events, min(first_at) as first_at, max(last_at) as last_at,
            row_number() over (order by octet_length(event), event) as place
        from event_day where workspace = $1 group by event
    ) as named where place <= $2";
const OTHERS: &str = "select sum(events)::int8, min(first_at), max(last_at) from (
        select sum(events) as events, min(first_at) as first_at, max(last_at) as last_at,
            row_number() over (order by octet_length(event), event) as place
        from event_day where workspace = $1 group by event
    ) as named where place > $2";
const DAYS: &str = "select event, day, events from event_day where workspace = $1 and event = any($2) order by day";
const ACCOUNTS: &str = "select id from profile where workspace = $1 and kind = $2 and ($3::uuid is null or id > $3)
    and ($4::uuid is null or id = $4) order by id limit $5";

impl Activity for Cluster {
    fn event_names(&self, workspace: WorkspaceId) -> Answer<'_, EventNames, ReadError> {
        let names_max = self.inner.options.event_names_max as i64;
        self.with_book(workspace, move |book| event_names(book, names_max))
    }

    fn activity(
        &self,
        workspace: WorkspaceId,
        subject: (RecordKind, RecordId),
        days: (Day, Day),
    ) -> Answer<'_, Vec<DayActivity>, ReadError> {
        self.with_book(workspace, move |book| {
            let mut attributor = Attributor::new(*book, book.ids()?);
            activity(book, &mut attributor, subject, days, None)
        })
    }

    fn daily(&self, workspace: WorkspaceId, query: DailyQuery) -> Answer<'_, DailyPage, ReadError> {
        self.with_book(workspace, move |book| daily(book, &query))
    }
}

fn event_names(book: &Book<'_, '_>, names_max: i64) -> Result<EventNames, Fault> {
    let workspace = book.workspace();
    let rows = book.transaction().query(NAMES, &[&workspace, &names_max])?;
    let mut names: BTreeMap<String, EventName> = BTreeMap::new();
    for row in &rows {
        let name = text(row.get(0))?;
        let (events, At(first), At(last)) = (row.get::<_, i64>(1) as u64, row.get(2), row.get(3));
        names.insert(name.clone(), EventName { name, events, first, last, days: Vec::new() });
    }
    let wanted: Vec<&[u8]> = names.keys().map(String::as_bytes).collect();
    let days = book.transaction().query(DAYS, &[&workspace, &wanted])?;
    for row in &days {
        if let Some(name) = names.get_mut(&text(row.get(0))?) {
            name.days.push((Day(row.get(1)), row.get::<_, i64>(2) as u64));
        }
    }
    let others = book.transaction().query_one(OTHERS, &[&workspace, &names_max])?;
    let others = others.get::<_, Option<i64>>(0).map(|events| {
        let (At(first), At(last)) = (others.get(1), others.get(2));
        OtherEvents { events: events as u64, first, last }
    });
    Ok(EventNames { names: names.into_values().collect(), others })
}

fn text(bytes: &[u8]) -> Result<String, Fault> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Fault::Damaged("the name of an event"))
}

fn daily(book: &Book<'_, '_>, query: &DailyQuery) -> Result<DailyPage, Fault> {
    let limit = query.accounts_max.max(1);
    let (kind, from, only) =
        (i16::from(RecordKind::Account as u8), query.from.map(Id::from), query.account.map(Id::from));
    let params: [&(dyn ToSql + Sync); 5] = [&book.workspace(), &kind, &from, &only, &(limit as i64 + 1)];
    let accounts = book.transaction().query(ACCOUNTS, &params)?;
    let days = (query.first.unwrap_or(Day(i32::MIN)), query.last.unwrap_or(Day(i32::MAX)));
    let mut attributor = Attributor::new(*book, book.ids()?);
    let (mut rows, mut next) = (Vec::new(), None);
    for row in accounts.iter().take(limit) {
        let id = row.get::<_, Id>(0).record();
        next = Some(id);
        let Some(profile) = book.profile_of((RecordKind::Account, id))? else { continue };
        let account = Parent { id, external_id: profile.external_id.clone() };
        let of_days = activity(book, &mut attributor, (RecordKind::Account, id), days, query.event.as_deref())?;
        for DayActivity { day, by_event, .. } in of_days {
            let chosen = by_event.into_iter().filter(|one| query.event.as_ref().is_none_or(|name| one.name == *name));
            rows.extend(chosen.map(|activity| DailyRow { day, account: account.clone(), activity }));
        }
    }
    Ok(DailyPage { rows, next: next.filter(|_| accounts.len() > limit) })
}

/// What belongs to a record on each day.
fn activity(
    book: &Book<'_, '_>,
    attributor: &mut Attributor<Book<'_, '_>>,
    record_wanted: (RecordKind, RecordId),
    days: (Day, Day),
    event: Option<&str>,
) -> Result<Vec<DayActivity>, Fault> {
    let candidates = candidates::of(book, record_wanted)?;
    let (from, until) = (days.0.start(), days.1.end());
    let (workspace, track, name) = (book.workspace(), i16::from(Kind::Track as u8), event.map(str::as_bytes));
    let ways = candidates::ways(&candidates);
    // A track counts on the day of its timestamp or on an earlier one, never on a later one.
    let wanted = Wanted { candidates, first: Some(from), ..Wanted::default() };
    let mut counted = Counted::new(Subject::new(record_wanted, wanted), days, book.ids()?);
    let (mut known, several, mut looked_at) = (BTreeSet::new(), ways.len() > 1, 0);
    for (by, wanted) in ways {
        let sql = format!(
            "select record from message where workspace = $1 and message.{} = any($2) and kind = $3 and sent_at >= $4
                and ordered_at >= $4 and ordered_at < $5 and ($6::bytea is null or event = $6){}",
            by.column, by.only
        );
        let params: [&(dyn ToSql + Sync); 6] = [&workspace, &wanted, &track, &At(from), &At(until), &name];
        let cursor = book.transaction().open_cursor(&sql, &params)?;
        loop {
            let rows = book.transaction().fetch(&cursor)?;
            looked_at += rows.len();
            if looked_at > TRACKS_MAX {
                let what = "more happened on these days than one answer may count; ask for fewer days".to_owned();
                return Err(ReadError::TooLarge { what }.into());
            }
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                let message = record::decode(row.get(0))?;
                if !several || known.insert(message.identity) {
                    counted.row(&message, attributor)?;
                }
            }
        }
    }
    for segment in book.segments()?.iter().filter(|segment| segment.last >= from) {
        counted.file(&*book.archive().footers().of(segment)?, attributor)?;
    }
    Ok(counted.finish())
}
