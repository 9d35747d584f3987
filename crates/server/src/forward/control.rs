//! What a destination's thread is told, and what it tells.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use muster_model::time::Micros;
use muster_store::follow::Standing;
use parking_lot::{Condvar, Mutex};

use super::destination::Destination;

/// What the thread is told.
pub(super) struct Control {
    wish: Mutex<Wish>,
    told: Condvar,
}

/// What is wished of it.
#[derive(Clone)]
pub(super) struct Wish {
    pub destination: Arc<Destination>,
    pub stops: bool,
    /// Goes up with every change.
    pub changes: u64,
}

impl Control {
    pub(super) fn new(destination: Destination) -> Control {
        let wish = Wish { destination: Arc::new(destination), stops: false, changes: 0 };
        Control { wish: Mutex::new(wish), told: Condvar::new() }
    }

    pub(super) fn look(&self) -> Wish {
        self.wish.lock().clone()
    }

    /// The destination changes.
    pub(super) fn change(&self, destination: Destination) {
        let mut wish = self.wish.lock();
        wish.destination = Arc::new(destination);
        wish.changes += 1;
        self.told.notify_all();
    }

    /// Something is to be tried now that was to wait.
    pub(super) fn hurry(&self) {
        self.wish.lock().changes += 1;
        self.told.notify_all();
    }

    /// The thread is to end.
    pub(super) fn stop(&self) {
        let mut wish = self.wish.lock();
        wish.stops = true;
        wish.changes += 1;
        self.told.notify_all();
    }

    /// Whether anything was told since a look.
    pub(super) fn is_told(&self, since: &Wish) -> bool {
        self.wish.lock().changes != since.changes
    }

    /// Waits until something is told, or so long; whether something was.
    pub(super) fn sleep(&self, since: &Wish, at_most: Duration) -> bool {
        let until = Instant::now() + at_most;
        let mut wish = self.wish.lock();
        while wish.changes == since.changes {
            if self.told.wait_until(&mut wish, until).timed_out() {
                return wish.changes != since.changes;
            }
        }
        true
    }
}

/// What a destination is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// There is no thread for it.
    Stopped,
    /// Messages go out, or there are none.
    Delivering,
    /// The last try failed; the next one follows by itself.
    Retrying,
    /// It refuses what no message is to blame for; it is tried now and then.
    Blocked,
    /// It was told to rest.
    Paused,
}

impl Phase {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Phase::Stopped => "stopped",
            Phase::Delivering => "delivering",
            Phase::Retrying => "retrying",
            Phase::Blocked => "blocked",
            Phase::Paused => "paused",
        }
    }
}

/// What the thread tells.
#[derive(Default)]
pub(crate) struct Tally {
    pub sent: AtomicU64,
    pub refused: AtomicU64,
    pub filtered: AtomicU64,
    pub wordless: AtomicU64,
    pub failures: AtomicU64,
    said: Mutex<Said>,
}

/// How it stands.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub phase: Phase,
    /// Why it is not delivering; an answer's words may be in it.
    pub says: Option<String>,
    /// How far behind it is, once it was counted.
    pub standing: Option<Standing>,
    /// When the oldest message that it is not done with was received.
    pub oldest: Option<Micros>,
}

impl Default for Said {
    fn default() -> Self {
        Said { phase: Phase::Stopped, says: None, standing: None, oldest: None }
    }
}

impl Tally {
    pub(crate) fn said(&self) -> Said {
        self.said.lock().clone()
    }

    pub(super) fn say(&self, say: impl FnOnce(&mut Said)) {
        say(&mut self.said.lock());
    }

    /// The phase, and why. Whether that is another one than before.
    pub(super) fn enter(&self, phase: Phase, says: Option<String>) -> bool {
        let mut said = self.said.lock();
        let other = said.phase != phase;
        (said.phase, said.says) = (phase, says);
        other
    }

    pub(super) fn add(counter: &AtomicU64, more: u64) {
        counter.fetch_add(more, Relaxed);
    }
}
