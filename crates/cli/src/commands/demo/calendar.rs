//! When people work: weekdays, holidays, the hours of the day.
//!
//! Days are those of the place where somebody is; an instant is worked out from the clock there, without summer time.

use muster_model::{day::Day, time::Micros};

use super::{dice::Dice, story::DAYS};

const MINUTE_MICROS: i64 = 60_000_000;
/// How much is done on each weekday, Monday first; where the weekend begins earlier the week does too.
const WEEK: [f64; 7] = [1.0, 1.08, 1.06, 1.0, 0.8, 0.07, 0.05];
/// How much is done in each hour of the day.
#[rustfmt::skip]
const HOURS: [f64; 24] = [
    0.3, 0.2, 0.1, 0.1, 0.2, 0.5, 1.5, 5.0, 11.0, 15.0, 15.0, 12.0,
    7.0, 12.0, 14.0, 13.0, 10.0, 7.0, 3.5, 2.0, 1.8, 1.5, 1.0, 0.6,
];
/// Parts of a year in which less is done, first and last day as month and day.
const QUIET: [(&str, &str, f64); 5] = [
    ("12-24", "12-26", 0.08),
    ("12-27", "12-31", 0.3),
    ("01-01", "01-01", 0.05),
    ("05-01", "05-01", 0.35),
    ("07-20", "08-24", 0.74),
];

/// A year that ends with a day.
#[derive(Clone, Copy, Debug)]
pub struct Year {
    last: Day,
}

impl Year {
    pub fn until(last: Day) -> Year {
        Year { last }
    }

    /// The day of this number, the first of the year being 0.
    pub fn day(self, number: i32) -> Day {
        self.last.plus(number - (DAYS - 1))
    }

    /// The last day.
    pub fn last(self) -> Day {
        self.last
    }

    /// Its date, such as `2018-05-15`.
    pub fn date(self, number: i32) -> String {
        self.day(number).to_text()
    }

    /// 0 on a Monday.
    pub fn weekday(self, number: i32) -> i32 {
        (self.day(number).0 + 3).rem_euclid(7)
    }

    /// How much is done on a day where the weekend begins with this weekday, 1 being usual.
    pub fn bustle(self, number: i32, weekend: i32) -> f64 {
        let since_weekend = (self.weekday(number) - weekend).rem_euclid(7);
        let of_week = WEEK[((5 + since_weekend) % 7) as usize];
        let date = self.date(number);
        let month_and_day = date.get(5..).unwrap_or_default();
        let is_within = |(first, last, _): &&(&str, &str, f64)| (*first..=*last).contains(&month_and_day);
        of_week * QUIET.iter().find(is_within).map_or(1.0, |(_, _, share)| *share)
    }

    /// A time on a day, at an hour and minute of a clock that is so far ahead of UTC.
    pub fn at(self, number: i32, hour: f64, clock_minutes: i32) -> Micros {
        let minutes = hour * 60.0 - f64::from(clock_minutes);
        self.day(number).start().plus_micros((minutes * MINUTE_MICROS as f64) as i64)
    }
}

/// An hour in which somebody works.
pub fn working_hour(dice: &mut Dice) -> f64 {
    dice.weighted(HOURS.iter().copied()) as f64 + dice.share()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_to_the_last() {
        let year = Year::until(Day::parse("2026-11-25").unwrap());
        assert_eq!((year.date(0).as_str(), year.date(DAYS - 1).as_str()), ("2025-11-26", "2026-11-25"));
        // That last one is a Wednesday.
        assert_eq!(year.weekday(DAYS - 1), 2);
        assert_eq!(year.at(DAYS - 1, 9.5, 330), Micros::parse("2026-11-25T04:00:00Z").unwrap());
    }

    #[test]
    fn weekends_and_holidays_are_quiet() {
        let year = Year::until(Day::parse("2026-11-25").unwrap());
        let number = |date: &str| Day::parse(date).unwrap().0 - year.day(0).0;
        // A Friday, which is a workday in one place and the weekend in another, and the Sunday after it.
        let (friday, sunday) = (number("2026-03-06"), number("2026-03-08"));
        assert!(year.bustle(friday, 5) > 0.7 && year.bustle(friday, 4) < 0.1);
        assert!(year.bustle(sunday, 5) < 0.1 && year.bustle(sunday, 4) > 0.9);
        assert!(year.bustle(number("2025-12-25"), 5) < 0.1);
        assert!(year.bustle(number("2026-08-04"), 5) < 0.85);
    }
}
