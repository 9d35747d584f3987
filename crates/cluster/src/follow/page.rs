//! What comes after a place: the next page, how much there is, and whether something has arrived.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use muster_model::id::WorkspaceId;
use muster_store::follow::PageLimit;
use parking_lot::Mutex;
use postgres::types::ToSql;
use tokio::time::timeout;

use super::filed::{self, Piece};
use crate::{cluster::Inner, fault::Fault, fold::census::Census, read::book::Book, sql::connection::Transaction};

/// Between two looks whether something has arrived that another node folded in.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Messages of one page at the most.
const PAGE_MAX: usize = 10_000;
/// Messages that are counted one by one; when more have arrived, those count that were deleted since, too.
const COUNTED_MAX: i64 = 10_000;

/// Bytes are summed up before any of them are fetched; one message comes in any case.
const NEXT: &str = "select arrived, record, found from (
        select arrived, record, count(*) over () as found, row_number() over (order by arrived) as number,
            sum(octet_length(record)) over (order by arrived) as bytes
        from (
            select arrived, record from message where workspace = $1 and arrived > $2 order by arrived limit $3
        ) as next
    ) as summed where number = 1 or (bytes <= $4 and number < $3) order by arrived";
const COUNT: &str = "select count(*) from (
        select from message where workspace = $1 and arrived > $2 limit $3
    ) as next";

/// The next messages after a place.
pub struct Page {
    /// How many messages had arrived with each.
    pub arrived: Vec<i64>,
    pub records: Vec<Vec<u8>>,
    /// The place after all of them.
    pub end: i64,
    pub more: bool,
}

/// A piece of the history that is kept between two pages, and how often something had been erased when it was read.
pub type KeptPiece = Option<(i64, Piece)>;

/// Reads a page: of files, and then of the table.
pub fn read(book: &Book<'_, '_>, place: i64, limit: PageLimit, kept: &mut KeptPiece) -> Result<Page, Fault> {
    let census = Census::look(&mut book.transaction(), book.of())?.unwrap_or_default();
    let mut page = Page { arrived: Vec::new(), records: Vec::new(), end: place, more: false };
    while page.end < census.filed {
        let there = |(erasures, piece): &(i64, Piece)| *erasures == census.erasures && piece.covers(page.end);
        let piece = match kept.take().filter(there) {
            Some((_, piece)) => piece,
            None => filed::read(book, page.end, census.filed)?,
        };
        page.more = !add(&mut page, &piece, limit);
        *kept = Some((census.erasures, piece));
        if page.more {
            return Ok(page);
        }
    }
    *kept = None;
    if page.arrived.is_empty() {
        return of_table(&mut book.transaction(), book.of(), page.end, limit);
    }
    let (messages, bytes) =
        (limit.messages.saturating_sub(page.arrived.len()), limit.bytes.saturating_sub(bytes(&page)));
    let left = PageLimit { messages: messages.max(1), bytes };
    let next = of_table(&mut book.transaction(), book.of(), page.end, left)?;
    // One message comes in any case, and then may be one too many.
    if messages == 0 || next.records.first().is_some_and(|first| first.len() > bytes) {
        page.more = !next.arrived.is_empty();
        return Ok(page);
    }
    page.arrived.extend(next.arrived);
    page.records.extend(next.records);
    (page.end, page.more) = (next.end, next.more);
    Ok(page)
}

fn bytes(page: &Page) -> usize {
    page.records.iter().map(Vec::len).sum()
}

/// Adds the messages of a piece that come next, and moves behind it; `false` when not all of them fit.
fn add(page: &mut Page, piece: &Piece, limit: PageLimit) -> bool {
    let (messages_max, mut taken) = (limit.messages.clamp(1, PAGE_MAX), bytes(page));
    for (arrived, record) in piece.after(page.end) {
        taken += record.len();
        if page.arrived.len() == messages_max || (taken > limit.bytes && !page.arrived.is_empty()) {
            return false;
        }
        page.arrived.push(arrived);
        page.records.push(record.to_vec());
        page.end = arrived;
    }
    page.end = piece.end();
    true
}

/// The next messages of the table.
fn of_table(
    transaction: &mut Transaction<'_>,
    workspace: WorkspaceId,
    place: i64,
    limit: PageLimit,
) -> Result<Page, Fault> {
    // One more than is handed out tells whether there is more.
    let rows = limit.messages.clamp(1, PAGE_MAX) as i64 + 1;
    let bytes = i64::try_from(limit.bytes).unwrap_or(i64::MAX);
    let params: [&(dyn ToSql + Sync); 4] = [&(workspace.0 as i32), &place, &rows, &bytes];
    let found = transaction.query(NEXT, &params)?;
    let more = found.first().is_some_and(|row| row.get::<_, i64>(2) > found.len() as i64);
    let arrived: Vec<i64> = found.iter().map(|row| row.get(0)).collect();
    let end = match (more, arrived.last()) {
        (true, Some(last)) => *last,
        // What was deleted behind it is passed, too.
        _ => Census::look(transaction, workspace)?.map_or(place, |census| census.arrived.max(place)),
    };
    let records = found.iter().map(|row| row.get(1)).collect();
    Ok(Page { arrived, records, end, more })
}

/// How many messages come after a place, and how many have arrived; rather too many when that is a lot.
pub fn pending(book: &Book<'_, '_>, place: i64) -> Result<(u64, i64), Fault> {
    let Census { arrived, filed, .. } = Census::look(&mut book.transaction(), book.of())?.unwrap_or_default();
    let behind = (arrived - place).max(0);
    if behind == 0 {
        return Ok((0, arrived));
    }
    if behind > COUNTED_MAX {
        return Ok((behind as u64, arrived));
    }
    let params: [&(dyn ToSql + Sync); 3] = [&book.workspace(), &place, &COUNTED_MAX];
    let in_table: i64 = book.transaction().query_one(COUNT, &params)?.get(0);
    let in_files = if place < filed { filed::count(book, place)? } else { 0 };
    Ok((in_table as u64 + in_files, arrived))
}

/// When the table was last looked at.
pub type Looked = Arc<Mutex<Option<Instant>>>;

/// Waits until something has arrived after a place. What this node folded in it knows at once; what others did is looked
/// for after they told of it, no more often than [`LOOK_AGAIN`] allows.
pub async fn arrives(inner: &Arc<Inner>, workspace: WorkspaceId, place: i64, looked: &Looked) {
    loop {
        let moves = inner.lanes.any_moves();
        let left = looked.lock().map_or(Duration::ZERO, |at| LOOK_AGAIN.saturating_sub(at.elapsed()));
        if timeout(left, known(inner, workspace, place)).await.is_ok() {
            return;
        }
        let look = move |transaction: &mut Transaction<'_>| Census::look(transaction, workspace);
        let found = inner.pool.read(workspace, look).await;
        *looked.lock() = Some(Instant::now());
        if found.is_ok_and(|census| census.is_some_and(|census| census.arrived > place)) {
            return;
        }
        moves.await;
    }
}

/// Waits until this node knows that something has arrived.
async fn known(inner: &Arc<Inner>, workspace: WorkspaceId, place: i64) {
    loop {
        let moves = inner.lanes.any_moves();
        if inner.counters.census(workspace).arrived > place {
            return;
        }
        moves.await;
    }
}
