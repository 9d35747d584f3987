//! What the tables of one query share: the moment they read from, when to stop, and what went wrong in one of them.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use muster_model::{
    id::{IdSpace, RecordId, WorkspaceId},
    kind::RecordKind,
};
use muster_store::{
    error::ReadError,
    scan::{Extent, Moment, Scans},
};

use super::{
    found::{Found, Record},
    runs::record_bytes,
};
use crate::{error::QueryError, stop::Stop};

/// Which traits feed columns of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraitNames {
    pub mrr: String,
    pub next_renewal_date: String,
    pub churned_at: String,
    pub trial_end_date: String,
}

/// Scans of one query that are read ahead at one time.
const AHEAD_MAX: usize = 2;

/// One query's view of its workspace.
pub struct Session {
    pub ids: IdSpace,
    pub extent: Extent,
    pub stop: Stop,
    pub names: TraitNames,
    moment: OnceLock<Arc<dyn Moment>>,
    failure: Mutex<Option<QueryError>>,
    found: Found,
    /// Scans that are read ahead.
    ahead: AtomicUsize,
    /// Bytes that tables may take for putting their rows into an order, all together; 0 leaves orders to SQLite.
    sorted_bytes_max: usize,
    /// Bytes that they take.
    sorted_bytes: AtomicUsize,
}

/// Bytes of a table that puts its rows into an order; free again when this is dropped.
pub struct SortedPlace {
    session: Arc<Session>,
    bytes: usize,
}

impl Drop for SortedPlace {
    fn drop(&mut self) {
        self.session.sorted_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A place for a scan that is read ahead; free again when this is dropped.
pub struct AheadPlace(Arc<Session>);

impl Drop for AheadPlace {
    fn drop(&mut self) {
        self.0.ahead.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Session {
    pub fn new(
        store: &dyn Scans,
        workspace: (WorkspaceId, &str),
        names: TraitNames,
        stop: Stop,
        sorted_bytes_max: usize,
        found_bytes_max: u64,
    ) -> Session {
        let extent = store.extent(workspace.0);
        let (moment, failure, found) = (OnceLock::new(), Mutex::new(None), Found::within(found_bytes_max));
        let (ids, ahead, sorted_bytes) = (IdSpace::new(workspace.1), AtomicUsize::new(0), AtomicUsize::new(0));
        Session { ids, extent, stop, names, moment, failure, found, ahead, sorted_bytes_max, sorted_bytes }
    }

    /// Takes more bytes for sorting, if there are so many.
    pub fn take_sorted(self: &Arc<Self>, place: &mut Option<SortedPlace>, bytes: usize) -> bool {
        let place = place.get_or_insert_with(|| SortedPlace { session: Arc::clone(self), bytes: 0 });
        let more = bytes.saturating_sub(place.bytes);
        place.bytes += more;
        self.sorted_bytes.fetch_add(more, Ordering::Relaxed) + more <= self.sorted_bytes_max
    }

    /// How many records of so many numbers may be sorted at a time.
    pub fn records_max(&self, numbers: usize) -> usize {
        self.sorted_bytes_max / record_bytes(numbers)
    }

    /// Whether all events may be put into an order by so many numbers each.
    pub fn sorts(&self, numbers: usize) -> bool {
        let bytes = (self.extent.messages as usize).saturating_mul(record_bytes(numbers));
        bytes < self.sorted_bytes_max
    }

    /// Takes a place for a scan to be read ahead, if there is one.
    pub fn take_ahead(self: &Arc<Self>) -> Option<AheadPlace> {
        let taken = self.ahead.fetch_add(1, Ordering::Relaxed);
        let place = AheadPlace(Arc::clone(self));
        (taken < AHEAD_MAX).then_some(place)
    }

    /// Takes hold of what is true now; from here on the tables have rows.
    pub fn take_moment(&self, store: &dyn Scans, workspace: WorkspaceId) -> Result<(), ReadError> {
        let moment = store.moment(workspace)?;
        let _ = self.moment.set(moment);
        Ok(())
    }

    /// The moment, once it was taken. A statement is compiled before that.
    pub fn moment(&self) -> Result<&Arc<dyn Moment>, QueryError> {
        self.moment.get().ok_or_else(|| QueryError::Internal("a table was read before its time".to_owned()))
    }

    /// A record by its id, at the moment.
    pub fn record(&self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Record>>, QueryError> {
        self.found.record(self.moment()?.as_ref(), kind, id)
    }

    /// Keeps why a table failed, and gives SQLite something to fail with.
    pub fn fail(&self, error: QueryError) -> rusqlite::Error {
        let says = error.to_string();
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        rusqlite::Error::ModuleError(says)
    }

    /// Why a table failed, if one did.
    pub fn failure(&self) -> Option<QueryError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
