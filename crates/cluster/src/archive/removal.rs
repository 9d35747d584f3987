//! Removing files that count no more, once nobody can read them, and what was put into the bucket and never counted.
//!
//! Two things keep a file that counts no more: a transaction that began while it did, and a replica of PostgreSQL that may take over
//! and has not heard of it.

use std::time::Duration;

use muster_model::id::WorkspaceId;
use rustc_hash::FxHashSet;

use super::Archive;
use crate::{
    fault::Fault,
    sql::connection::{Connection, Mode},
};

/// What lies in the bucket for so long and counts no more, nor ever did, was left behind.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3_600);
/// Files that are removed in one go.
const REMOVED_MAX: i64 = 1_000;

/// A snapshot of a session of this role is older than the transaction that removed the file, or was taken while that was running.
const GONE: &str = "select path from segment_gone
    where gone_at <= now() - make_interval(secs => $1) and not exists (
        select from pg_stat_activity where backend_xmin is not null and pid <> pg_backend_pid()
            and datname = current_database() and age(backend_xmin) >= age(gone_by::xid)
    ) order by gone_at limit $2";
const FORGET: &str = "delete from segment_gone where path = $1";
const COUNTED: &str = "select path from segment where workspace = $1";
const GOING: &str = "select path from segment_gone";

/// Removes files that have counted no more for so long; how many.
pub fn remove(archive: &Archive, connection: &mut Connection, after: Duration) -> Result<usize, Fault> {
    let rows = connection.ask(GONE, &[&after.as_secs_f64(), &REMOVED_MAX])?;
    for row in &rows {
        let path: String = row.get(0);
        archive.bucket()?.remove(&path)?;
        connection.ask(FORGET, &[&path])?;
    }
    Ok(rows.len())
}

/// Removes what was put into the bucket and never counted: whoever put it there died, or what it did was taken back.
pub fn sweep(archive: &Archive, connection: &mut Connection, workspaces: &[WorkspaceId]) -> Result<usize, Fault> {
    let bucket = archive.bucket()?;
    let lying = bucket.list("")?;
    let mut known: FxHashSet<String> = FxHashSet::default();
    let mut transaction = connection.begin(Mode::Read, None)?;
    for workspace in workspaces {
        transaction.enter(*workspace)?;
        known.extend(transaction.query(COUNTED, &[&(workspace.0 as i32)])?.iter().map(|row| row.get::<_, String>(0)));
    }
    known.extend(transaction.query(GOING, &[])?.iter().map(|row| row.get::<_, String>(0)));
    drop(transaction);
    let is_left = |path: &str| path.starts_with("workspace=") && path.ends_with(".parquet") && !known.contains(path);
    let left = lying.iter().filter(|lying| lying.age >= LEFT_BEHIND && is_left(&lying.path));
    let mut removed = 0;
    for lying in left {
        bucket.remove(&lying.path)?;
        removed += 1;
    }
    Ok(removed)
}
