//! Figures drawn: days as bars, a year as squares, a trend as a line.
//!
//! Pictures are SVG with classes from the style, so that they follow light and dark; what a hover tells is in them, and
//! a sentence says the whole to those who do not see it.

use askama::filters::Safe;
use muster_model::day::Day;

use super::shown::{Html, count, escaped, put};

/// What happened on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DayFigures {
    pub events: u64,
    pub users: u64,
}

/// How wide a picture is where there is room for it, in pixels, so that its letters are about as large as those around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// The whole page.
    Page,
    /// Beside something narrow.
    Column,
    /// Half of the page.
    Half,
}

impl Width {
    fn pixels(self) -> f64 {
        match self {
            Width::Page => 1_040.0,
            Width::Column => 700.0,
            Width::Half => 500.0,
        }
    }
}

const CHART_HEIGHT: f64 = 170.0;
const LEFT: f64 = 40.0;
const RIGHT: f64 = 34.0;
const TOP: f64 = 10.0;
const FLOOR: f64 = CHART_HEIGHT - 20.0;
/// How wide a bar may be.
const BAR_WIDTH_MAX: f64 = 56.0;

/// The least round number that is not below another: 1, 2 or 5 times a power of ten.
fn round_up(most: u64) -> u64 {
    let mut step: u64 = 1;
    loop {
        for times in [1, 2, 5] {
            let bound = step.saturating_mul(times);
            if bound >= most {
                return bound;
            }
        }
        step = step.saturating_mul(10);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a picture is drawn in tenths of a pixel")]
fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

#[expect(clippy::cast_precision_loss, reason = "a picture has some hundred places")]
fn place(at: usize) -> f64 {
    at as f64
}

/// Days as bars, with the users of each day as a line if that is asked for. The first day is the leftmost.
pub(super) fn days(first: Day, figures: &[DayFigures], with_users: bool, wide: Width) -> Html {
    let right = wide.pixels() - if with_users { RIGHT } else { 4.0 };
    let events_most = round_up(figures.iter().map(|day| day.events).max().unwrap_or(0).max(4));
    let users_most = round_up(figures.iter().map(|day| day.users).max().unwrap_or(0).max(4));
    let width = (right - LEFT) / place(figures.len().max(1));
    let height = FLOOR - TOP;
    let (events, most) =
        (figures.iter().map(|day| day.events).sum::<u64>(), figures.iter().map(|day| day.events).max());
    let mut out = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {} {CHART_HEIGHT}\" role=\"img\" aria-label=\"{} events in {} days, \
         {} on the busiest day\">",
        wide.pixels(),
        count(events),
        figures.len(),
        count(most.unwrap_or(0)),
    );
    for (part, share_of) in [(0, 0.0), (1, 0.5), (2, 1.0)] {
        let y = FLOOR - height * share_of;
        put(&mut out, format_args!("<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>"));
        let label = |most: u64| short(most * part / 2);
        put(
            &mut out,
            format_args!(
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                y + 3.5,
                label(events_most)
            ),
        );
        if with_users {
            let x = right + 6.0;
            put(&mut out, format_args!("<text x=\"{x}\" y=\"{:.1}\">{}</text>", y + 3.5, label(users_most)));
        }
    }
    let mut line = String::new();
    for (at, day) in figures.iter().enumerate() {
        let (x, tall) = (LEFT + width * place(at), height * share(day.events, events_most));
        let date = first.plus(i32::try_from(at).unwrap_or(i32::MAX)).to_text();
        let users = if with_users { format!(", {} active users", count(day.users)) } else { String::new() };
        put(&mut out, format_args!("<g class=\"day\"><title>{date}: {} events{users}</title>", count(day.events)));
        put(
            &mut out,
            format_args!("<rect class=\"hit\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{height}\"/>"),
        );
        if day.events > 0 {
            let (gap, tall) = (width * 0.16, tall.max(1.0));
            put(
                &mut out,
                format_args!(
                    "<rect class=\"bar\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{tall:.1}\" rx=\"1\"/>",
                    x + gap,
                    FLOOR - tall,
                    (width - 2.0 * gap).max(0.6),
                ),
            );
        }
        out.push_str("</g>");
        let y = FLOOR - height * share(day.users, users_most);
        put(&mut line, format_args!("{}{:.1} {y:.1}", if at == 0 { "M" } else { "L" }, x + width / 2.0));
    }
    if with_users {
        put(&mut out, format_args!("<path class=\"line\" d=\"{line}\" pointer-events=\"none\"/>"));
    }
    put_dates(&mut out, first, figures.len(), width);
    out.push_str("</svg>");
    Safe(out)
}

/// A few dates below the days.
fn put_dates(out: &mut String, first: Day, days: usize, width: f64) {
    let step = (days / 6).max(1);
    for at in (0..days).step_by(step) {
        let date = first.plus(i32::try_from(at).unwrap_or(i32::MAX)).to_text();
        let x = LEFT + width * (place(at) + 0.5);
        let anchor = if at == 0 { "start" } else { "middle" };
        let date = date.get(5..).unwrap_or(&date);
        put(
            out,
            format_args!("<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{date}</text>", CHART_HEIGHT - 4.0),
        );
    }
}

/// A number in three or four letters.
fn short(number: u64) -> String {
    match number {
        0..10_000 => count(number),
        10_000..10_000_000 => format!("{}k", number / 1_000),
        10_000_000..10_000_000_000 => format!("{}M", number / 1_000_000),
        _ => format!("{}G", number / 1_000_000_000),
    }
}

/// A value with a name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bar {
    pub label: String,
    pub value: f64,
}

