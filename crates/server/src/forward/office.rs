//! All destinations.
//!
//! What a destination is stands with its follower in the store; here are the threads. A change is durable before it
//! counts. Without threads, as beside a command that works on a directory of its own, destinations can be managed all the
//! same.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use muster_model::id::WorkspaceId;
use muster_store::{
    Store,
    clock::Clock,
    error::AdminError,
    follow::{Follower, FollowerId, NewFollower, Start, unknown},
};
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;

use crate::query::tail::is_tail;

use super::{
    control::{Control, Phase, Said, Tally},
    courier::Courier,
    destination::{Destination, Origin, Wanted, parse_start},
    pause::Retries,
};

/// How long threads may take to end; one that waits for an answer is left to itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// A destination of the settings file.
#[derive(Clone, Debug, Default)]
pub struct Configured {
    pub workspace: String,
    pub name: String,
    /// `now` or `start`; where it begins when it is new.
    pub from: Option<String>,
    pub wanted: Wanted,
}

/// The destinations of a server.
pub struct Office {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    retries: Retries,
    organization_trait: String,
    runs: AtomicBool,
    desks: Mutex<BTreeMap<FollowerId, Desk>>,
    /// Threads ended by a panic, and other tasks.
    pub(crate) panics: Counter,
}

/// A destination's thread.
struct Desk {
    control: Arc<Control>,
    tally: Arc<Tally>,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
}

/// A destination as it stands.
pub(crate) struct Shown {
    pub follower: Follower,
    pub destination: Destination,
    pub tally: Arc<Tally>,
    pub said: Said,
    pub letters: u64,
    pub pending: u64,
    pub lag_seconds: u64,
}

