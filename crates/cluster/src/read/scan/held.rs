//! What is held: a transaction, and looking records up in it.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use crossbeam_channel::RecvTimeoutError;
use muster_model::{
    id::{IdSpace, RecordId, WorkspaceId},
    kind::RecordKind,
    profile::{Profile, Span},
};
use muster_store::{
    error::ReadError,
    profiles::Children,
    scan::{Extent, Moment, Scan, Scans, Wanted, Work},
};

use super::reading::Reading;
use crate::{
    archive::Archive,
    cluster::{self, Cluster, Inner},
    fault::Fault,
    fold::{census::Census, write::number},
    follow,
    read::{
        book::{Book, decoded},
        profiles, seen,
    },
    sql::{aside::Aside, connection::Connection, values::Id},
};

/// Records that one call hands out at the most.
const PROFILES_MAX: usize = 8_192;
/// How often whoever waits for a long answer is asked whether it still does.
const ASK_AGAIN: Duration = Duration::from_millis(50);

const PROFILES: &str = "select body from profile where workspace = $1 and kind = $2 and ($3::uuid is null or id > $3)
    order by id limit $4";

/// A workspace at one instant.
pub struct Held {
    pub(super) workspace: WorkspaceId,
    pub(super) ids: IdSpace,
    /// Messages that had arrived.
    arrived: i64,
    aside: Aside,
    archive: Arc<Archive>,
    /// Questions that were opened, so that each has a name of its own.
    questions: AtomicU64,
    pub(super) rows: AtomicU64,
    pub(super) rows_skipped: AtomicU64,
    profiles: AtomicU64,
}

/// One of the moments that may be held at once.
struct Place(Arc<AtomicU64>);

