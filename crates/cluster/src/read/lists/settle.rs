//! Records whose first and last track were uncertain, made certain.
//!
//! A statement about the past may move tracks between accounts, or between users; what each keeps of its first and last
//! track is then stale until its tracks have been looked through. That is done a while later by a task that takes a small part of
//! the time; or by one that hurries, and goes on after the answer, when a list goes by the tracks of such records. What it finds is
//! written while the workspace is held, so that no track comes between; whatever moves a record's tracks makes it stale anew.

use std::{
    cell::RefCell,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use muster_model::{deletion::Subject, id::WorkspaceId, kind::RecordKind};
use muster_store::{lists::with_seen, records::Records};
use rustc_hash::FxHashMap;
use tracing::debug;

use crate::{
    archive::Archive,
    cluster::Inner,
    fault::Fault,
    fold::{
        census::Census,
        sheet::Sheet,
        write::{number, write},
    },
    read::seen,
    sql::{
        connection::{Connection, Mode},
        values::Id,
    },
};

/// Records that one transaction makes certain, and how long it goes on with further ones: messages wait for it.
const RECORDS_MAX: i64 = 64;
const TIME_MAX: Duration = Duration::from_millis(100);
/// Between two transactions when a list waits, so that messages are folded in meanwhile.
const REST: Duration = Duration::from_millis(20);
/// Otherwise: how many times as long as it works, and before it begins.
const RESTS: u32 = 9;
const DELAY: Duration = Duration::from_secs(5);
/// Tasks that nobody asked for; what they leave is for lists.
const UNASKED_MAX: usize = 16;
/// How long a list waits, and how often is looked whether one waits or is served.
const WAIT: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);

const STALE: &str = "select id from profile where workspace = $1 and kind = $2 and stale order by id limit $3";

/// Whose first and last tracks.
pub type Whose = (WorkspaceId, RecordKind);

/// Whose first and last tracks are being made certain, and whether a list asked for it.
pub type Settling = FxHashMap<Whose, bool>;

/// Has all records made certain that are not, a while later and without haste.
pub fn begin_unasked(inner: &Arc<Inner>, whose: Whose) {
    let mut settling = inner.settling.lock();
    if settling.len() < UNASKED_MAX && !settling.contains_key(&whose) {
        settling.insert(whose, false);
        inner.handle.spawn(settle(Arc::clone(inner), whose));
    }
}

/// The same at once.
pub fn begin(inner: &Arc<Inner>, whose: Whose) {
    if inner.settling.lock().insert(whose, true).is_none() {
        inner.handle.spawn(settle(Arc::clone(inner), whose));
    }
}

/// The same, and waits for it a while.
pub async fn wait(inner: &Arc<Inner>, whose: Whose) {
    begin(inner, whose);
    let waiting = Arc::clone(inner);
    let settled = inner.handle.spawn(async move {
        let until = Instant::now() + WAIT;
        while waiting.settling.lock().contains_key(&whose) && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
        }
    });
    // A task that ends early is not worth waiting for either.
    let _ = settled.await;
}

async fn settle(inner: Arc<Inner>, whose: Whose) {
    rest(&inner, whose, DELAY).await;
    while !inner.closing.load(Ordering::Acquire) {
        let started = Instant::now();
        let archive = Arc::clone(&inner.archive);
        match inner.pool.ask(move |connection| settle_some(connection, &archive, whose)).await {
            Ok(true) => rest(&inner, whose, started.elapsed() * RESTS).await,
            Ok(false) => break,
            Err(fault) => {
                debug!(error = %fault, "first and last tracks could not be made certain; the next list tries again");
                break;
            }
        }
    }
    inner.settling.lock().remove(&whose);
}

/// Rests so long, or shortly as soon as a list asks.
async fn rest(inner: &Inner, whose: Whose, unasked: Duration) {
    let until = Instant::now() + unasked;
    tokio::time::sleep(REST).await;
    let is_asked = || inner.settling.lock().get(&whose).copied().unwrap_or_default();
    while !is_asked() && Instant::now() < until && !inner.closing.load(Ordering::Acquire) {
        tokio::time::sleep(LOOK).await;
    }
}

/// Makes all records of a workspace certain, where nobody else changes any.
pub fn all(connection: &mut Connection, archive: &Archive, workspace: WorkspaceId) -> Result<(), Fault> {
    for kind in RecordKind::ALL {
        while settle_some(connection, archive, (workspace, kind))? {}
    }
    Ok(())
}

/// Makes some records certain; whether there may be more.
fn settle_some(connection: &mut Connection, archive: &Archive, (workspace, kind): Whose) -> Result<bool, Fault> {
    let transaction = RefCell::new(connection.begin(Mode::Write, Some(workspace))?);
    let mut census = Census::hold(&mut transaction.borrow_mut(), workspace)?;
    let rows = transaction.borrow_mut().query(STALE, &[&census.workspace, &number(kind), &RECORDS_MAX])?;
    let subjects: Vec<Subject> = rows.iter().map(|row| (kind, row.get::<_, Id>(0).record())).collect();
    let mut sheet = Sheet::new(&transaction, workspace, archive);
    sheet.fetch(subjects.iter().copied())?;
    let (started, mut settled_some) = (Instant::now(), 0);
    for (kind, id) in &subjects {
        if settled_some > 0 && started.elapsed() >= TIME_MAX {
            break;
        }
        settled_some += 1;
        if let Some(profile) = Records::profile(&sheet, *kind, *id)? {
            let seen = seen::of(&sheet.book, &profile)?;
            sheet.replace(Arc::new(with_seen(&profile, seen)))?;
        }
    }
    write(sheet, &mut census)?;
    transaction.into_inner().commit()?;
    Ok(settled_some < subjects.len() || subjects.len() as i64 == RECORDS_MAX)
}
