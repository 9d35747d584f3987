//! Waiting until there is nothing left to do in the background, and leaving it time in between.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Counts what was asked for and what is done.
#[derive(Debug, Default)]
pub struct Idle {
    counts: Mutex<Counts>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Counts {
    asked: u64,
    done: u64,
    ended: bool,
    /// Who waits.
    waiting: u64,
    /// The store closes.
    hurried: bool,
}

impl Idle {
    /// There is something more to do.
    pub fn ask(&self) {
        self.counts.lock().asked += 1;
    }

    /// How often something was asked for so far.
    pub fn asked(&self) -> u64 {
        self.counts.lock().asked
    }

    /// Everything that was asked for by then is done.
    pub fn done(&self, asked: u64) {
        self.counts.lock().done = asked;
        self.changed.notify_all();
    }

    /// Nothing more will be done.
    pub fn end(&self) {
        self.counts.lock().ended = true;
        self.changed.notify_all();
    }

    /// Blocks for a while, unless somebody waits for what is to be done, or the store closes.
    pub fn rest(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut counts = self.counts.lock();
        while counts.waiting == 0 && !counts.hurried {
            if self.changed.wait_until(&mut counts, until).timed_out() {
                return;
            }
        }
    }

    /// Nobody rests any more.
    pub fn hurry(&self) {
        self.counts.lock().hurried = true;
        self.changed.notify_all();
    }

    /// Blocks until everything asked for so far is done, or nothing more will be.
    pub fn wait(&self) {
        let mut counts = self.counts.lock();
        let asked = counts.asked;
        counts.waiting += 1;
        self.changed.notify_all();
        while counts.done < asked && !counts.ended {
            self.changed.wait(&mut counts);
        }
        counts.waiting -= 1;
    }
}
