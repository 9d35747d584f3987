//! All messages set aside, counted by reason.
//!
//! So many are counted while a page waits, which in most workspaces are all of them. Where there are more, the rest is
//! counted beside the requests, once at a time for each workspace, and pages show what was counted last until then, with
//! the time; the first of them show how far it has come. What is kept are groups, never messages.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use muster_model::{id::WorkspaceId, time::Micros};

use super::{groups::Groups, walk::Walk};
use crate::{error::ApiError, state::AppState};

/// Messages that are counted while a page waits.
const AT_ONCE_MAX: usize = 5_000;
/// How long a count stands for what there is now.
const FRESH_MICROS: i64 = 10_000_000;
/// Workspaces whose counts are kept.
const WORKSPACES_MAX: usize = 64;

/// Counts of workspaces that have many.
#[derive(Default)]
pub(crate) struct Counts(Mutex<HashMap<WorkspaceId, Kept>>);

#[derive(Default)]
struct Kept {
    /// What was counted last, and when that was begun.
    whole: Option<(Micros, Arc<Groups>)>,
    /// What is being counted.
    under_way: Option<Arc<Mutex<Groups>>>,
}

/// What a page shows.
pub(super) enum Counted {
    /// All there are.
    Now(Groups),
    /// All there were then.
    At(Micros, Arc<Groups>),
    /// Those met so far.
    SoFar(Groups),
}

impl Counted {
    /// The groups.
    pub(super) fn groups(&self) -> &Groups {
        match self {
            Counted::Now(groups) | Counted::SoFar(groups) => groups,
            Counted::At(_, groups) => groups,
        }
    }
}

impl Counts {
    /// The messages of a workspace, as far as that can be said at once.
    pub(super) async fn of(&self, state: &AppState, workspace: WorkspaceId) -> Result<Counted, ApiError> {
        let (mut walk, mut groups) = (Walk::begin(workspace, None)?, Groups::default());
        while walk.met < AT_ONCE_MAX {
            let Some(piece) = walk.next(state).await? else { return Ok(Counted::Now(groups)) };
            piece.iter().for_each(|sketch| groups.add(sketch));
        }
        if walk.place().is_none() {
            return Ok(Counted::Now(groups));
        }
        Ok(self.go_on(state, workspace, walk, groups))
    }

    /// Forgets what was counted, because it is known to have changed.
    pub(super) fn forget(&self, workspace: WorkspaceId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&workspace);
    }

    fn go_on(&self, state: &AppState, workspace: WorkspaceId, walk: Walk, groups: Groups) -> Counted {
        let now = state.clock.now();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= WORKSPACES_MAX && !all.contains_key(&workspace) {
            // Whose count is the oldest comes last.
            let oldest = all.iter().min_by_key(|(_, kept)| kept.whole.as_ref().map(|(at, _)| *at)).map(|(id, _)| *id);
            oldest.map(|id| all.remove(&id));
        }
        let kept = all.entry(workspace).or_default();
        let is_fresh = kept.whole.as_ref().is_some_and(|(at, _)| now.0.saturating_sub(at.0) < FRESH_MICROS);
        if !is_fresh && kept.under_way.is_none() {
            let under_way = Arc::new(Mutex::new(groups));
            kept.under_way = Some(Arc::clone(&under_way));
            let counting = count(state.clone(), workspace, walk, (now, under_way));
            crate::spawn::spawn("count refused", &state.metrics, counting);
        }
        match (&kept.whole, &kept.under_way) {
            (Some((at, groups)), _) => Counted::At(*at, Arc::clone(groups)),
            (None, Some(groups)) => Counted::SoFar(groups.lock().unwrap_or_else(PoisonError::into_inner).clone()),
            (None, None) => Counted::SoFar(Groups::default()),
        }
    }

    /// Keeps a whole count, unless it was forgotten meanwhile; of one that failed nothing.
    fn keep(&self, workspace: WorkspaceId, (began, counted): (Micros, &Arc<Mutex<Groups>>), is_whole: bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kept) = all.get_mut(&workspace) else { return };
        if !kept.under_way.as_ref().is_some_and(|under_way| Arc::ptr_eq(under_way, counted)) {
            return;
        }
        kept.under_way = None;
        if is_whole {
            let groups = std::mem::take(&mut *counted.lock().unwrap_or_else(PoisonError::into_inner));
            kept.whole = Some((began, Arc::new(groups)));
        }
    }
}

/// Counts the rest.
async fn count(state: AppState, workspace: WorkspaceId, mut walk: Walk, (began, groups): (Micros, Arc<Mutex<Groups>>)) {
    let is_whole = loop {
        match walk.next(&state).await {
            Ok(Some(piece)) => {
                let mut groups = groups.lock().unwrap_or_else(PoisonError::into_inner);
                piece.iter().for_each(|sketch| groups.add(sketch));
            }
            Ok(None) => break true,
            Err(error) => {
                error.log();
                break false;
            }
        }
        if state.is_draining() {
            break false;
        }
    };
    state.refused_counts.keep(workspace, (began, &groups), is_whole);
}
