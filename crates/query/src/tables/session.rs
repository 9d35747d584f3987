//! What the tables of one query share: the moment they read from, when to stop, and what went wrong in one of them.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use muster_model::id::{IdSpace, WorkspaceId};
use muster_store::{
    error::ReadError,
    scan::{Extent, Moment, Scans},
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
    /// Scans that are read ahead.
    ahead: AtomicUsize,
}

/// A place for a scan that is read ahead; free again when this is dropped.
pub struct AheadPlace(Arc<Session>);

impl Drop for AheadPlace {
    fn drop(&mut self) {
        self.0.ahead.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Session {
    pub fn new(store: &dyn Scans, workspace: (WorkspaceId, &str), names: TraitNames, stop: Stop) -> Session {
        let extent = store.extent(workspace.0);
        let (moment, failure) = (OnceLock::new(), Mutex::new(None));
        Session { ids: IdSpace::new(workspace.1), extent, stop, names, moment, failure, ahead: AtomicUsize::new(0) }
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
