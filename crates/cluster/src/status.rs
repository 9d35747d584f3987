//! The engine as operators see it: health, figures, sizes, and its end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use muster_model::id::WorkspaceId;
use muster_store::{
    Answer,
    error::ReadError,
    status::{Figures, Health, Records, Size, Status},
};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::{
    applier::Appliers,
    archive::keeper::Keeper,
    cluster::{Cluster, Inner},
    fault::Fault,
    fold::{census::Census, plan::Counts},
    roster,
    sql::connection::Transaction,
};

/// Longest wait for what is on its way when the engine closes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);
const CLOSE_LOOK: Duration = Duration::from_millis(5);
const STRUCK_WITHIN: Duration = Duration::from_secs(1);

/// What is counted, and what is known of workspaces.
#[derive(Default)]
pub struct Counters {
    counted: Mutex<Counted>,
    census: Mutex<FxHashMap<WorkspaceId, Census>>,
    unreachable: AtomicBool,
    /// Lanes that cannot be folded in, and why.
    hindered: Mutex<FxHashMap<u32, String>>,
}

#[derive(Default)]
struct Counted {
    counts: Counts,
    groups: u64,
    busy: Duration,
}

impl Counters {
    /// A group was folded in.
    pub fn folded(&self, counts: Counts, took: Duration) {
        let mut counted = self.counted.lock();
        counted.counts.add(counts);
        counted.groups += 1;
        counted.busy += took;
    }

    /// What is known of all workspaces, for [`Counters::take_census`] by a transaction that begins afterwards.
    pub fn known(&self) -> FxHashMap<WorkspaceId, Census> {
        self.census.lock().clone()
    }

    /// Takes in what all workspaces come to. What this node has folded in since before is news that the transaction does not see.
    pub fn take_census(
        &self,
        transaction: &mut Transaction<'_>,
        before: &FxHashMap<WorkspaceId, Census>,
    ) -> Result<(), Fault> {
        let all = Census::all(transaction)?;
        let mut known = self.census.lock();
        for census in all {
            let workspace = WorkspaceId(census.workspace as u32);
            let held = known.get(&workspace);
            if held == before.get(&workspace) || held.is_none_or(|held| held.arrived < census.arrived) {
                known.insert(workspace, census);
            }
        }
        Ok(())
    }

    /// What workspaces come to by now.
    pub fn note(&self, censuses: Vec<Census>) {
        let mut known = self.census.lock();
        known.extend(censuses.into_iter().map(|census| (WorkspaceId(census.workspace as u32), census)));
    }

    /// What a workspace comes to, as far as this node knows.
    pub fn census(&self, workspace: WorkspaceId) -> Census {
        self.census.lock().get(&workspace).copied().unwrap_or_default()
    }

    /// Whether PostgreSQL answers.
    pub fn reachable(&self, is: bool) {
        self.unreachable.store(!is, Ordering::Release);
    }

    /// A lane cannot be folded in, or can again.
    pub fn hinder(&self, lane: u32, why: Option<String>) {
        let mut hindered = self.hindered.lock();
        match why {
            Some(why) => drop(hindered.insert(lane, why)),
            None => drop(hindered.remove(&lane)),
        }
    }
}

impl Status for Cluster {
    fn health(&self) -> Health {
        let counters = &self.inner.counters;
        if !self.inner.stream.is_connected() {
            return Health::Hindered { reason: "JetStream cannot be reached".to_owned() };
        }
        // What is taken is safe without it, and is folded in once it is back.
        if self.inner.options.takes {
            return Health::Ready;
        }
        if counters.unreachable.load(Ordering::Acquire) {
            return Health::Hindered { reason: "PostgreSQL cannot be reached".to_owned() };
        }
        let hindered = counters.hindered.lock().values().next().cloned();
        hindered.map_or(Health::Ready, |reason| Health::Hindered { reason })
    }

    fn figures(&self) -> Figures {
        let counted = self.inner.counters.counted.lock();
        let (queued_batches, queued_bytes) = self.inner.intake.waiting();
        let Counts { stored, duplicates, conflicts, deleted, refused } = counted.counts;
        Figures {
            stored,
            duplicates,
            conflicts,
            refused,
            deleted,
            groups: counted.groups,
            sync_micros: counted.busy.as_micros() as u64,
            queued_batches: queued_batches as u64,
            queued_bytes: queued_bytes as u64,
            ..Figures::default()
        }
    }

    fn sizes(&self) -> Vec<(WorkspaceId, Size)> {
        let census = self.inner.counters.census.lock();
        let size = |id: WorkspaceId, census: &Census| Size {
            messages: census.messages as u64,
            history_bytes: self.inner.archive.bytes(id),
        };
        census.iter().map(|(id, census)| (*id, size(*id, census))).collect()
    }

    fn records(&self, workspace: WorkspaceId) -> Option<Records> {
        use muster_model::kind::RecordKind::{Account, Organization, User};
        let census = self.inner.counters.census(workspace);
        let [organizations, accounts, users] = [Organization, Account, User].map(|kind| census.of(kind));
        Some(Records { organizations, accounts, users })
    }

    fn close(&self) -> Answer<'_, (), ReadError> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let handle = inner.handle.clone();
            // A runtime that is gone was closed before.
            let _ = handle.spawn(async move { end(&inner).await }).await;
            Ok(())
        })
    }
}

/// Takes nothing more, waits for what is on its way, and ends the threads.
pub async fn end(inner: &Arc<Inner>) {
    let already = inner.intake.close();
    let until = tokio::time::Instant::now() + CLOSE_TIMEOUT;
    while inner.intake.waiting().0 > 0 && tokio::time::Instant::now() < until {
        tokio::time::sleep(CLOSE_LOOK).await;
    }
    inner.closing.store(true, Ordering::Release);
    let (appliers, keeper) = (inner.appliers.lock().take(), inner.keeper.lock().take());
    if !already {
        let stop = move || {
            appliers.into_iter().for_each(Appliers::stop);
            keeper.into_iter().for_each(Keeper::stop);
        };
        // A panic in there has been told.
        let _ = tokio::task::spawn_blocking(stop).await;
        if inner.options.serves {
            let node = inner.node;
            let struck = inner.pool.ask(move |connection| roster::strike(connection, node));
            // Without a word it counts as gone a little later.
            let _ = tokio::time::timeout(STRUCK_WITHIN, struck).await;
        }
    }
}
