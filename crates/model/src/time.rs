//! Instants to the microsecond, read from and written as ISO 8601.
//!
//! Guarantees that what is shown can be read again, and that an instant never silently changes zone: text without a
//! zone is UTC. The last instant is the last microsecond of the year 9999 in UTC, the largest that RFC 3339 can write.
//! Never asks what time it is; callers pass the time of receipt in.

use jiff::{
    SignedDuration, Timestamp, civil,
    fmt::temporal::{DateTimeParser, Pieces},
};

/// Microseconds since 1970-01-01T00:00:00Z; negative before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

static PARSER: DateTimeParser = DateTimeParser::new();
/// Where instants are counted from, on the clock of UTC. A `Timestamp` ends a day before the year 9999 does, so that it
/// can be shown in every zone; a clock without a zone reaches to the end of that year.
const EPOCH: civil::DateTime = civil::date(1970, 1, 1).at(0, 0, 0, 0);

impl Micros {
    /// Earlier than every instant a message can carry.
    pub const MIN: Micros = Micros(i64::MIN);
    /// Later than every instant a message can carry.
    pub const MAX: Micros = Micros(i64::MAX);

    /// Reads RFC 3339 / ISO 8601 text. No zone means UTC; a date alone is its midnight in UTC. Digits finer than a
    /// microsecond are cut off. `None` when the text is no such instant.
    #[must_use]
    pub fn parse(text: &str) -> Option<Micros> {
        Micros::parse_value(text).or_else(|| Micros::parse_last_days(text.trim()))
    }

    /// The same of a value in a record, such as a trait. What counts as an instant there decides where records stand in
    /// lists that are kept on disk, so it is what it was in the first version: nothing after 9999-12-30T22:00:00Z.
    #[must_use]
    pub fn parse_value(text: &str) -> Option<Micros> {
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

    /// Reads instants of the last days of the year 9999, which a `Timestamp` does not hold.
    fn parse_last_days(text: &str) -> Option<Micros> {
        if !text.starts_with("9999-12-3") {
            return None;
        }
        let pieces = Pieces::parse(text).ok()?;
        if pieces.time_zone_annotation().is_some() {
            return None;
        }
        let local = pieces.date().to_datetime(pieces.time().unwrap_or(civil::Time::midnight()));
        let ahead = pieces.to_numeric_offset().map_or(0, |offset| i64::from(offset.seconds()));
        Micros::of_clock(local, SignedDuration::from_secs(ahead))
    }

    /// The instant at which a clock shows this, so far ahead of UTC; `None` when it lies beyond the years there are.
    fn of_clock(local: civil::DateTime, ahead: SignedDuration) -> Option<Micros> {
        let since = local.duration_since(EPOCH).checked_sub(ahead)?;
        let at = Micros(i64::try_from(since.as_nanos().div_euclid(1_000)).ok()?);
        at.clock().map(|_| at)
    }

    /// What a clock shows in UTC, to the microsecond.
    fn clock(self) -> Option<civil::DateTime> {
        EPOCH.checked_add(SignedDuration::from_micros(self.0)).ok()
    }

    /// `2018-05-15T12:31:12.123Z`: UTC with exactly three decimals, the form every answer uses.
    #[must_use]
    pub fn to_millis_text(self) -> String {
        self.text(3)
    }

    /// `2018-05-15T12:31:12.123456Z`: UTC with exactly six decimals, nothing lost.
    #[must_use]
    pub fn to_micros_text(self) -> String {
        self.text(6)
    }

    fn text(self, decimals: usize) -> String {
        match Timestamp::from_microsecond(self.0) {
            Ok(instant) => format!("{instant:.decimals$}"),
            Err(_) => self.clock().map_or_else(String::new, |clock| format!("{clock:.decimals$}Z")),
        }
    }

    /// Whole milliseconds, rounded down as they are shown.
    #[must_use]
    pub fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// The first instant of this instant's month in UTC, and of the month after: the history's unit of compaction.
    #[must_use]
    pub fn month(self) -> (Micros, Micros) {
        let Some(clock) = self.clock() else { return (Micros::MIN, Micros::MAX) };
        let first = clock.date().first_of_month();
        let next = first.last_of_month().tomorrow();
        (midnight(Some(first), Micros::MIN), midnight(next.ok(), Micros::MAX))
    }

    /// This instant moved by `micros`, kept within the representable range.
    #[must_use]
    pub fn plus_micros(self, micros: i64) -> Micros {
        Micros(self.0.saturating_add(micros))
    }
}

fn midnight(date: Option<civil::Date>, otherwise: Micros) -> Micros {
    date.and_then(|date| Micros::of_clock(date.at(0, 0, 0, 0), SignedDuration::ZERO)).unwrap_or(otherwise)
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
        check("2018-05-15T12:31:12+99:00", None);
        check("yesterday", None);
        check("", None);
        check("1526387472", None);
        check("2018-13-15T12:31:12Z", None);
        check("2018-02-30", None);
    }

    #[test]
    fn the_year_9999_is_taken_to_its_end() {
        check("9999-12-31T23:59:59Z", Some("9999-12-31T23:59:59.000000Z"));
        check("9999-12-31T23:59:59.9999999Z", Some("9999-12-31T23:59:59.999999Z"));
        check("9999-12-31 23:59:59", Some("9999-12-31T23:59:59.000000Z"));
        check("9999-12-31T23:59:59+05:30", Some("9999-12-31T18:29:59.000000Z"));
        check("9999-12-31", Some("9999-12-31T00:00:00.000000Z"));
        check("9999-12-31T23:59:59-00:01", None);
        check("9999-12-31T23:59:59+99:00", None);
        check("9999-12-31T23:59:59[Europe/Berlin]", None);
        check("10000-01-01T00:00:00Z", None);
        check("0000-01-01T00:00:00Z", Some("0000-01-01T00:00:00.000000Z"));
        assert_eq!(Micros::parse_value("9999-12-31T23:59:59Z"), None, "lists on disk were made so");
        let last = Micros::parse("9999-12-31T23:59:59.999Z").unwrap();
        assert_eq!(last.to_millis_text(), "9999-12-31T23:59:59.999Z");
        assert_eq!(last.month().0.to_millis_text(), "9999-12-01T00:00:00.000Z");
        assert_eq!(last.month().1, Micros::MAX);
        assert_eq!(last.plus_micros(1_000).to_millis_text(), "", "beyond it there is nothing to show");
    }

    #[test]
    fn months_are_half_open() {
        let instant = Micros::parse("2024-02-29T23:59:59.999999Z").unwrap();
        let (from, until) = instant.month();
        assert_eq!(from.to_millis_text(), "2024-02-01T00:00:00.000Z");
        assert_eq!(until.to_millis_text(), "2024-03-01T00:00:00.000Z");
    }
}
