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

use crate::{cluster::Inner, fault::Fault, fold::census::Census, sql::connection::Transaction};

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

/// Reads a page.
pub fn read(
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
pub fn pending(transaction: &mut Transaction<'_>, workspace: WorkspaceId, place: i64) -> Result<(u64, i64), Fault> {
    let arrived = Census::look(transaction, workspace)?.map_or(0, |census| census.arrived);
    let behind = (arrived - place).max(0);
    if behind == 0 {
        return Ok((0, arrived));
    }
    let params: [&(dyn ToSql + Sync); 3] = [&(workspace.0 as i32), &place, &COUNTED_MAX];
    let counted: i64 = transaction.query_one(COUNT, &params)?.get(0);
    Ok((if counted < COUNTED_MAX { counted } else { behind } as u64, arrived))
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
