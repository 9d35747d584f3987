//! Days in UTC, as activity is counted by.

use crate::time::Micros;

/// A day in UTC, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

const DAY_MICROS: i64 = 86_400_000_000;

impl Day {
    /// The day that an instant lies in.
    #[must_use]
    pub fn of(at: Micros) -> Day {
        Day(i32::try_from(at.0.div_euclid(DAY_MICROS)).unwrap_or(if at.0 < 0 { i32::MIN } else { i32::MAX }))
    }

    /// The first instant of the day.
    #[must_use]
    pub fn start(self) -> Micros {
        Micros(i64::from(self.0).saturating_mul(DAY_MICROS))
    }

    /// The first instant after the day.
    #[must_use]
    pub fn end(self) -> Micros {
        self.start().plus_micros(DAY_MICROS)
    }

    /// The day so many days later.
    #[must_use]
    pub fn plus(self, days: i32) -> Day {
        Day(self.0.saturating_add(days))
    }

    /// `2018-05-15`.
    #[must_use]
    pub fn to_text(self) -> String {
        let text = self.start().to_millis_text();
        text.split('T').next().unwrap_or_default().to_owned()
    }

    /// Reads `2018-05-15`; of an instant the day that it lies in.
    #[must_use]
    pub fn parse(text: &str) -> Option<Day> {
        Micros::parse(text).map(Day::of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight_before_1970_too() {
        assert_eq!(Day::of(Micros(-1)), Day(-1));
        assert_eq!(Day::of(Micros(0)), Day(0));
        assert_eq!(Day::of(Day(19_000).start().plus_micros(-1)), Day(18_999));
        assert_eq!(Day(18_999).end(), Day(19_000).start());
    }

    #[test]
    fn what_is_shown_is_read() {
        for text in ["1969-12-31", "2018-05-15", "2024-02-29"] {
            assert_eq!(Day::parse(text).map(Day::to_text).as_deref(), Some(text));
        }
        assert_eq!(Day::parse("2018-05-15T23:30:00-01:00").map(Day::to_text).as_deref(), Some("2018-05-16"));
        assert_eq!(Day::parse("soon"), None);
    }
}
