//! Letting go of what is kept for a while: messages set aside that are too many or too old, and identities that the duplicate
//! check has forgotten.
//!
//! Whoever holds a lane does it for the lane's workspaces, some rows at a time, each time in a transaction that holds the workspace
//! no longer than that takes; batches of the lane go on between two of them. What a node has not come to when it loses the lane,
//! the next one does. Nothing here decides what a message becomes: an identity counts no longer from the day on which it expires,
//! whether it is gone or not.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use muster_model::{day::Day, id::WorkspaceId, time::Micros};
use muster_store::clock::{Clock, SystemClock};

use crate::{
    cluster::Inner,
    fault::Fault,
    fold::{census::Census, memory::Remembers, plan::Counts},
    sql::{
        connection::{Connection, Mode, Transaction},
        values::{At, Id},
    },
};

/// Messages set aside that go in one transaction.
const REFUSED_STEP_MAX: i64 = 1_000;
/// Identities that one transaction looks at.
const IDENTITIES_STEP_MAX: i64 = 5_000;
/// A lane is not kept waiting for longer than this and one step.
const AT_ONCE: Duration = Duration::from_millis(50);

/// What is still to be looked at of a lane's workspaces.
pub struct Trim {
    looked_at: Option<Instant>,
    /// Of these there are messages set aside of which nobody has looked yet whether they are too many.
    set_aside: BTreeSet<WorkspaceId>,
    /// The day on which identities were looked through last.
    day: Option<Day>,
    /// Workspaces whose identities are still to be looked through today, and up to which one that of the first was.
    expiring: BTreeSet<WorkspaceId>,
    after: Option<Id>,
}

const WORKSPACES: &str = "select id from workspace";

impl Trim {
    /// For whoever has just got a lane, and knows nothing of what the one before has done.
    pub fn begin(inner: &Inner, connection: &mut Connection, lane: u32) -> Result<Trim, Fault> {
        let set_aside = workspaces(inner, connection, lane)?;
        Ok(Trim { looked_at: None, set_aside, day: None, expiring: BTreeSet::new(), after: None })
    }

    /// Messages of a workspace were folded in, of which some may have been set aside.
    pub fn note(&mut self, workspace: WorkspaceId, counts: Counts) {
        if counts.conflicts + counts.refused > 0 {
            self.set_aside.insert(workspace);
        }
    }

    /// Does some of what is due, if it is.
    pub fn go_on(&mut self, inner: &Inner, connection: &mut Connection, lane: u32) -> Result<(), Fault> {
        let began = Instant::now();
        if self.looked_at.is_some_and(|at| at.elapsed() < inner.options.trim_interval) {
            return Ok(());
        }
        let (remembers, now) = (Remembers::within(inner.options.identity_retention), SystemClock.now());
        if let (Some(_), true) = (remembers.since(now), self.day != Some(Day::of(now))) {
            (self.day, self.after) = (Some(Day::of(now)), None);
            self.expiring = workspaces(inner, connection, lane)?;
        }
        while began.elapsed() < AT_ONCE {
            if let Some(workspace) = self.set_aside.first().copied() {
                if trim_refused(inner, connection, workspace)? {
                    self.set_aside.remove(&workspace);
                }
            } else if let (Some(workspace), Some(since)) = (self.expiring.first().copied(), remembers.since(now)) {
                self.after = forget(connection, workspace, self.after, since)?;
                if self.after.is_none() {
                    self.expiring.remove(&workspace);
                }
            } else {
                self.looked_at = Some(began);
                break;
            }
        }
        Ok(())
    }
}

fn workspaces(inner: &Inner, connection: &mut Connection, lane: u32) -> Result<BTreeSet<WorkspaceId>, Fault> {
    let rows = connection.ask(WORKSPACES, &[])?;
    let all = rows.iter().map(|row| WorkspaceId(row.get::<_, i32>(0) as u32));
    Ok(all.filter(|workspace| inner.lanes.of(*workspace) == lane).collect())
}

/// Begins a transaction that holds a workspace; none where it is gone.
fn hold(connection: &mut Connection, workspace: WorkspaceId) -> Result<Option<Transaction<'_>>, Fault> {
    let mut transaction = connection.begin(Mode::Write, Some(workspace))?;
    match Census::hold(&mut transaction, workspace) {
        Ok(_) => Ok(Some(transaction)),
        Err(Fault::NoWorkspace) => Ok(None),
        Err(fault) => Err(fault),
    }
}

const NEWEST: &str = "select received_at from refused where workspace = $1 order by received_at desc, id desc limit 1";
const LAST_THAT_STAYS: &str =
    "select received_at, id from refused where workspace = $1 order by received_at desc, id desc offset $2 limit 1";
const TRIM: &str = "delete from refused where workspace = $1 and id in (
    select id from refused where workspace = $1 and (received_at, id) < ($2, $3) order by received_at, id limit $4)";

/// Lets go of messages set aside, oldest first; whether that is all of them that go.
fn trim_refused(inner: &Inner, connection: &mut Connection, workspace: WorkspaceId) -> Result<bool, Fault> {
    let Some(mut transaction) = hold(connection, workspace)? else { return Ok(true) };
    let number = workspace.0 as i32;
    let Some(newest) = transaction.query_opt(NEWEST, &[&number])? else { return Ok(true) };
    let retention = i64::try_from(inner.options.refused_retention.as_micros()).unwrap_or(i64::MAX);
    let oldest = Micros(newest.get::<_, At>(0).0.0.saturating_sub(retention));
    let others = inner.options.refused_max.saturating_sub(1) as i64;
    let last = transaction.query_opt(LAST_THAT_STAYS, &[&number, &others])?;
    let by_number = last.map(|row| (row.get::<_, At>(0), row.get::<_, Id>(1)));
    let bound = by_number.unwrap_or((At(Micros(i64::MIN)), Id(0))).max((At(oldest), Id(0)));
    let gone = transaction.execute(TRIM, &[&number, &bound.0, &bound.1, &REFUSED_STEP_MAX])?;
    transaction.commit()?;
    Ok(gone < REFUSED_STEP_MAX as u64)
}

const FORGET: &str = "with looked as (
        select identity, received_at from identity where workspace = $1 and ($2::uuid is null or identity > $2)
        order by identity limit $4
    ), gone as (
        delete from identity using looked
        where identity.workspace = $1 and identity.identity = looked.identity and looked.received_at < $3
    )
    select identity from looked order by identity offset $4 - 1";

/// Lets go of identities after one that are not remembered any more; the last one that was looked at, if there may be more.
fn forget(
    connection: &mut Connection,
    workspace: WorkspaceId,
    after: Option<Id>,
    since: Micros,
) -> Result<Option<Id>, Fault> {
    let Some(mut transaction) = hold(connection, workspace)? else { return Ok(None) };
    let params: [&(dyn postgres::types::ToSql + Sync); 4] =
        [&(workspace.0 as i32), &after, &At(since), &IDENTITIES_STEP_MAX];
    let last = transaction.query_opt(FORGET, &params)?.map(|row| row.get(0));
    transaction.commit()?;
    Ok(last)
}
