//! Instants to the microsecond, read from and written as ISO 8601.
//!
//! Guarantees that what is shown can be read again, and that an instant never silently changes zone: text without a
//! zone is UTC. Never asks what time it is; callers pass the time of receipt in.

use jiff::{Timestamp, civil, fmt::temporal::DateTimeParser};

/// Microseconds since 1970-01-01T00:00:00Z; negative before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

static PARSER: DateTimeParser = DateTimeParser::new();

impl Micros {
    /// Earlier than every instant a message can carry.
    pub const MIN: Micros = Micros(i64::MIN);
    /// Later than every instant a message can carry.
    pub const MAX: Micros = Micros(i64::MAX);

    /// Reads RFC 3339 / ISO 8601 text. No zone means UTC; a date alone is its midnight in UTC. Digits finer than a
    /// microsecond are cut off. `None` when the text is no such instant.
    #[must_use]
    pub fn parse(text: &str) -> Option<Micros> {
        let text = text.trim();
        if let Ok(instant) = PARSER.parse_timestamp(text) {
            return Some(Micros(floor_micros(instant)));
        }
        // A zone that is named or malformed must not fall through to "no zone".
        let local: civil::DateTime = if text.len() <= 10 {
            PARSER.parse_date(text).ok()?.at(0, 0, 0, 0)
        } else {
            PARSER.parse_datetime(text).ok()?
        };
        let instant = jiff::tz::TimeZone::UTC.to_timestamp(local).ok()?;
        Some(Micros(floor_micros(instant)))
    }

    /// `2018-05-15T12:31:12.123Z`: UTC with exactly three decimals, the form every answer uses.
    #[must_use]
    pub fn to_millis_text(self) -> String {
        self.instant().map_or_else(String::new, |instant| format!("{instant:.3}"))
    }

    /// `2018-05-15T12:31:12.123456Z`: UTC with exactly six decimals, nothing lost.
    #[must_use]
    pub fn to_micros_text(self) -> String {
        self.instant().map_or_else(String::new, |instant| format!("{instant:.6}"))
    }

    /// Whole milliseconds, rounded down as they are shown.
    #[must_use]
    pub fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// The first instant of this instant's month in UTC, and of the month after: the history's unit of compaction.
    #[must_use]
    pub fn month(self) -> (Micros, Micros) {
        let Some(instant) = self.instant() else { return (Micros::MIN, Micros::MAX) };
        let date = jiff::tz::TimeZone::UTC.to_datetime(instant).date();
        let first = date.first_of_month();
        let next = first.last_of_month().tomorrow();
        (midnight(Some(first), Micros::MIN), midnight(next.ok(), Micros::MAX))
    }

    /// This instant moved by `micros`, kept within the representable range.
    #[must_use]
    pub fn plus_micros(self, micros: i64) -> Micros {
        Micros(self.0.saturating_add(micros))
    }

    fn instant(self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.0).ok()
    }
}

fn midnight(date: Option<civil::Date>, otherwise: Micros) -> Micros {
    date.and_then(|date| jiff::tz::TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok())
        .map_or(otherwise, |instant| Micros(floor_micros(instant)))
}

/// `Timestamp::as_microsecond` rounds towards zero; before 1970 that would move an instant forward.
fn floor_micros(instant: Timestamp) -> i64 {
    i64::try_from(instant.as_nanosecond().div_euclid(1_000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Micros;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Micros::parse(text).map(Micros::to_micros_text).as_deref(), expected, "{text}");
    }

    #[test]
    fn reads_what_senders_write() {
        check("2018-05-15T12:31:12.123Z", Some("2018-05-15T12:31:12.123000Z"));
        check("2018-05-15T12:31:12.1234567Z", Some("2018-05-15T12:31:12.123456Z"));
        check("2018-05-15T12:31:12.123456789+02:00", Some("2018-05-15T10:31:12.123456Z"));
        check("2018-05-15 12:31:12", Some("2018-05-15T12:31:12.000000Z"));
        check("2018-05-15T12:31", Some("2018-05-15T12:31:00.000000Z"));
        check("2018-05-15t12:31:12z", Some("2018-05-15T12:31:12.000000Z"));
        check("2018-05-15", Some("2018-05-15T00:00:00.000000Z"));
        check(" 2018-05-15T12:31:12Z ", Some("2018-05-15T12:31:12.000000Z"));
        check("1969-12-31T23:59:59.9999999Z", Some("1969-12-31T23:59:59.999999Z"));
        check("2016-12-31T23:59:60Z", Some("2016-12-31T23:59:59.000000Z"));
        check("yesterday", None);
        check("", None);
        check("1526387472", None);
        check("2018-13-15T12:31:12Z", None);
        check("2018-02-30", None);
    }

    #[test]
    fn months_are_half_open() {
        let instant = Micros::parse("2024-02-29T23:59:59.999999Z").unwrap();
        let (from, until) = instant.month();
        assert_eq!(from.to_millis_text(), "2024-02-01T00:00:00.000Z");
        assert_eq!(until.to_millis_text(), "2024-03-01T00:00:00.000Z");
    }
}
