//! How far back pages look, and how the last days compare with those before.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_days_are_compared_with_thirty() {
        assert_eq!(lately_and_before(&[1; 70]), (30, 30));
        assert_eq!(lately_and_before(&[1; 10]), (10, 0));
        assert_eq!(first_of(Day(10), 3), Day(8));
    }
}
