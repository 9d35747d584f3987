//! How many requests a key may make.
//!
//! A token bucket per key, as large as the number of requests allowed in a minute and refilled evenly. It starts full
//! when the process starts; it is not shared between processes.

use std::num::NonZeroU32;

use axum::http::{HeaderMap, HeaderValue};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DefaultKeyedStateStore,
};

const WINDOW_SECONDS: u64 = 60;

/// Counts the requests of every key.
pub(crate) struct Limiter {
    buckets: RateLimiter<u64, DefaultKeyedStateStore<u64>, DefaultClock, StateInformationMiddleware>,
    clock: DefaultClock,
    limit: NonZeroU32,
    limit_header: HeaderValue,
}

/// What is left for a key after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub remaining: u32,
    /// Seconds until the bucket is full again.
    pub reset_seconds: u64,
    /// Whether this request is one too many, and the seconds after which another will be let through.
    pub retry_after_seconds: Option<u64>,
}

impl Limiter {
    /// So many requests a minute for each key.
    pub(crate) fn new(requests_per_minute: u32) -> Limiter {
        let limit = NonZeroU32::new(requests_per_minute).unwrap_or(NonZeroU32::MIN);
        let header = format!("{limit}, {limit};window={WINDOW_SECONDS}");
        Limiter {
            buckets: RateLimiter::keyed(Quota::per_minute(limit)).with_middleware(),
            clock: DefaultClock::default(),
            limit,
            limit_header: HeaderValue::try_from(header).expect("digits and punctuation make a header value"),
        }
    }

    /// Counts one request of a key.
    pub(crate) fn count(&self, key_id: u64) -> Allowance {
        let (remaining, retry_after_seconds) = match self.buckets.check_key(&key_id) {
            Ok(state) => (state.remaining_burst_capacity(), None),
            Err(until) => {
                let wait = until.wait_time_from(self.clock.now());
                (0, Some(wait.as_secs_f64().ceil().max(1.0) as u64))
            }
        };
        let used = u64::from(self.limit.get() - remaining.min(self.limit.get()));
        let reset_seconds = (used * WINDOW_SECONDS).div_ceil(u64::from(self.limit.get()));
        Allowance { remaining, reset_seconds, retry_after_seconds }
    }

    /// Tells the client what is left.
    pub(crate) fn tell(&self, allowance: Allowance, headers: &mut HeaderMap) {
        headers.insert("ratelimit-limit", self.limit_header.clone());
        headers.insert("ratelimit-remaining", HeaderValue::from(allowance.remaining));
        headers.insert("ratelimit-reset", HeaderValue::from(allowance.reset_seconds));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_bucket() {
        let limiter = Limiter::new(3);
        let first: Vec<Allowance> = (0..4).map(|_| limiter.count(1)).collect();
        let left: Vec<u32> = first.iter().map(|allowance| allowance.remaining).collect();
        assert_eq!(left, [2, 1, 0, 0]);
        assert_eq!(first[0].reset_seconds, 20);
        assert_eq!(first[2].retry_after_seconds, None);
        // The bucket gains one request every 20 seconds.
        assert!(matches!(first[3].retry_after_seconds, Some(1..=20)), "{first:?}");
        assert_eq!(limiter.count(2).remaining, 2);
        let mut headers = HeaderMap::new();
        limiter.tell(first[0], &mut headers);
        assert_eq!(headers["ratelimit-limit"], "3, 3;window=60");
        assert_eq!(
            (&headers["ratelimit-remaining"], &headers["ratelimit-reset"]),
            (&"2".parse().unwrap(), &"20".parse().unwrap())
        );
    }
}
