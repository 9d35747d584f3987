//! Timelines.
//!
//! For everyone whose tracks may belong to a record the newest few are fetched, and of all these the newest are looked at,
//! until a page is full. Attribution decides which belong.

use std::collections::BTreeSet;

use muster_model::{id::WorkspaceId, kind::Kind, message::Message, time::Micros};
use muster_store::{
    Answer,
    attribution::{Attributor, Place, Subject},
    candidates::Candidates,
    error::ReadError,
    history::{Event, EventCursor, EventPage, EventsQuery, History},
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
/// Candidates that are fetched at a time, at least.
const FETCHED_MIN: usize = 64;

impl History for Cluster {
    fn events(&self, workspace: WorkspaceId, query: EventsQuery) -> Answer<'_, EventPage, ReadError> {
        self.with_book(workspace, move |book| {
            let candidates = candidates::of(book, query.subject)?;
            let mut attributor = Attributor::new(*book, book.ids()?);
            page(book, &candidates, &query, |message| Ok(attributor.place(Subject::of(message))?))
        })
    }
}

fn page(
    book: &Book<'_, '_>,
    candidates: &Candidates,
    query: &EventsQuery,
    mut place: impl FnMut(&Message<'_>) -> Result<Place, Fault>,
) -> Result<EventPage, Fault> {
    let limit = query.limit.max(1);
    let ways = candidates::ways(candidates);
    let (mut events, mut from, mut looked_at) = (Vec::new(), query.from, 0);
    if ways.is_empty() {
        return Ok(EventPage { events, next: None });
    }
    let fetched = (limit + 1).max(FETCHED_MIN);
    loop {
        let found = newest(book, &ways, query, from, fetched)?;
        for row in &found {
            let message = record::decode(&row.record)?;
            let belongs = place(&message)?;
            if belongs.belongs_to(query.subject) {
                if events.len() == limit {
                    let next = events.last().map(cursor);
                    return Ok(EventPage { events, next });
                }
                events.push(Event::of(&message, belongs));
            }
        }
        looked_at += found.len();
        let Some(last) = found.last().filter(|_| found.len() == fetched) else {
            return Ok(EventPage { events, next: None });
        };
        from = Some(last.place);
        if looked_at >= LOOKED_AT_MAX {
            return Ok(EventPage { events, next: from });
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

fn cursor(event: &Event) -> EventCursor {
    EventCursor { timestamp: event.timestamp, identity: event.identity }
}
