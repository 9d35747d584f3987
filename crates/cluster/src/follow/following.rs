//! A follower at its place.
//!
//! Reading needs the follower's lock, which lies on a connection of its own; whoever does not get it stands by: there is
//! nothing to read for it, and it tries again now and then. The place in memory runs ahead of the one in the table, which is moved
//! when somebody asks for it.

use std::{
    cell::RefCell,
    sync::Arc,
    time::{Duration, Instant},
};

use muster_store::{
    error::ReadError,
    follow::{FollowPage, Follower, Following, Letter, LetterId, PageLimit, Standing, gone},
};
use parking_lot::Mutex;
use postgres::error::SqlState;
use tokio::time::{sleep_until, timeout_at};

use super::{
    letters::{self, Came, Settled},
    page::{self, KeptPiece, Looked, Page},
};
use crate::{
    cluster::Inner,
    fault::Fault,
    read::book::Book,
    sql::{
        aside::Aside,
        connection::{Connection, Mode, Transaction},
    },
};

/// The class of the locks that followers are held by.
const LOCK_CLASS: i32 = 0x6d66;
/// Longest first wait for a lock that somebody else holds, who may be about to let go of it.
const PATIENCE: &str = "set local lock_timeout = '2s'";
/// Between two tries to get it after that.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// Shortest wait while the engine closes.
const CLOSING: Duration = Duration::from_secs(1);

const TRY: &str = "select pg_try_advisory_lock($1, $2)";
const LOCK: &str = "select pg_advisory_lock($1, $2)";
const UNLOCK: &str = "select pg_advisory_unlock($1, $2)";
const PLACE: &str = "select place from follower where id = $1";
const ARRIVED: &str = "select arrived from census where workspace = $1";

/// The follower.
pub struct Follow {
    inner: Arc<Inner>,
    follower: Follower,
    /// Messages that had arrived where it stands, and at the place in the table.
    here: i64,
    kept: i64,
    /// The same after each message of the page read last, and after all of it.
    marks: Vec<i64>,
    end: i64,
    /// The connection that the lock is on, or is to be.
    aside: Option<Aside>,
    holds: bool,
    tried_at: Option<Instant>,
    looked: Looked,
    /// What is known to have arrived, whatever this node knows else.
    arrived: i64,
    /// What was read of files and not handed out yet.
    piece: Arc<Mutex<KeptPiece>>,
    /// Letters that there are at the most; nothing until they were counted.
    letters: Option<u64>,
}

/// Whoever is to hold the lock, and does not get it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Otherwise {
    StandsBy,
    Fails,
}

impl Follow {
    pub fn new(inner: Arc<Inner>, follower: Follower) -> Result<Follow, ReadError> {
        let id = follower.id.0 as i64;
        let ask = inner.pool.read(follower.workspace, move |transaction| place(transaction, id));
        let here = inner.wait_for(ask)??.ok_or_else(gone)?;
        Ok(Follow {
            inner,
            follower,
            here,
            kept: here,
            marks: Vec::new(),
            end: here,
            aside: None,
            holds: false,
            tried_at: None,
            looked: Looked::default(),
            arrived: here,
            piece: Arc::default(),
            letters: None,
        })
    }