/// Labels below the bars of a chart.
const LABELS_MAX: usize = 8;
/// Letters of a label.
const LABEL_LETTERS_MAX: usize = 12;

/// Values with names as bars, in their order; negative ones hang below.
pub(super) fn bars(bars: &[Bar], of: &str, wide: Width) -> Html {
    let right = wide.pixels() - 4.0;
    let most = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    let least = bars.iter().map(|bar| bar.value).fold(0.0, f64::min);
    let span = if most > least { most - least } else { 1.0 };
    let (width, height) = ((right - LEFT) / place(bars.len().max(1)), FLOOR - TOP);
    let zero = TOP + height * most / span;
    let label = format!("{}, {} bars from {least} to {most}", escaped(of), bars.len());
    let mut out = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {} {CHART_HEIGHT}\" role=\"img\" aria-label=\"{label}\">\
         <path class=\"grid\" d=\"M{LEFT} {zero:.1}H{}\"/>",
        wide.pixels(),
        right,
    );
    for (value, y) in [(most, TOP), (least, FLOOR)] {
        let text = shortened(value);
        put(
            &mut out,
            format_args!("<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>", LEFT - 6.0, y + 3.5),
        );
    }
    let every = bars.len().div_ceil(LABELS_MAX).max(1);
    for (at, bar) in bars.iter().enumerate() {
        let (x, tall) = (LEFT + width * place(at), height * bar.value.abs() / span);
        let (top, gap, name) = (
            if bar.value < 0.0 { zero } else { zero - tall },
            (width * 0.16).max((width - BAR_WIDTH_MAX) / 2.0),
            escaped(&bar.label),
        );
        put(&mut out, format_args!("<g class=\"day\"><title>{name}: {}</title>", bar.value));
        put(
            &mut out,
            format_args!("<rect class=\"hit\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{height}\"/>"),
        );
        let across = (width - 2.0 * gap).max(0.6);
        put(
            &mut out,
            format_args!(
                "<rect class=\"bar\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{across:.1}\" height=\"{tall:.1}\"/></g>",
                x + gap
            ),
        );
        if at % every == 0 {
            let short: String = bar.label.chars().take(LABEL_LETTERS_MAX).collect();
            let (x, y) = (x + width / 2.0, CHART_HEIGHT - 4.0);
            put(
                &mut out,
                format_args!("<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{}</text>", escaped(&short)),
            );
        }
    }
    out.push_str("</svg>");
    Safe(out)
}

