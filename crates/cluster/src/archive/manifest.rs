//! Which files count, as PostgreSQL has it. A row is never changed: a file is added when it is in the bucket, and removed for
//! good. Never touches the bucket.

use std::sync::Arc;

use muster_history::manifest::{Remote, Segment, Written};
use muster_model::{id::WorkspaceId, time::Micros};
use postgres::types::ToSql;

use super::bucket::Bucket;
use crate::{
    fault::Fault,
    sql::{connection::Transaction, values::At},
};

const IDS: &str = "select id from segment where workspace = $1 order by first_arrived, id";
const SEGMENTS: &str = "select id, path, rows, bytes, first_at, last_at, month, first_arrived, last_arrived, checksums
    from segment where workspace = $1 and id = any($2)";
const ADD: &str = "insert into segment (workspace, id, path, rows, bytes, first_at, last_at, month, first_arrived,
    last_arrived, checksums) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
const REMOVE: &str = "with gone as (delete from segment where workspace = $1 and id = any($2) returning path)
    insert into segment_gone (path) select path from gone";

/// A number that no other file has or had, later ones after earlier ones, whatever a replica that takes over may not know.
pub fn new_id() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    (now.as_micros() as u64) << 10 | u64::from(rand::random::<u16>() & 0x3ff)
}

/// The files that count, those that hold what arrived first first.
pub fn ids(transaction: &mut Transaction<'_>, workspace: WorkspaceId) -> Result<Vec<u64>, Fault> {
    let rows = transaction.query(IDS, &[&(workspace.0 as i32)])?;
    Ok(rows.iter().map(|row| row.get::<_, i64>(0) as u64).collect())
}

/// Some of them.
pub fn segments(
    transaction: &mut Transaction<'_>,
    workspace: WorkspaceId,
    ids: &[u64],
    bucket: &Arc<Bucket>,
) -> Result<Vec<Arc<Segment>>, Fault> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = ids.iter().map(|id| *id as i64).collect();
    let rows = transaction.query(SEGMENTS, &[&(workspace.0 as i32), &ids])?;
    let segment = |row: &postgres::Row| {
        let (first, last): (At, At) = (row.get(4), row.get(5));
        let (checksums, []) = row.get::<_, &[u8]>(9).as_chunks::<8>() else {
            return Err(Fault::Damaged("the checksums of a file"));
        };
        let written = Written {
            rows: row.get::<_, i64>(2) as u64,
            bytes: row.get::<_, i64>(3) as u64,
            span: (first.0, last.0),
            arrivals: Some((row.get::<_, i64>(7) as u64, row.get::<_, i64>(8) as u64)),
            checksums: checksums.iter().map(|bytes| u64::from_be_bytes(*bytes)).collect(),
        };
        let id = (workspace, row.get::<_, i64>(0) as u64);
        let month = row.get::<_, Option<At>>(6).map(|At(month)| month);
        let remote = Arc::clone(bucket) as Arc<dyn Remote>;
        Ok(Arc::new(Segment::elsewhere(remote, id, row.get(1), month, written)))
    };
    rows.iter().map(segment).collect()
}

/// Has a file count.
pub fn add(transaction: &mut Transaction<'_>, segment: &Segment) -> Result<(), Fault> {
    let (first_arrived, last_arrived) = segment.arrivals.ok_or(Fault::Damaged("a file that was written"))?;
    let checksums: Vec<u8> = segment.checksums.iter().flat_map(|checksum| checksum.to_be_bytes()).collect();
    let month: Option<At> = segment.month.map(|month: Micros| At(month));
    let params: [&(dyn ToSql + Sync); 11] = [
        &(segment.workspace.0 as i32),
        &(segment.id as i64),
        &segment.relative_path,
        &(segment.rows as i64),
        &(segment.bytes as i64),
        &At(segment.first),
        &At(segment.last),
        &month,
        &(first_arrived as i64),
        &(last_arrived as i64),
        &checksums,
    ];
    transaction.execute(ADD, &params)?;
    Ok(())
}

/// Has all files of a workspace count no more.
pub fn remove_all(transaction: &mut Transaction<'_>, workspace: WorkspaceId) -> Result<(), Fault> {
    let all = ids(transaction, workspace)?.into_iter().map(|id| id as i64).collect::<Vec<i64>>();
    transaction.execute(REMOVE, &[&(workspace.0 as i32), &all])?;
    Ok(())
}

/// Has some files count no more; how many of them did.
pub fn remove(
    transaction: &mut Transaction<'_>,
    workspace: WorkspaceId,
    segments: &[Arc<Segment>],
) -> Result<usize, Fault> {
    let ids: Vec<i64> = segments.iter().map(|segment| segment.id as i64).collect();
    Ok(transaction.execute(REMOVE, &[&(workspace.0 as i32), &ids])? as usize)
}