impl Place {
    fn take(inner: &Inner) -> Result<Place, Fault> {
        let max = inner.options.moments_max as u64;
        let more = |held: u64| (held < max).then_some(held + 1);
        let taken = inner.moments.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        let what = || "too many queries and exports read at once; try again".to_owned();
        taken.map_err(|_| Fault::Read(ReadError::Failed { what: what() }))?;
        Ok(Place(Arc::clone(&inner.moments)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Scans for Cluster {
    fn extent(&self, workspace: WorkspaceId) -> Extent {
        let census = self.inner.counters.census(workspace);
        Extent { messages: census.messages as u64, records: RecordKind::SHOWN.map(|kind| census.of(kind)) }
    }

    fn moment(&self, workspace: WorkspaceId) -> Result<Arc<dyn Moment>, ReadError> {
        let inner = Arc::clone(&self.inner);
        let wanted = self.inner.wait_for(async move { inner.fresh(Some(workspace)).await })??;
        Ok(Arc::new(Held::take(&self.inner, workspace, wanted)?))
    }
}

impl Held {
    fn take(inner: &Arc<Inner>, workspace: WorkspaceId, wanted: cluster::Wanted) -> Result<Held, Fault> {
        let place = Place::take(inner)?;
        let (opener, spare) = (Arc::clone(inner), Arc::downgrade(inner));
        let open = move || begun(&opener, workspace, &wanted);
        let end = move |mut connection: Connection| {
            let ended = connection.take_back();
            if let (Ok(()), Some(inner)) = (ended, spare.upgrade()) {
                let mut spare = inner.spare.lock();
                // Whoever closes the engine takes them all out after it said so.
                if !inner.closing.load(Ordering::Acquire) {
                    spare.push(connection);
                }
            }
            drop(place);
        };
        let aside = Aside::start("muster-moment", open, end)?;
        // The first question decides which instant it is.
        let (archive, of_question) = (Arc::clone(&inner.archive), Arc::clone(&inner.archive));
        let (arrived, ids) = aside.ask(move |connection| {
            let transaction = RefCell::new(connection.go_on());
            let census = Census::look(&mut transaction.borrow_mut(), workspace)?;
            Ok((census.unwrap_or_default().arrived, Book::new(&transaction, workspace, &of_question).ids()?))
        })?;
        let [questions, rows, rows_skipped, profiles] = std::array::from_fn(|_| AtomicU64::new(0));
        Ok(Held { workspace, ids, arrived, aside, archive, questions, rows, rows_skipped, profiles })
    }

    /// Asks with the records at hand, and waits.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Book<'_, '_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (workspace, archive) = (self.workspace, Arc::clone(&self.archive));
        self.aside.ask(move |connection| with_book(connection, workspace, &archive, read))
    }

    /// Asks, and does not wait.
    pub(super) fn tell(&self, act: impl FnOnce(&Book<'_, '_>) -> Result<(), Fault> + Send + 'static) {
        let (workspace, archive) = (self.workspace, Arc::clone(&self.archive));
        // A thread that is gone has nothing left to do.
        drop(self.aside.begin(move |connection| with_book(connection, workspace, &archive, act)));
    }

    /// A name for a question.
    pub(super) fn question(&self) -> String {
        format!("q{}", self.questions.fetch_add(1, Ordering::Relaxed))
    }
}

/// A connection with a transaction that stays open: one that is at rest, or a new one.
fn begun(inner: &Inner, workspace: WorkspaceId, wanted: &[(u32, u64)]) -> Result<Connection, Fault> {
    loop {
        let spare = inner.spare.lock().pop();
        let is_spare = spare.is_some();
        let mut connection = match spare {
            Some(connection) => connection,
            None => Connection::open(&inner.config)?,
        };
        match inner.begin_fresh(&mut connection, Some(workspace), wanted) {
            Ok(transaction) => transaction.leave_open(),
            // It died while it was at rest.
            Err(fault) if is_spare && fault.breaks_connection() => continue,
            Err(fault) => return Err(fault),
        }
        return Ok(connection);
    }
}

fn with_book<T>(
    connection: &mut Connection,
    workspace: WorkspaceId,
    archive: &Archive,
    read: impl FnOnce(&Book<'_, '_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let transaction = RefCell::new(connection.go_on());
    read(&Book::new(&transaction, workspace, archive))
}

impl Moment for Held {
    fn profile(&self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Profile>>, ReadError> {
        self.profiles.fetch_add(1, Ordering::Relaxed);
        Ok(self.ask(move |book| book.profile_of((kind, id)))?)
    }

    fn profiles(
        &self,
        kind: RecordKind,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<Arc<Profile>>, ReadError> {
        let limit = limit.clamp(1, PROFILES_MAX) as i64;
        let found = self.ask(move |book| {
            let after = after.map(Id::from);
            let rows = book.transaction().query(PROFILES, &[&book.workspace(), &number(kind), &after, &limit])?;
            rows.iter().map(|row| decoded(row, 0)).collect::<Result<Vec<_>, Fault>>()
        })?;
        self.profiles.fetch_add(found.len() as u64, Ordering::Relaxed);
        Ok(found)
    }

    fn children(&self, children: Children, limit: usize) -> Result<Vec<RecordId>, ReadError> {
        Ok(self.ask(move |book| profiles::children(&mut book.transaction(), book.of(), children, limit))?)
    }

    fn seen(&self, profile: &Profile, go_on: &dyn Fn() -> bool) -> Result<Span, ReadError> {
        let (workspace, profile, wanted) = (self.workspace, profile.clone(), Arc::new(AtomicBool::new(true)));
        let (still, archive) = (Arc::clone(&wanted), Arc::clone(&self.archive));
        let answer = self.aside.begin(move |connection| {
            with_book(connection, workspace, &archive, |book| {
                seen::while_wanted(book, &profile, &|| still.load(Ordering::Relaxed))
            })
        })?;
        loop {
            match answer.recv_timeout(ASK_AGAIN) {
                Ok(seen) => return Ok(seen?),
                Err(RecvTimeoutError::Disconnected) => return Err(Fault::Closing.into()),
                Err(RecvTimeoutError::Timeout) if go_on() => {}
                Err(RecvTimeoutError::Timeout) => wanted.store(false, Ordering::Relaxed),
            }
        }
    }

    fn scan(self: Arc<Self>, wanted: Wanted) -> Result<Box<dyn Scan>, ReadError> {
        Ok(Box::new(Reading::begin(self, wanted)?))
    }

    fn place(&self) -> Vec<u8> {
        follow::place(self.arrived)
    }

    fn work(&self) -> Work {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        // What an index rules out is never counted; what a file's directory does is.
        Work { rows: read(&self.rows), rows_skipped: read(&self.rows_skipped), profiles: read(&self.profiles) }
    }
}
