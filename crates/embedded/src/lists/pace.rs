//! How much of the time may be spent on what nobody asked for.
//!
//! A part of it, while messages come in; what was not spent is kept for a while. Whoever asks whether it is time is asked about
//! moments that only go forward. Never decides what is done, and looks at no clock.

use std::time::{Duration, Instant};

/// How much of the time that was not spent is not lost.
pub const SAVED: Duration = Duration::from_secs(5);

/// What may be spent.
#[derive(Debug)]
pub struct Pace {
    /// One in so many.
    share: u32,
    free_at: Instant,
}

impl Pace {
    /// One part in so many of the time from now on.
    pub fn new(share: u32, now: Instant) -> Pace {
        Pace { share, free_at: now }
    }

    /// Whether something may be done.
    pub fn is_free(&self, now: Instant) -> bool {
        self.free_at <= now
    }

    /// Notes how long it took.
    pub fn took(&mut self, began: Instant, took: Duration) {
        let saved = began.checked_sub(SAVED).unwrap_or(began);
        self.free_at = self.free_at.max(saved) + took * self.share;
    }
}
