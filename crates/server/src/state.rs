//! What all requests share.
//!
//! Cheap to clone; everything in it is made once when the server starts and is safe to use from every thread. Holds no
//! customer's data: that stays in the store.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use muster_store::{Store, clock::Clock, credentials::TokenHash};
use tokio::sync::{Mutex, Semaphore};

use crate::{
    deletions::waiting::Waiting,
    docs::Pages,
    feed::Feed,
    forward::{Configured, Office},
    imports::turns::Turns,
    ingest::Budget,
    keys::{LastUsed, Limiter, Pace, password::Passwords},
    metrics::Metrics,
    moves::Moves,
    query::tail::Seats,
    settings::ServerSettings,
    ui::{RefusedCounts, Warmed, admin::Samples},
};

/// The store, the clock, the settings, and the counters that bound the work under way.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

/// The parts of [`AppState`], for this crate alone.
pub struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: ServerSettings,
    /// Bytes of bodies in memory, all requests together.
    pub(crate) budget: Budget,
    /// Places for decompressing and parsing large bodies.
    pub(crate) heavy_jobs: Arc<Semaphore>,
    /// Places for queries that run.
    pub(crate) queries: Arc<Semaphore>,
    /// Held while a key is made, so that a workspace is not made twice.
    pub(crate) making_keys: Mutex<()>,
    /// Held while an import is given its number.
    pub(crate) importing: Mutex<()>,
    /// In which order parts of imports reach the journal.
    pub(crate) turns: Turns,
    /// Who follows which export.
    pub(crate) seats: Seats,
    /// Which deletions wait for their day.
    pub(crate) waiting: Waiting,
    /// Requests of each key.
    pub(crate) limiter: Limiter,
    /// When refusals are given.
    pub(crate) pace: Pace,
    /// When each key was last used.
    pub(crate) last_used: LastUsed,
    /// Who watches messages arrive.
    pub(crate) feed: Arc<Feed>,
    /// How often passwords are tried.
    pub(crate) passwords: Passwords,
    /// How the server did in the last day.
    pub(crate) samples: Samples,
    /// Where a search finds everything in memory.
    pub(crate) warmed: Warmed,
    /// How many messages are refused, and why.
    pub(crate) refused_counts: RefusedCounts,
    pub(crate) metrics: Arc<Metrics>,
    /// Where messages go on to.
    pub(crate) office: Arc<Office>,
    /// Whoever can move everything elsewhere, if anybody can.
    pub(crate) moves: OnceLock<Arc<dyn Moves>>,
    /// The API document, rendered when the router is made.
    pub(crate) pages: OnceLock<Pages>,
    /// The hash of the operator's token, if there is one.
    pub(crate) operator: Option<TokenHash>,
    /// Set once the server was asked to stop.
    draining: AtomicBool,
}

impl AppState {
    /// The state of one server. The settings should have passed [`ServerSettings::check`].
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, settings: ServerSettings) -> AppState {
        let trait_name = &settings.organization_trait;
        let office = Office::new(Arc::clone(&store), Arc::clone(&clock), settings.retries, trait_name);
        let office = Arc::new(office);
        let metrics = Arc::new(Metrics::new(Arc::clone(&store), Arc::clone(&office)));
        AppState(Arc::new(Shared {
            budget: Budget::new(settings.in_flight_bytes_max, metrics.in_flight_bytes.clone()),
            heavy_jobs: Arc::new(Semaphore::new(settings.heavy_jobs_max.max(1))),
            queries: Arc::new(Semaphore::new(settings.queries_max.max(1))),
            seats: Seats::default(),
            limiter: Limiter::new(settings.requests_per_minute),
            pace: Pace::default(),
            making_keys: Mutex::default(),
            importing: Mutex::new(()),
            turns: Turns::default(),
            waiting: Waiting::default(),
            last_used: LastUsed::default(),
            samples: Samples::default(),
            warmed: Warmed::default(),
            refused_counts: RefusedCounts::default(),
            passwords: Passwords::default(),
            feed: Arc::new(Feed::default()),
            office,
            moves: OnceLock::new(),
            pages: OnceLock::new(),
            operator: settings.operator_token.as_ref().map(crate::keys::Token::hash),
            draining: AtomicBool::new(false),
            store,
            clock,
            settings,
            metrics,
        }))
    }

    /// Has everything be moved elsewhere by this when the operator asks. Counts once.
    pub fn moved_by(&self, moves: Arc<dyn Moves>) {
        let _ = self.moves.set(moves);
    }

    /// Brings the destinations of the settings file to what it says.
    ///
    /// # Errors
    /// A sentence that says what is wrong with which of them.
    pub async fn configure_destinations(&self, configured: Vec<Configured>) -> Result<(), String> {
        self.office.configure(configured).await
    }

    /// Says in `/readyz` from now on that this process is about to end.
    pub(crate) fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.waiting.wake.notify_one();
    }

    /// Whether the server was asked to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

impl std::ops::Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
