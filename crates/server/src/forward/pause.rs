//! How long to wait: after a failure, and between messages.

use std::{num::NonZeroU32, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use rand::Rng;

/// Waits after failures: from the first one on twice as long each time, up to the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    pub first: Duration,
    pub longest: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Retries { first: Duration::from_secs(1), longest: Duration::from_secs(300) }
    }
}

impl Retries {
    /// The wait after so many failures in a row, the first being 1: between half of it and all of it, by chance, so that
    /// many who failed together do not come back together.
    pub(super) fn wait(&self, failures: u32) -> Duration {
        let doubled = self.first.saturating_mul(1 << failures.saturating_sub(1).min(20));
        doubled.min(self.longest).mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}

/// Messages a second.
pub(super) struct Rate {
    limiter: RateLimiter<NotKeyed, InMemoryState, DefaultClock, NoOpMiddleware>,
    clock: DefaultClock,
    at_once: u32,
}

impl Rate {
    pub(super) fn new(messages_per_second: u32) -> Rate {
        let rate = NonZeroU32::new(messages_per_second).unwrap_or(NonZeroU32::MIN);
        Rate {
            limiter: RateLimiter::direct(Quota::per_second(rate)),
            clock: DefaultClock::default(),
            at_once: rate.get(),
        }
    }

    /// Takes places for messages, as many as there are at once; the rest, and how long to wait for it.
    pub(super) fn take(&self, messages: u32) -> Option<(u32, Duration)> {
        let part = messages.min(self.at_once);
        let wanted = NonZeroU32::new(part)?;
        match self.limiter.check_n(wanted) {
            Ok(Ok(())) if part == messages => None,
            Ok(Ok(())) => Some((messages - part, Duration::ZERO)),
            Ok(Err(until)) => Some((messages, until.wait_time_from(self.clock.now()))),
            Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_differ() {
        let retries = Retries::default();
        for (failures, most) in [(1, 1), (2, 2), (5, 16), (9, 256), (10, 300), (4_000, 300)] {
            let most = Duration::from_secs(most);
            for _ in 0..20 {
                let wait = retries.wait(failures);
                assert!(wait >= most / 2 && wait <= most, "{failures}: {wait:?}");
            }
        }
        assert!((0..20).map(|_| retries.wait(9)).any(|wait| wait != retries.wait(9)));
    }

    #[test]
    fn a_rate_lets_so_many_through_and_no_more() {
        let rate = Rate::new(100);
        assert_eq!(rate.take(60), None);
        let (left, wait) = rate.take(60).expect("only 40 are left");
        assert!(left == 60 && wait > Duration::ZERO && wait <= Duration::from_secs(1));
        let (left, _) = Rate::new(2).take(5).expect("two at once");
        assert_eq!(left, 3);
    }
}
