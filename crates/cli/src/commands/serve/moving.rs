//! Moving to a cluster while the server goes on, as its operator asked.
//!
//! A thread hands everything over, then what comes meanwhile. When next to nothing is left it asks the server to stop serving; what is
//! left then goes over, and the server goes on with the cluster, or as before if that failed. Names no engine, and logs no address.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use muster_server::moves::{Moves, Stage, Standing, Wished};
use muster_store::{error::AdminError, transfer::Handed};
use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::Notify};

use crate::{
    assemble::moving::{Arrived, Leaving, NotMoved, Served},
    config::{cluster::Cluster, settings::Settings},
};

/// How long is waited for a move to end when the server does: it may be waiting for a server that says nothing.
const STOP_WITHIN: Duration = Duration::from_secs(10);
const STOP_LOOK: Duration = Duration::from_millis(10);

/// Moves of one server, which has had none at first.
pub struct Moving {
    settings: Settings,
    runtime: Handle,
    served: Mutex<Option<Served>>,
    inner: Mutex<Inner>,
    ready: Notify,
    /// The server is to end.
    stopping: AtomicBool,
}

struct Inner {
    standing: Standing,
    /// A move of which next to nothing is left, and where it goes.
    ready: Option<(Leaving, Cluster)>,
    thread: Option<JoinHandle<()>>,
}

impl Moving {
    /// `served` is nothing where everything is in a cluster already.
    pub fn new(settings: Settings, served: Option<Served>) -> Arc<Moving> {
        let standing = Standing { stage: Stage::None, handed: Handed::default() };
        Arc::new(Moving {
            settings,
            runtime: Handle::current(),
            served: Mutex::new(served),
            inner: Mutex::new(Inner { standing, ready: None, thread: None }),
            ready: Notify::new(),
            stopping: AtomicBool::new(false),
        })
    }

    /// Waits until next to nothing is left to be moved.
    pub async fn ready(&self) {
        self.ready.notified().await;
    }

    /// Hands over the rest of a move of which next to nothing was left, if there is one. Nothing is served meanwhile.
    pub fn end(&self) -> Option<(Arrived, Cluster)> {
        let (leaving, cluster) = self.inner.lock().ready.take()?;
        self.note(|standing| standing.stage = Stage::Switching);
        match leaving.end(&self.runtime) {
            Ok(arrived) => {
                *self.served.lock() = None;
                Some((arrived, cluster))
            }
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }

    /// The server goes on with the cluster.
    pub fn done(&self, handed: Handed) {
        self.note(|standing| *standing = Standing { stage: Stage::Moved, handed });
    }

    /// Ends what is under way: the server is about to end.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        let thread = {
            let mut inner = self.inner.lock();
            inner.ready = None;
            inner.thread.take()
        };
        let until = Instant::now() + STOP_WITHIN;
        while thread.as_ref().is_some_and(|thread| !thread.is_finished()) && Instant::now() < until {
            thread::sleep(STOP_LOOK);
        }
    }

    fn note(&self, change: impl FnOnce(&mut Standing)) {
        change(&mut self.inner.lock().standing);
    }

    fn fail(&self, error: NotMoved) {
        let (says, may_pass) = match error {
            NotMoved::Busy(says) => (says, true),
            NotMoved::Served => ("another process uses the directory".to_owned(), true),
            NotMoved::Failed(error) => (format!("{error:#}"), false),
        };
        tracing::error!(error = says, "everything stays where it is; the move came to nothing");
        self.note(|standing| standing.stage = Stage::Failed { says, may_pass });
    }

    /// Hands everything over until next to nothing is left.
    fn hand_over(&self, served: Served, cluster: Cluster) {
        let progress = |handed: &Handed, later: bool| {
            let stage = if later { Stage::Following } else { Stage::Copying };
            self.note(|standing| *standing = Standing { stage, handed: *handed });
            !self.stopping.load(Ordering::Acquire)
        };
        match Leaving::begin(served, (&cluster, &self.settings), &self.runtime, &progress) {
            Ok(leaving) => {
                self.inner.lock().ready = Some((leaving, cluster));
                self.ready.notify_one();
            }
            Err(error) => self.fail(error),
        }
    }
}

/// What may be asked of a server for its moves.
pub struct Asked(pub Arc<Moving>);

impl Moves for Asked {
    fn begin(&self, wished: Wished) -> Result<(), AdminError> {
        let moving = Arc::clone(&self.0);
        let served = moving.served.lock().clone().ok_or_else(|| {
            AdminError::NotFound("everything is in a cluster already; there is nothing to move".to_owned())
        })?;
        let Wished { state_url, journal_url, history_url, environment } = wished;
        let cluster = Cluster { state_url, journal_url, history_url, environment };
        let mut inner = self.0.inner.lock();
        if !matches!(inner.standing.stage, Stage::None | Stage::Failed { .. }) {
            return Err(AdminError::Exists("a move is under way".to_owned()));
        }
        let begin = move || moving.hand_over(served, cluster);
        let thread = thread::Builder::new().name("muster-move".to_owned()).spawn(begin);
        inner.thread = Some(thread.map_err(|error| AdminError::Failed(error.to_string()))?);
        inner.standing = Standing { stage: Stage::Copying, handed: Handed::default() };
        tracing::info!("everything is being moved into a cluster");
        Ok(())
    }

    fn standing(&self) -> Standing {
        self.0.inner.lock().standing.clone()
    }
}
