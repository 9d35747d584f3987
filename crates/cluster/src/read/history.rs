//! Timelines.
//!
//! For everyone whose tracks may belong to a record the newest few are fetched from the table, and of all these the newest are
//! looked at, until a page is full; then files are, as far as they may change it. Attribution decides which belong.

use std::collections::BTreeSet;

use muster_history::{timeline::Timeline, wanted::Wanted};
use muster_model::{id::WorkspaceId, kind::Kind, time::Micros};
use muster_store::{
    Answer,
    attribution::Attributor,
    error::ReadError,
    history::{EventCursor, EventPage, EventsQuery, History},
    record,
};
use postgres::types::ToSql;

use super::{
    book::Book,
    candidates::{self, By},
};
use crate::{
    cluster::Cluster,
    fault::Fault,
    sql::values::{At, Id},
};

/// Candidates that a page may cost before it ends early.
const LOOKED_AT_MAX: usize = 100_000;
/// How many times the rows of a scan a page may cost, of those in files, before it ends early.
const SCANS: u64 = 10;
/// Candidates that are fetched at a time, at least.
const FETCHED_MIN: usize = 64;

impl History for Cluster {
    fn events(&self, workspace: WorkspaceId, query: EventsQuery) -> Answer<'_, EventPage, ReadError> {
        let rows_max = self.inner.options.scan_max as u64 * SCANS;
        self.with_book(workspace, move |book| page(book, &query, rows_max))
    }
}

fn page(book: &Book<'_, '_>, query: &EventsQuery, rows_max: u64) -> Result<EventPage, Fault> {
    let mut wanted = Wanted { candidates: candidates::of(book, query.subject)?, ..Wanted::default() };
    let ways = candidates::ways(&wanted.candidates);
    if ways.is_empty() {
        return Ok(EventPage { events: Vec::new(), next: None });
    }
    Timeline::<Book<'_, '_>>::narrow(query, &mut wanted);
    let ids = book.ids()?;
    let mut page = Timeline::new(query, Attributor::new(*book, ids), ids);
    let in_table = offer_table(book, &ways, (query, &wanted), &mut page)?;
    let segments = book.segments()?;
    let in_files = page.offer_files(segments.iter().collect(), book.archive().footers(), &wanted, rows_max)?;
    Ok(page.into_page(in_table.max(in_files)))
}

/// Offers what the table has. Where the page has to end early, everything after an instant was looked at; that instant.
fn offer_table(
    book: &Book<'_, '_>,
    ways: &[(By, Vec<Id>)],
    (query, wanted): (&EventsQuery, &Wanted),
    page: &mut Timeline<'_, Book<'_, '_>>,
) -> Result<Option<Micros>, Fault> {
    let fetched = (query.limit.max(1) + 1).max(FETCHED_MIN);
    let (mut from, mut looked_at) = (query.from, 0);
    loop {
        let found = newest(book, ways, query, from, fetched)?;
        for row in &found {
            page.offer(&record::decode(&row.record)?, wanted)?;
        }
        looked_at += found.len();
        let Some(last) = found.last().filter(|_| found.len() == fetched) else { return Ok(None) };
        from = Some(last.place);
        let at = last.place.timestamp;
        if !page.may_take(at) {
            return Ok(None);
        }
        // Every page gets further, however much happened at one instant.
        if looked_at >= LOOKED_AT_MAX && query.from.is_none_or(|from| at < from.timestamp) {
            return Ok(Some(at));
        }
    }
}

/// A candidate.
struct Found {
    place: EventCursor,
    record: Vec<u8>,
}

/// The newest candidates after a place, in order, each once.
fn newest(
    book: &Book<'_, '_>,
    ways: &[(By, Vec<Id>)],
    query: &EventsQuery,
    from: Option<EventCursor>,
    limit: usize,
) -> Result<Vec<Found>, Fault> {
    let from = from.unwrap_or(EventCursor { timestamp: Micros::MAX, identity: muster_model::id::Identity(u128::MAX) });
    let after = At(query.after.unwrap_or(Micros::MIN));
    // The bound before which they lie, as one at or before which they do.
    let until = At(query.before.map_or(Micros::MAX, |before| before.plus_micros(-1)));
    let (at, identity) = (At(from.timestamp), Id::from(from.identity));
    let event = query.event.as_ref().map(|event| event.as_bytes());
    let (workspace, track, limit_number) = (book.workspace(), i16::from(Kind::Track as u8), limit as i64);
    let mut found: Vec<(EventCursor, Vec<u8>)> = Vec::new();
    for (By { column, only }, ids) in ways {
        let sql = format!(
            "select found.sent_at, found.identity, found.record from unnest($2::uuid[]) as wanted (id) cross join lateral (
                select sent_at, identity, record from message
                where workspace = $1 and message.{column} = wanted.id and kind = $3 and (sent_at, identity) < ($4, $5)
                    and sent_at >= $6 and sent_at <= $7 and ($8::bytea is null or event = $8){only}
                order by sent_at desc, identity desc limit $9
            ) as found order by found.sent_at desc, found.identity desc limit $9"
        );
        let params: [&(dyn ToSql + Sync); 9] =
            [&workspace, ids, &track, &at, &identity, &after, &until, &event, &limit_number];
        for row in book.transaction().query_made(&sql, &params)? {
            let place = EventCursor { timestamp: row.get::<_, At>(0).0, identity: row.get::<_, Id>(1).identity() };
            found.push((place, row.get(2)));
        }
    }
    found.sort_unstable_by(|(one, _), (other, _)| other.cmp(one));
    let mut known = BTreeSet::new();
    found.retain(|(place, _)| known.insert(*place));
    found.truncate(limit);
    Ok(found.into_iter().map(|(place, record)| Found { place, record }).collect())
}