    /// Asks whoever holds the lock; nothing when that is somebody else. Once more when the connection has died meanwhile.
    fn ask<T: Send + 'static>(
        &mut self,
        otherwise: Otherwise,
        act: impl Fn(&mut Connection) -> Result<T, Fault> + Clone + Send + 'static,
    ) -> Result<Option<T>, ReadError> {
        if self.inner.follower(self.follower.id).is_none() {
            return Err(gone());
        }
        let had_one = self.aside.is_some();
        match self.try_once(otherwise, act.clone()) {
            Err(fault) if fault.breaks_connection() || matches!(fault, Fault::Closing) => {
                (self.aside, self.holds, self.tried_at) = (None, false, None);
                match had_one {
                    true => Ok(self.try_once(otherwise, act)?),
                    false => Err(fault.into()),
                }
            }
            other => Ok(other?),
        }
    }

    fn try_once<T: Send + 'static>(
        &mut self,
        otherwise: Otherwise,
        act: impl FnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<Option<T>, Fault> {
        match (self.hold(otherwise)?, &self.aside) {
            (true, Some(aside)) => aside.ask(act).map(Some),
            _ if otherwise == Otherwise::StandsBy => Ok(None),
            _ => Err(Fault::Read(elsewhere())),
        }
    }

    /// Gets the lock; whether it is held.
    fn hold(&mut self, otherwise: Otherwise) -> Result<bool, Fault> {
        if self.holds {
            return Ok(true);
        }
        let lately = self.tried_at.is_some_and(|tried| tried.elapsed() < TRY_AGAIN);
        if lately && otherwise == Otherwise::StandsBy {
            return Ok(false);
        }
        let waits = self.tried_at.is_none() || otherwise == Otherwise::Fails;
        let aside = match self.aside.take() {
            Some(aside) => aside,
            None => {
                let config = Arc::clone(&self.inner.config);
                Aside::start("muster-follower", move || Connection::open(&config), drop)?
            }
        };
        let id = self.follower.id.0;
        let held = aside.ask(move |connection| lock(connection, id as i32, waits))?;
        (self.aside, self.tried_at) = (Some(aside), Some(Instant::now()));
        let Some(aside) = self.aside.as_ref().filter(|_| held) else {
            self.stand(self.kept);
            return Ok(false);
        };
        let found = aside.ask(move |connection| place(&mut connection.begin(Mode::Read, None)?, id as i64))?;
        let found = found.ok_or_else(|| Fault::Read(gone()))?;
        if found != self.kept {
            self.stand(found);
        }
        self.holds = true;
        Ok(true)
    }

    /// Stands at a place that is in the table.
    fn stand(&mut self, place: i64) {
        (self.here, self.kept, self.end) = (place, place, place);
        self.marks.clear();
        self.letters = None;
    }

    /// Moves on in the table, with letters.
    fn keep(&mut self, to: i64, ended: Vec<LetterId>, kept: Vec<Letter>) -> Result<(), ReadError> {
        let (letters_max, more) = (self.inner.options.letters_max, kept.len() as u64);
        let expected = self.letters.map(|letters| letters + more);
        // Some more go than have to, so that it need not be looked at with every letter.
        let trims_to = match expected {
            Some(expected) if expected <= letters_max as u64 => None,
            Some(_) => Some(letters_max - letters_max / 16),
            None => Some(letters_max),
        };
        let retention = self.inner.options.letters_retention;
        let settled = Settled { from: self.kept, to, ended, kept, trims_to, retention };
        let follower = self.follower.clone();
        let keep = move |connection: &mut Connection| {
            let mut transaction = connection.begin(Mode::Write, Some(follower.workspace))?;
            let came = letters::settle(&mut transaction, &follower, &settled)?;
            transaction.commit()?;
            Ok(came)
        };
        match self.ask(Otherwise::Fails, keep)? {
            Some(Came::Settled(counted)) => {
                (self.here, self.kept) = (to, to);
                self.letters = counted.or(expected);
            }
            Some(Came::Moved(place)) => self.stand(place),
            Some(Came::Gone) | None => return Err(gone()),
        }
        Ok(())
    }

    /// Whether something has arrived behind the place, as far as this node knows.
    fn has_more(&self) -> bool {
        self.inner.counters.census(self.follower.workspace).arrived.max(self.arrived) > self.here
    }
}

/// Somebody else hands out the follower's messages.
fn elsewhere() -> ReadError {
    ReadError::Failed { what: "another node, or another reader, hands out this follower's messages".to_owned() }
}

fn place(transaction: &mut Transaction<'_>, id: i64) -> Result<Option<i64>, Fault> {
    Ok(transaction.query_opt(PLACE, &[&id])?.map(|row| row.get(0)))
}

/// Gets a lock that lasts as long as the connection does.
fn lock(connection: &mut Connection, id: i32, waits: bool) -> Result<bool, Fault> {
    if !waits {
        return Ok(connection.ask(TRY, &[&LOCK_CLASS, &id])?[0].get(0));
    }
    let mut transaction = connection.begin(Mode::Write, None)?;
    transaction.run(PATIENCE)?;
    match transaction.query(LOCK, &[&LOCK_CLASS, &id]) {
        Ok(_) => transaction.commit().map(|()| true),
        Err(Fault::Sql(error)) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => Ok(false),
        Err(fault) => Err(fault),
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        let id = self.follower.id.0 as i32;
        if let Some(aside) = self.aside.take().filter(|_| self.holds) {
            // Whoever comes next need not wait for the connection to end. If it cannot be told, that does.
            let _ = aside.ask(move |connection| connection.ask(UNLOCK, &[&LOCK_CLASS, &id]).map(drop));
        }
    }
}

