//! The bytes of bodies that may be in memory.
//!
//! One counter for all requests. Whoever wants bytes and finds none is told so at once; nobody waits here, so a slow
//! sender can hold up no other. What was reserved comes back when its [`Reservation`] is dropped, however that happens.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use prometheus_client::metrics::gauge::Gauge;

/// A number of bytes that all requests share.
pub(crate) struct Budget {
    shared: Arc<Shared>,
}

struct Shared {
    bytes_max: usize,
    used: AtomicUsize,
    gauge: Gauge,
}

/// Bytes that one request holds.
pub(crate) struct Reservation {
    shared: Arc<Shared>,
    bytes: usize,
}

impl Budget {
    /// A budget of so many bytes, shown in a gauge.
    pub(crate) fn new(bytes_max: usize, gauge: Gauge) -> Budget {
        Budget { shared: Arc::new(Shared { bytes_max, used: AtomicUsize::new(0), gauge }) }
    }

    /// Reserves bytes, or nothing when there are not as many left.
    pub(crate) fn reserve(&self, bytes: usize) -> Option<Reservation> {
        let mut reservation = Reservation { shared: Arc::clone(&self.shared), bytes: 0 };
        reservation.cover(bytes).then_some(reservation)
    }
}

impl Reservation {
    /// Grows to at least so many bytes in all; `false`, and unchanged, when there are not as many left.
    pub(crate) fn cover(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return true;
        }
        let fits = |used: usize| used.checked_add(more).filter(|used| *used <= self.shared.bytes_max);
        let taken = self.shared.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok();
        if taken {
            self.bytes = bytes;
            self.shared.gauge.inc_by(more as i64);
        }
        taken
    }

    /// The bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shared.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.shared.gauge.dec_by(self.bytes as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_bounded_and_come_back() {
        let gauge = Gauge::default();
        let budget = Budget::new(100, gauge.clone());
        let mut one = budget.reserve(60).unwrap();
        assert!(budget.reserve(41).is_none());
        assert!(one.cover(50) && one.bytes() == 60);
        assert!(one.cover(100));
        assert!(!one.cover(101) && one.bytes() == 100);
        assert!(!one.cover(usize::MAX));
        assert_eq!(gauge.get(), 100);
        drop(one);
        assert_eq!(gauge.get(), 0);
        assert!(budget.reserve(100).is_some());
    }
}