/// A number in a few letters.
fn shortened(value: f64) -> String {
    match value.abs() {
        large if large >= 1e9 => format!("{:.1}G", value / 1e9),
        large if large >= 1e6 => format!("{:.1}M", value / 1e6),
        large if large >= 1e4 => format!("{:.0}k", value / 1e3),
        whole if whole.fract() == 0.0 => format!("{value}"),
        large if large >= 100.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

const SQUARE: f64 = 12.0;
const HEAT_LEFT: f64 = 28.0;
const HEAT_TOP: f64 = 16.0;
/// 1970-01-01 was a Thursday; weeks begin on Monday here.
const EPOCH_WEEKDAY: i32 = 3;

/// A year as squares, a week a column; the darker, the more happened.
pub(super) fn year(first: Day, events: &[u64]) -> Html {
    let offset = usize::try_from((first.0 + EPOCH_WEEKDAY).rem_euclid(7)).unwrap_or(0);
    let weeks = (events.len() + offset).div_ceil(7);
    let (width, height) = (HEAT_LEFT + SQUARE * place(weeks), HEAT_TOP + SQUARE * 7.0);
    let active = events.iter().filter(|count| **count > 0).count();
    let mut out = format!(
        "<svg class=\"chart heat\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"Something happened on {active} \
         of the last {} days\">",
        events.len(),
    );
    let steps = steps(events);
    let mut month = String::new();
    for (at, events) in events.iter().enumerate() {
        let (column, row) = ((at + offset) / 7, (at + offset) % 7);
        let (x, y) = (HEAT_LEFT + SQUARE * place(column), HEAT_TOP + SQUARE * place(row));
        let date = first.plus(i32::try_from(at).unwrap_or(i32::MAX)).to_text();
        if let Some(of) = date.get(..7).filter(|of| *of != month && row == 0 && column + 2 < weeks) {
            month = of.to_owned();
            put(&mut out, format_args!("<text x=\"{x}\" y=\"10\">{}</text>", month_name(of)));
        }
        let level = steps.iter().filter(|step| *events >= **step).count();
        put(
            &mut out,
            format_args!(
                "<rect class=\"h{level}\" x=\"{x}\" y=\"{y}\" width=\"10\" height=\"10\"><title>{date}: {} events</title></rect>",
                count(*events),
            ),
        );
    }
    for (row, name) in [(0, "Mon"), (2, "Wed"), (4, "Fri")] {
        put(&mut out, format_args!("<text x=\"0\" y=\"{}\">{name}</text>", HEAT_TOP + SQUARE * place(row) + 9.0));
    }
    out.push_str("</svg>");
    Safe(out)
}

/// From how many events on a square is of the first, second, third and fourth shade: quarters of the days on which
/// something happened.
fn steps(events: &[u64]) -> [u64; 4] {
    let mut active: Vec<u64> = events.iter().copied().filter(|count| *count > 0).collect();
    active.sort_unstable();
    let at = |quarter: usize| active.get(active.len() * quarter / 4).copied().unwrap_or(u64::MAX);
    let low = at(0).min(1);
    [low, at(1).max(low + 1), at(2).max(low + 2), at(3).max(low + 3)]
}

fn month_name(of: &str) -> &'static str {
    const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month: usize = of.get(5..7).and_then(|month| month.parse().ok()).unwrap_or(1);
    NAMES[(month - 1) % 12]
}

/// Days that one point of a small line sums up, so that it is not all noise.
const LINE_DAYS: usize = 3;

/// Days as a small line, for a cell of a table.
pub(super) fn trend(days: &[u64]) -> Html {
    const WIDTH: f64 = 120.0;
    const HEIGHT: f64 = 26.0;
    let values = grouped(days, LINE_DAYS);
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let step = WIDTH / place(values.len().saturating_sub(1).max(1));
    let mut line = String::new();
    for (at, value) in values.iter().enumerate() {
        let (x, y) = (step * place(at), HEIGHT - 2.0 - (HEIGHT - 4.0) * share(*value, most));
        put(&mut line, format_args!("{}{x:.1} {y:.1}", if at == 0 { "M" } else { "L" }));
    }
    let label = format!("{} in {} days", count(days.iter().sum()), days.len());
    Safe(format!(
        "<svg class=\"chart mini\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{label}\"><path class=\"area\" d=\"{line}L{WIDTH} {HEIGHT}L0 {HEIGHT}Z\"/>\
         <path class=\"trend\" d=\"{line}\"/></svg>"
    ))
}

/// Days summed up in groups, of which the last one ends today.
fn grouped(values: &[u64], days: usize) -> Vec<u64> {
    values.rchunks(days.max(1)).rev().map(|group| group.iter().sum()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_round() {
        for (most, bound) in [(0, 1), (1, 1), (3, 5), (7, 10), (11, 20), (99, 100), (101, 200), (u64::MAX, u64::MAX)] {
            assert_eq!(round_up(most), bound, "{most}");
        }
    }

    #[test]
    fn shades_are_quarters() {
        assert_eq!(steps(&[]), [1, u64::MAX, u64::MAX, u64::MAX]);
        assert_eq!(steps(&[0, 0, 1]), [1, 2, 3, 4]);
        assert_eq!(steps(&[0, 10, 20, 30, 40, 50, 60, 70, 80]), [1, 30, 50, 70]);
    }

    #[test]
    fn pictures_hold_what_they_show() {
        let figures =
            [DayFigures { events: 3, users: 2 }, DayFigures::default(), DayFigures { events: 1200, users: 9 }];
        let chart = days(Day(0), &figures, true, Width::Column).0;
        assert!(chart.contains("aria-label=\"1,203 events in 3 days, 1,200 on the busiest day\""), "{chart}");
        assert!(chart.contains("<title>1970-01-03: 1,200 events, 9 active users</title>"), "{chart}");
        assert_eq!(chart.matches("class=\"bar\"").count(), 2);
        let heat = year(Day(0), &[0, 1, 5]).0;
        assert!(heat.contains("class=\"h0\" x=\"28\" y=\"52\""), "a Thursday stands in the fourth row: {heat}");
        assert_eq!(grouped(&[1, 2, 3, 4, 5], 2), [1, 5, 9]);
        let named = [("<a>", 3.0), ("b", -1.0)].map(|(label, value)| Bar { label: label.to_owned(), value });
        let chart = bars(&named, "n&m", Width::Page).0;
        assert!(chart.contains("aria-label=\"n&amp;m, 2 bars from -1 to 3\""), "{chart}");
        assert!(chart.contains("<title>&lt;a&gt;: 3</title>") && !chart.contains("<a>"), "{chart}");
    }
}
