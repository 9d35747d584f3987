//! What the tables of one query share: the moment they read from, when to stop, and what went wrong in one of them.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

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

/// One query's view of its workspace.
pub struct Session {
    pub ids: IdSpace,
    pub extent: Extent,
    pub stop: Stop,
    pub names: TraitNames,
    moment: OnceLock<Arc<dyn Moment>>,
    failure: Mutex<Option<QueryError>>,
}

impl Session {
    pub fn new(store: &dyn Scans, workspace: (WorkspaceId, &str), names: TraitNames, stop: Stop) -> Session {
        let extent = store.extent(workspace.0);
        let (moment, failure) = (OnceLock::new(), Mutex::new(None));
        Session { ids: IdSpace::new(workspace.1), extent, stop, names, moment, failure }
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
