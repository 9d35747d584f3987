//! How long the duplicate check remembers.
//!
//! Counted in days of receipt, as every engine counts it, so that what becomes of a message depends on the messages alone and
//! not on when, or by a clock of whom, they are folded in.

use std::time::Duration;

use muster_model::{day::Day, time::Micros};

const SECONDS_PER_DAY: u64 = 86_400;

/// Days that an identity is remembered; for ever when `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remembers(Option<u32>);

impl Remembers {
    /// A retention in days, rounded up.
    pub fn within(retention: Option<Duration>) -> Remembers {
        let days =
            |retention: Duration| u32::try_from(retention.as_secs().div_ceil(SECONDS_PER_DAY)).unwrap_or(u32::MAX);
        Remembers(retention.map(days))
    }

    /// Whether what was received at an instant still counts when something else is received.
    pub fn keeps(self, received_at: Micros, now: Micros) -> bool {
        let day = |at| i64::from(Day::of(at).0);
        self.0.is_none_or(|days| day(received_at) + i64::from(days) >= day(now))
    }

    /// The first instant of which something still counts; none when everything does.
    pub fn since(self, now: Micros) -> Option<Micros> {
        let days = i32::try_from(self.0?).ok()?;
        Some(Day(Day::of(now).0.saturating_sub(days)).start())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_by_more_than_so_many_days_is_forgotten() {
        let at = |day: i32, micros: i64| Day(day).start().plus_micros(micros);
        let remembers = Remembers::within(Some(Duration::from_secs(SECONDS_PER_DAY + 1)));
        assert!(remembers.keeps(at(100, 0), at(102, 5)) && !remembers.keeps(at(100, 5), at(103, 0)));
        assert!(remembers.keeps(at(103, 0), at(100, 0)), "clocks that differ forget nothing");
        assert_eq!(remembers.since(at(103, 5)), Some(at(101, 0)));
        let now = at(103, 5);
        for received_at in [at(101, -1), at(101, 0)] {
            assert_eq!(remembers.keeps(received_at, now), received_at >= remembers.since(now).unwrap());
        }
        let for_ever = Remembers::within(None);
        assert!(for_ever.keeps(Micros(0), Micros(i64::MAX)) && for_ever.since(now).is_none());
    }
}