impl Office {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        retries: Retries,
        organization_trait: &str,
    ) -> Office {
        Office {
            store,
            clock,
            retries,
            organization_trait: organization_trait.to_owned(),
            runs: AtomicBool::new(false),
            desks: Mutex::default(),
            panics: Counter::default(),
        }
    }

    /// Starts the threads of all destinations.
    pub(crate) fn start(&self) {
        self.runs.store(true, Ordering::Release);
        for follower in self.store.followers() {
            self.open(&follower);
        }
    }

    /// Has all threads end, and waits a little for them.
    pub(crate) fn stop(&self) {
        self.runs.store(false, Ordering::Release);
        let desks = std::mem::take(&mut *self.desks.lock());
        for (id, desk) in &desks {
            desk.control.stop();
            self.store.wake_follower(*id);
        }
        let until = Instant::now() + STOP_TIMEOUT;
        for desk in desks.values() {
            let left = until.saturating_duration_since(Instant::now());
            if desk.ended.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
                tracing::info!("a destination has not answered yet; what was sent to it is sent again after the start");
            }
        }
    }

    /// Starts the thread of a destination.
    fn open(&self, follower: &Follower) {
        if is_tail(&follower.settings) {
            return;
        }
        let Some(destination) = Destination::read(&follower.settings) else {
            tracing::error!(destination = follower.id.0, "a destination is kept in a form that is not known here");
            return;
        };
        if !self.runs.load(Ordering::Acquire) {
            return;
        }
        let tally = Arc::new(Tally::default());
        // From here on there is a thread for it, though it may not have had its first turn yet.
        tally.enter(if destination.paused { Phase::Paused } else { Phase::Delivering }, None);
        let control = Arc::new(Control::new(destination));
        let (ending, ended) = mpsc::channel();
        let courier = Courier {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            follower: follower.clone(),
            control: Arc::clone(&control),
            tally: Arc::clone(&tally),
            retries: self.retries,
            organization_trait: self.organization_trait.clone(),
        };
        let witness = Witness { tally: Arc::clone(&tally), panics: self.panics.clone(), _ending: ending };
        let thread = thread::Builder::new().name(format!("to-{}", follower.name)).spawn(move || {
            let _witness = witness;
            courier.run();
        });
        match thread {
            Ok(_) => drop(self.desks.lock().insert(follower.id, Desk { control, tally, ended })),
            Err(error) => {
                tracing::error!(destination = follower.id.0, %error, "a destination's thread could not be started");
            }
        }
    }

    /// The names of all workspaces.
    pub(super) fn workspace_names(&self) -> BTreeMap<WorkspaceId, String> {
        self.store.workspaces().into_iter().map(|workspace| (workspace.id, workspace.name)).collect()
    }

    /// All destinations, oldest first.
    pub(crate) fn all(&self) -> Vec<Shown> {
        self.store.followers().into_iter().filter_map(|follower| self.shown(follower)).collect()
    }

    /// One destination of a workspace.
    pub(crate) fn find(&self, workspace: WorkspaceId, name: &str) -> Result<Shown, AdminError> {
        let followers = self.store.followers().into_iter();
        let mut named = followers.filter(|follower| follower.workspace == workspace && follower.name == name);
        named.next().and_then(|follower| self.shown(follower)).ok_or_else(unknown)
    }

    fn shown(&self, follower: Follower) -> Option<Shown> {
        let destination = Destination::read(&follower.settings)?;
        let tally = self.desks.lock().get(&follower.id).map(|desk| Arc::clone(&desk.tally)).unwrap_or_default();
        let mut said = tally.said();
        if said.phase == Phase::Stopped {
            // No thread tells how it stands.
            said.standing = None;
        }
        let count = || self.store.follow(follower.id).and_then(|mut following| following.standing());
        let standing = said.standing.unwrap_or_else(|| count().unwrap_or_default());
        // What it was just told its thread hears in a moment.
        said.phase = match (destination.paused, said.phase) {
            (true, _) => Phase::Paused,
            (false, Phase::Paused) => Phase::Delivering,
            (false, phase) => phase,
        };
        let since = self.store.accepted(follower.workspace).saturating_sub(standing.accepted);
        let pending = standing.pending + since;
        let behind = said.oldest.map_or(0, |oldest| self.clock.now().0.saturating_sub(oldest.0));
        let lag_seconds = u64::try_from(behind / 1_000_000).unwrap_or(0);
        let letters = self.store.letter_count(follower.id);
        Some(Shown { follower, destination, tally, said, letters, pending, lag_seconds })
    }

    /// Makes a destination.
    pub(crate) async fn create(
        &self,
        workspace: WorkspaceId,
        name: &str,
        destination: &Destination,
        start: Start,
    ) -> Result<Shown, AdminError> {
        let (name, settings) = (name.to_owned(), destination.kept());
        let new = NewFollower { workspace, name, settings, start, created_at: self.clock.now() };
        let follower = self.store.add_follower(new).await?;
        self.open(&follower);
        self.shown(follower).ok_or_else(unknown)
    }

    /// Changes a destination; it is tried at once.
    pub(crate) async fn change(&self, id: FollowerId, destination: Destination) -> Result<Shown, AdminError> {
        let follower = self.store.change_follower(id, destination.kept()).await?;
        if let Some(desk) = self.desks.lock().get(&id) {
            desk.control.change(destination);
        }
        self.store.wake_follower(id);
        self.shown(follower).ok_or_else(unknown)
    }

    /// Ends a destination, with everything that waits for it.
    pub(crate) async fn remove(&self, id: FollowerId) -> Result<(), AdminError> {
        if let Some(desk) = self.desks.lock().remove(&id) {
            desk.control.stop();
        }
        self.store.wake_follower(id);
        self.store.remove_follower(id).await
    }

    /// Something waits that was not there before, such as letters that are due.
    pub(crate) fn hurry(&self, id: FollowerId) {
        if let Some(desk) = self.desks.lock().get(&id) {
            desk.control.hurry();
        }
        self.store.wake_follower(id);
    }

    /// Brings the destinations of the settings file to what it says: new ones are made, those that are not in it any more
    /// end. What was paused over the API stays so. The sentence says what is wrong, and where.
    pub(crate) async fn configure(&self, configured: Vec<Configured>) -> Result<(), String> {
        let mut named = Vec::new();
        for one in configured {
            let told = |says: &str| format!("the destination {} of the settings file: {says}", one.name);
            let workspace = self.store.workspaces().into_iter().find(|known| known.name == one.workspace);
            let workspace = workspace.ok_or_else(|| {
                told(&format!(
                    "there is no workspace {0}; `muster keys create --workspace {0}` makes it",
                    one.workspace
                ))
            })?;
            let start =
                parse_start(one.from.as_deref().unwrap_or("now")).map_err(|says| told(&format!("from {says}")))?;
            let mut destination = Destination::new(one.wanted.clone(), Origin::File)
                .map_err(|fault| told(&format!("{} {}", fault.field, fault.says)))?;
            let failed = |error: AdminError| told(&error.to_string());
            let place = (workspace.id, one.name.clone());
            if named.contains(&place) {
                return Err(told("it stands there twice"));
            }
            match self.find(workspace.id, &one.name) {
                Err(_) => drop(self.create(workspace.id, &one.name, &destination, start).await.map_err(failed)?),
                Ok(known) => {
                    destination.paused = known.destination.paused;
                    if known.destination != destination {
                        self.change(known.follower.id, destination).await.map_err(failed)?;
                    }
                }
            }
            named.push(place);
        }
        for known in self.all().into_iter().filter(|known| known.destination.origin == Origin::File) {
            if !named.contains(&(known.follower.workspace, known.follower.name.clone())) {
                tracing::info!(destination = known.follower.id.0, "a destination is not in the settings file any more");
                self.remove(known.follower.id).await.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }
}

/// Notices how a thread ends.
struct Witness {
    tally: Arc<Tally>,
    panics: Counter,
    _ending: mpsc::Sender<()>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.tally.enter(Phase::Stopped, None);
        if thread::panicking() {
            self.panics.inc();
            tracing::error!("a destination's thread panicked and was ended; this is a defect, please report it");
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_model::time::Micros;
    use muster_store::{clock::ManualClock, credentials::NewKey, memory::MemoryStore};

    use super::*;

    /// An office over a store with a workspace, in which destinations go to where nobody listens.
    async fn office(runs: bool) -> (Office, WorkspaceId) {
        let store = Arc::new(MemoryStore::new());
        let new = NewKey {
            workspace_name: "w".to_owned(),
            name: "test".to_owned(),
            scopes: muster_store::credentials::Scopes::ALL,
            token_hash: crate::keys::Token::from_text("a-token-of-a-test").unwrap().hash(),
            created_at: Micros(0),
        };
        let key = muster_store::credentials::Credentials::create_key(&*store, new).await.unwrap();
        let office = Office::new(store, Arc::new(ManualClock::new(Micros(0))), Retries::default(), "isOrganization");
        if runs {
            office.start();
        }
        (office, key.workspace.id)
    }

    async fn made(office: &Office, workspace: WorkspaceId, name: &str, paused: bool) -> (Phase, u64) {
        let wanted = Wanted {
            kind: "webhook".to_owned(),
            url: Some("http://127.0.0.1:1/".to_owned()),
            paused,
            ..Wanted::default()
        };
        let destination = Destination::new(wanted, Origin::Api).unwrap();
        let shown = office.create(workspace, name, &destination, Start::Now).await.unwrap();
        (shown.said.phase, shown.pending)
    }

    #[tokio::test]
    async fn what_was_just_made_is_told_as_it_stands() {
        let (office, workspace) = office(true).await;
        for n in 0..15 {
            assert_eq!(made(&office, workspace, &format!("d{n}"), false).await, (Phase::Delivering, 0), "{n}");
        }
        assert_eq!(made(&office, workspace, "resting", true).await, (Phase::Paused, 0));
        office.stop();
        assert_eq!(office.find(workspace, "d0").map(|shown| shown.said.phase).ok(), Some(Phase::Stopped));
        let (idle, workspace) = self::office(false).await;
        assert_eq!(made(&idle, workspace, "d", false).await, (Phase::Stopped, 0), "there is no thread for it");
    }
}