impl Following for Follow {
    fn read(&mut self, limit: PageLimit) -> Result<FollowPage, ReadError> {
        self.marks.clear();
        self.end = self.here;
        // The lock comes first, as the place may be another one then.
        if self.ask(Otherwise::StandsBy, |_| Ok(()))?.is_none() {
            return Ok(FollowPage::default());
        }
        let (workspace, here) = (self.follower.workspace, self.here);
        let (piece, archive) = (Arc::clone(&self.piece), Arc::clone(&self.inner.archive));
        let read = move |connection: &mut Connection| {
            let transaction = RefCell::new(connection.begin(Mode::Read, Some(workspace))?);
            page::read(&Book::new(&transaction, workspace, &archive), here, limit, &mut piece.lock())
        };
        let Some(Page { arrived, records, end, more }) = self.ask(Otherwise::StandsBy, read)? else {
            return Ok(FollowPage::default());
        };
        if self.here != here {
            // The connection died in between, and somebody else moved the follower: read again.
            return Ok(FollowPage { records: Vec::new(), more: true });
        }
        self.arrived = self.arrived.max(end + i64::from(more));
        (self.marks, self.end) = (arrived, end);
        Ok(FollowPage { records, more })
    }

    fn settle(&mut self, done: usize, kept: Vec<Letter>, durably: bool) -> Result<(), ReadError> {
        let to = match done.checked_sub(1) {
            _ if done >= self.marks.len() => self.end.max(self.here),
            Some(last) => self.marks[last],
            None => self.here,
        };
        if kept.is_empty() && (!durably || to == self.kept) {
            self.here = to;
            return Ok(());
        }
        self.keep(to, Vec::new(), kept)
    }

    fn is_kept(&self) -> bool {
        self.kept == self.here
    }

    fn place(&self) -> Vec<u8> {
        super::place(self.here)
    }

    fn go_to(&mut self, place: &[u8]) -> Result<bool, ReadError> {
        let Some(to) = super::arrived(place) else { return Ok(false) };
        let workspace = self.follower.workspace.0 as i32;
        let ask = move |connection: &mut Connection| {
            Ok(connection.ask(ARRIVED, &[&workspace])?.first().map_or(0, |row| row.get(0)))
        };
        let arrived: i64 = self.ask(Otherwise::Fails, ask)?.unwrap_or_default();
        if !(self.kept..=arrived).contains(&to) {
            return Ok(false);
        }
        self.keep(to, Vec::new(), Vec::new())?;
        self.stand(self.kept);
        Ok(true)
    }

    fn due(&mut self, limit: PageLimit) -> Result<Vec<Letter>, ReadError> {
        let follower = self.follower.clone();
        let due = move |connection: &mut Connection| {
            letters::due(&mut connection.begin(Mode::Read, Some(follower.workspace))?, &follower, limit)
        };
        Ok(self.ask(Otherwise::StandsBy, due)?.unwrap_or_default())
    }

    fn settle_due(&mut self, ended: &[LetterId], kept: Vec<Letter>) -> Result<(), ReadError> {
        self.keep(self.here, ended.to_vec(), kept)
    }

    fn wait(&mut self, at_most: Duration) {
        let (inner, bell) = (Arc::clone(&self.inner), self.inner.bells.of(self.follower.id));
        if self.inner.follower(self.follower.id).is_none() {
            return;
        }
        let (workspace, here, looked) = (self.follower.workspace, self.here, Arc::clone(&self.looked));
        // Whoever stands by has nothing to read until it gets the lock.
        let (stands_by, at_most) = if self.holds { (false, at_most) } else { (true, at_most.min(TRY_AGAIN)) };
        if !stands_by && self.has_more() {
            return;
        }
        let waited = self.inner.wait_for(async move {
            let until = tokio::time::Instant::now() + at_most;
            let something = page::arrives(&inner, workspace, here, &looked);
            let ends = async {
                match stands_by {
                    true => sleep_until(until).await,
                    false => something.await,
                }
            };
            let rung = bell.notified();
            // That nothing came in time is as good an end as any.
            let _ = timeout_at(until, futures_util::future::select(std::pin::pin!(ends), std::pin::pin!(rung))).await;
        });
        if waited.is_err() {
            // The engine is closing; whoever comes back at once must not do so over and over.
            std::thread::sleep(at_most.min(CLOSING));
        }
    }

    fn standing(&mut self) -> Result<Standing, ReadError> {
        let (id, workspace) = (self.follower.id.0 as i64, self.follower.workspace);
        let from = self.holds.then_some(self.here);
        let archive = Arc::clone(&self.inner.archive);
        let count = move |connection: &mut Connection| {
            let transaction = RefCell::new(connection.begin(Mode::Read, Some(workspace))?);
            let Some(place) = place(&mut transaction.borrow_mut(), id)? else { return Err(Fault::Read(gone())) };
            let book = Book::new(&transaction, workspace, &archive);
            let (pending, arrived) = page::pending(&book, from.unwrap_or(place))?;
            Ok((place, Standing { pending, accepted: arrived as u64 }))
        };
        let (place, standing) = self.inner.wait_for(self.inner.pool.ask(count))??;
        if !self.holds && place != self.kept {
            self.stand(place);
        }
        Ok(standing)
    }
}
