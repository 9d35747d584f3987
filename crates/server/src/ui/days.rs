//! How far back pages look, how the last days compare with those before, and what days are called.

use muster_model::day::Day;

/// Days of a chart.
pub(super) const CHART_DAYS: usize = 90;
/// Days of a year of squares.
pub(super) const YEAR_DAYS: usize = 365;
/// What a trend compares: so many days with as many before.
pub(super) const TREND_DAYS: usize = 30;

/// The first of so many days up to today.
pub(super) fn first_of(today: Day, days: usize) -> Day {
    today.plus(1 - i32::try_from(days).unwrap_or(i32::MAX))
}

/// What the last thirty days come to, and the thirty before. The last count is today's.
pub(super) fn lately_and_before(counts: &[u64]) -> (u64, u64) {
    let middle = counts.len().saturating_sub(TREND_DAYS);
    (counts[middle..].iter().sum(), counts[middle.saturating_sub(TREND_DAYS)..middle].iter().sum())
}

/// How many days lie between a day and the Monday before it.
pub(super) fn weekday(day: Day) -> usize {
    /// 1970-01-01 was a Thursday.
    const EPOCH: i32 = 3;
    usize::try_from((day.0.rem_euclid(7) + EPOCH) % 7).unwrap_or(0)
}

/// The month of a day, in three letters.
pub(super) fn month_name(day: Day) -> &'static str {
    const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month: usize = day.to_text().get(5..7).and_then(|month| month.parse().ok()).unwrap_or(1);
    NAMES[month.saturating_sub(1) % 12]
}

/// A day without its year: `3 Jan`.
pub(super) fn brief(day: Day) -> String {
    let text = day.to_text();
    format!("{} {}", text.get(8..10).unwrap_or_default().trim_start_matches('0'), month_name(day))
}

/// A day as people say it: `Sat 3 Jan 1970`.
pub(super) fn spoken(day: Day) -> String {
    const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let text = day.to_text();
    format!("{} {} {}", NAMES[weekday(day)], brief(day), text.get(..4).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_days_are_compared_with_thirty() {
        assert_eq!(lately_and_before(&[1; 70]), (30, 30));
        assert_eq!(lately_and_before(&[1; 10]), (10, 0));
        assert_eq!(first_of(Day(10), 3), Day(8));
    }

    #[test]
    fn days_are_said_as_people_say_them() {
        for (day, said) in [(0, "Thu 1 Jan 1970"), (-1, "Wed 31 Dec 1969"), (20_783, "Thu 26 Nov 2026")] {
            assert_eq!(spoken(Day(day)), said);
        }
        assert_eq!((brief(Day(2)), weekday(Day(4))), ("3 Jan".to_owned(), 0));
    }
}
