//! The thread that brings the history into the bucket: files what the table holds, merges files, removes those that count no more.
//!
//! Every node that folds in has one. Of a workspace one at a time works on the files: whoever holds its lock in PostgreSQL. What
//! is due it knows from what the node knows anyway; while nothing is, nobody is asked. Whatever goes wrong is tried again,
//! and until then everything stays where it is.

use std::{
    sync::{Arc, atomic::Ordering},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use muster_model::id::WorkspaceId;
use muster_store::error::ReadError;
use rustc_hash::FxHashMap;
use tracing::{info, warn};

use super::{
    filing::{self, Filed},
    merging, removal,
};
use crate::{
    cluster::{Cluster, Inner},
    fault::Fault,
    fold::census::Census,
    sql::connection::{Connection, Mode},
};

/// The class of the locks that workspaces' files are held by, and the lock under which files are removed.
const LOCK_CLASS: i32 = 0x6d68;
const REMOVAL: i32 = -1;
/// Between two looks at what is due, and whether the engine closes.
const LOOK: Duration = Duration::from_secs(1);
const LOOK_UP: Duration = Duration::from_millis(100);
/// After something went wrong.
const TRY_AGAIN: Duration = Duration::from_secs(10);
/// Between two removals of files that count no more, and between two searches for what was left behind.
const REMOVE_EVERY: Duration = Duration::from_secs(60);
const SWEEP_EVERY: Duration = Duration::from_secs(6 * 3_600);
/// What everybody may still know counts for so many times as long as the stream keeps what was folded in.
const GONE_AFTER: u32 = 2;

const TRY: &str = "select pg_try_advisory_lock($1, $2)";
const HOLD: &str = "select pg_advisory_lock($1, $2)";
const LET_GO: &str = "select pg_advisory_unlock($1, $2)";

/// The thread.
pub struct Keeper(JoinHandle<()>);

impl Keeper {
    /// Starts it.
    pub(crate) fn start(inner: &Arc<Inner>) -> std::io::Result<Keeper> {
        let work = Work { inner: Arc::clone(inner), since: FxHashMap::default(), unmerged: Vec::new() };
        thread::Builder::new().name("muster-history".to_owned()).spawn(move || work.run()).map(Keeper)
    }

    /// Waits until it has ended, which it does when the engine closes.
    pub fn stop(self) {
        // One that panicked has said so.
        let _ = self.0.join();
    }
}

struct Work {
    inner: Arc<Inner>,
    /// Since when each workspace has had messages in the table.
    since: FxHashMap<WorkspaceId, Instant>,
    /// Workspaces whose files may be worth merging.
    unmerged: Vec<WorkspaceId>,
}

impl Work {
    fn run(mut self) {
        self.unmerged = self.workspaces();
        let (mut removed, mut swept) = (Instant::now(), Instant::now());
        let mut connection = None;
        while self.rest(LOOK) {
            let (removes, sweeps) = (removed.elapsed() >= REMOVE_EVERY, swept.elapsed() >= SWEEP_EVERY);
            let due = self.due();
            if due.is_empty() && self.unmerged.is_empty() && !removes {
                continue;
            }
            match self.work(&mut connection, due, removes, sweeps) {
                Ok(()) => {
                    removed = if removes { Instant::now() } else { removed };
                    swept = if sweeps { Instant::now() } else { swept };
                }
                Err(Fault::Closing) => return,
                Err(fault) => {
                    warn!(error = %fault, "the history could not be brought into the bucket; this is tried again");
                    connection = None;
                    self.rest(TRY_AGAIN);
                }
            }
        }
    }

    /// Waits so long; `false` once the engine closes.
    fn rest(&self, long: Duration) -> bool {
        let until = Instant::now() + long;
        while !self.is_closing() && Instant::now() < until {
            thread::sleep(LOOK_UP);
        }
        !self.is_closing()
    }

    fn is_closing(&self) -> bool {
        self.inner.closing.load(Ordering::Acquire)
    }

    fn workspaces(&self) -> Vec<WorkspaceId> {
        self.inner.registry.held().workspaces.iter().map(|workspace| workspace.id).collect()
    }

    /// Workspaces with so much in the table, or with something in it for so long, that it is to go into a file.
    fn due(&mut self) -> Vec<WorkspaceId> {
        let options = &self.inner.options;
        let mut due = Vec::new();
        for workspace in self.workspaces() {
            let census = self.inner.counters.census(workspace);
            let waiting = census.arrived - census.filed;
            if waiting <= 0 {
                self.since.remove(&workspace);
                continue;
            }
            let since = *self.since.entry(workspace).or_insert_with(Instant::now);
            if waiting >= options.filed_rows.rows_max as i64 || since.elapsed() >= options.filed_after {
                due.push(workspace);
            }
        }
        due
    }

    fn work(
        &mut self,
        kept: &mut Option<Connection>,
        due: Vec<WorkspaceId>,
        removes: bool,
        sweeps: bool,
    ) -> Result<(), Fault> {
        let connection = match kept {
            Some(connection) if !connection.is_closed() => connection,
            _ => kept.insert(Connection::open(&self.inner.config)?),
        };
        let inner = Arc::clone(&self.inner);
        for workspace in due {
            let filed = with_lock(connection, workspace.0 as i32, TRY, |connection| {
                filing::file(&inner.archive, connection, workspace, inner.options.filed_rows)
            })?;
            // What another node filed is known once it is looked at.
            self.since.remove(&workspace);
            inner.refresh(connection)?;
            if filed == Some(Filed::Some) && !self.unmerged.contains(&workspace) {
                self.unmerged.push(workspace);
            }
        }
        while let Some(workspace) = self.unmerged.last().copied() {
            let goes_on = || !inner.closing.load(Ordering::Acquire);
            let merged = with_lock(connection, workspace.0 as i32, TRY, |connection| {
                merging::merge(&inner.archive, connection, workspace, inner.options.merged_files, &goes_on)
            })?;
            if self.is_closing() {
                return Err(Fault::Closing);
            }
            if merged != Some(true) {
                self.unmerged.pop();
            }
        }
        if removes {
            with_lock(connection, REMOVAL, TRY, |connection| {
                let after = inner.options.stream_retention * GONE_AFTER;
                let removed = removal::remove(&inner.archive, connection, after)?;
                let left = if sweeps { removal::sweep(&inner.archive, connection, &self.workspaces())? } else { 0 };
                if removed + left > 0 {
                    info!(files = removed, left_behind = left, "files that count no more were removed from the bucket");
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// Does something while a lock is held; nothing when somebody else holds it.
fn with_lock<T>(
    connection: &mut Connection,
    number: i32,
    get: &'static str,
    act: impl FnOnce(&mut Connection) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    let got = connection.ask(get, &[&LOCK_CLASS, &number])?;
    if get == TRY && !got[0].get::<_, bool>(0) {
        return Ok(None);
    }
    let done = act(connection);
    // A connection that is broken has let go by itself.
    let let_go = connection.ask(LET_GO, &[&LOCK_CLASS, &number]);
    let done = done?;
    let_go?;
    Ok(Some(done))
}

impl Cluster {
    /// Brings everything that is folded in into the bucket now, in files that are merged as far as they can be, and removes those that
    /// nobody can read any more: for whoever reads the files in place and does not want to wait. Does nothing without a bucket.
    pub async fn file_everything(&self) -> Result<(), ReadError> {
        if !self.inner.archive.is_there() {
            return Ok(());
        }
        self.inner.fresh(None).await?;
        let inner = Arc::clone(&self.inner);
        let filed = self.inner.handle.spawn_blocking(move || file_all(&inner));
        Ok(filed.await.map_err(|_| Fault::Closing)??)
    }
}

fn file_all(inner: &Arc<Inner>) -> Result<(), Fault> {
    let mut connection = Connection::open(&inner.config)?;
    let censuses = Census::all(&mut connection.begin(Mode::Read, None)?)?;
    // Whatever lies in files alone was merged when they were written.
    let waiting = censuses.into_iter().filter(|census| census.arrived > census.filed);
    for workspace in waiting.map(|census| WorkspaceId(census.workspace as u32)) {
        with_lock(&mut connection, workspace.0 as i32, HOLD, |connection| {
            while filing::file(&inner.archive, connection, workspace, inner.options.filed_rows)? != Filed::Nothing {}
            let goes_on = || !inner.closing.load(Ordering::Acquire);
            while merging::merge(&inner.archive, connection, workspace, inner.options.merged_files, &goes_on)? {}
            Ok(())
        })?;
    }
    with_lock(&mut connection, REMOVAL, HOLD, |connection| {
        removal::remove(&inner.archive, connection, inner.options.stream_retention * GONE_AFTER)
    })?;
    inner.refresh(&mut connection)
}
