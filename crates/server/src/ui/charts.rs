//! Figures drawn: days as bars, a year as squares, a trend as a line.
//!
//! Pictures are SVG with classes from the style, so that they follow light and dark; what a hover tells is in them, and
//! a sentence says the whole to those who do not see it.

use askama::filters::Safe;
use muster_model::day::Day;

use super::{
    days::{brief, month_name, spoken, weekday},
    shown::{self, Html, count, escaped, many, put},
};

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
    /// What the style calls it.
    fn class(self) -> &'static str {
        match self {
            Width::Page => "page",
            Width::Column => "column",
            Width::Half => "half",
        }
    }

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
const TOP: f64 = 10.0;
const FLOOR: f64 = CHART_HEIGHT - 20.0;
/// Where the strip of users ends, and how far below the events it begins.
const USERS_FLOOR: f64 = FLOOR + 66.0;
const USERS_GAP: f64 = 18.0;
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

/// Bars that share their days with those of other strips of one picture.
struct Strip {
    class: &'static str,
    top: f64,
    floor: f64,
    most: u64,
    right: f64,
}

impl Strip {
    fn new(class: &'static str, (top, floor): (f64, f64), values: impl Iterator<Item = u64>, right: f64) -> Strip {
        Strip { class, top, floor, most: round_up(values.max().unwrap_or(0).max(2)), right }
    }

    /// Lines across, with what they stand for.
    fn put_scale(&self, out: &mut String, parts: u64) {
        for part in 0..=parts {
            let y = self.floor - (self.floor - self.top) * share(part, parts);
            put(out, format_args!("<path class=\"grid\" d=\"M{LEFT} {y:.1}H{}\"/>", self.right));
            let (x, label) = (LEFT - 6.0, short(self.most * part / parts));
            put(out, format_args!("<text x=\"{x}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>", y + 3.5));
        }
    }

    fn put_bar(&self, out: &mut String, (x, width): (f64, f64), value: u64) {
        if value > 0 {
            let (gap, tall) = (width * 0.16, ((self.floor - self.top) * share(value, self.most)).max(1.0));
            let (x, y, across) = (x + gap, self.floor - tall, (width - 2.0 * gap).max(0.6));
            put(
                out,
                format_args!(
                    "<rect class=\"{}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{across:.1}\" height=\"{tall:.1}\" rx=\"1\"/>",
                    self.class
                ),
            );
        }
    }
}

/// Days as bars, with the users of each day in a strip of their own below if that is asked for. The first day is the leftmost,
/// the last one is today and not over yet.
pub(super) fn days(first: Day, figures: &[DayFigures], with_users: bool, wide: Width) -> Html {
    let right = wide.pixels() - 4.0;
    let width = (right - LEFT) / place(figures.len().max(1));
    let events = Strip::new("bar", (TOP, FLOOR), figures.iter().map(|day| day.events), right);
    let users = Strip::new("bar users", (FLOOR + USERS_GAP, USERS_FLOOR), figures.iter().map(|day| day.users), right);
    let (height, floor) = if with_users { (USERS_FLOOR + 20.0, USERS_FLOOR) } else { (CHART_HEIGHT, FLOOR) };
    let sum: u64 = figures.iter().map(|day| day.events).sum();
    let most = figures.iter().map(|day| day.events).max().unwrap_or(0);
    let mut out = format!(
        "<svg class=\"chart {}\" viewBox=\"0 0 {} {height}\" role=\"img\" aria-label=\"{} in {} days, {} on the busiest day\">",
        wide.class(),
        wide.pixels(),
        many(sum, "event"),
        figures.len(),
        count(most),
    );
    events.put_scale(&mut out, 2);
    if with_users {
        users.put_scale(&mut out, 1);
    }
    for (at, day) in figures.iter().enumerate() {
        let x = LEFT + width * place(at);
        let is_today = at + 1 == figures.len();
        let (class, so_far) = if is_today { ("day now", " so far") } else { ("day", "") };
        let date = spoken(first.plus(i32::try_from(at).unwrap_or(i32::MAX)));
        let told = if with_users { format!(", {}", many(day.users, "active user")) } else { String::new() };
        put(
            &mut out,
            format_args!("<g class=\"{class}\"><title>{date}{so_far}: {}{told}</title>", many(day.events, "event")),
        );
        put(
            &mut out,
            format_args!(
                "<rect class=\"hit\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{}\"/>",
                floor - TOP
            ),
        );
        events.put_bar(&mut out, (x, width), day.events);
        if with_users {
            users.put_bar(&mut out, (x, width), day.users);
        }
        out.push_str("</g>");
    }
    put_dates(&mut out, first, figures.len(), width, height - 4.0);
    out.push_str("</svg>");
    Safe(out)
}

/// A few dates below the days, of which the last is today.
fn put_dates(out: &mut String, first: Day, days: usize, width: f64, y: f64) {
    let step = (days / 6).max(1);
    for at in (0..days).rev().step_by(step) {
        let is_last = at + 1 == days;
        let x = LEFT + width * (place(at) + if is_last { 1.0 } else { 0.5 });
        let anchor = if is_last { "end" } else { "middle" };
        let date = brief(first.plus(i32::try_from(at).unwrap_or(i32::MAX)));
        put(out, format_args!("<text class=\"date\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{date}</text>"));
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

/// The least of 1, 2 and 5 times a power of ten that is not below a number, or the least of their opposites that is not above it.
fn rounded_out(value: f64) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let power = 10f64.powf(value.abs().log10().floor());
    let bound = [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power).find(|bound| *bound >= value.abs());
    bound.unwrap_or(value.abs()).copysign(value)
}

/// Values with names as bars, in their order; negative ones hang below.
pub(super) fn bars(bars: &[Bar], of: &str, wide: Width) -> Html {
    let right = wide.pixels() - 4.0;
    let most = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    let least = bars.iter().map(|bar| bar.value).fold(0.0, f64::min);
    let (top, bottom) = (rounded_out(most), rounded_out(least));
    let span = if top > bottom { top - bottom } else { 1.0 };
    let (width, height) = ((right - LEFT) / place(bars.len().max(1)), FLOOR - TOP);
    let of_value = |value: f64| FLOOR - height * (value - bottom) / span;
    let zero = of_value(0.0);
    let label = format!("{}, {} bars from {least} to {most}", escaped(of), bars.len());
    let mut out = format!(
        "<svg class=\"chart {}\" viewBox=\"0 0 {} {CHART_HEIGHT}\" role=\"img\" aria-label=\"{label}\">",
        wide.class(),
        wide.pixels(),
    );
    let half = if bottom < 0.0 { 0.0 } else { top / 2.0 };
    let others = [top, bottom, half].into_iter().filter(|value| *value != 0.0);
    for value in std::iter::once(0.0).chain(others) {
        let (y, text) = (of_value(value), shortened(value));
        put(&mut out, format_args!("<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>"));
        put(
            &mut out,
            format_args!("<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>", LEFT - 6.0, y + 3.5),
        );
    }
    let every = bars.len().div_ceil(LABELS_MAX).max(1);
    for (at, bar) in bars.iter().enumerate() {
        let (x, tall) = (LEFT + width * place(at), height * bar.value.abs() / span);
        let y = if bar.value < 0.0 { zero } else { zero - tall };
        let (gap, name) = ((width * 0.16).max((width - BAR_WIDTH_MAX) / 2.0), escaped(&bar.label));
        let told = shown::number(&bar.value.to_string());
        put(&mut out, format_args!("<g class=\"day\"><title>{name}: {told}</title>"));
        put(
            &mut out,
            format_args!("<rect class=\"hit\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{height}\"/>"),
        );
        let (x, across) = (x + gap, (width - 2.0 * gap).max(0.6));
        put(
            &mut out,
            format_args!(
                "<rect class=\"bar\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{across:.1}\" height=\"{tall:.1}\"/></g>"
            ),
        );
        if at % every == 0 {
            // Every other one is left out where there is half the room.
            let class = if (at / every).is_multiple_of(2) { "date" } else { "date more" };
            let short: String = bar.label.chars().take(LABEL_LETTERS_MAX).collect();
            let (x, y) = (LEFT + width * (place(at) + 0.5), CHART_HEIGHT - 4.0);
            put(
                &mut out,
                format_args!(
                    "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{}</text>",
                    escaped(&short)
                ),
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
        whole if whole.fract() == 0.0 => shown::number(&value.to_string()),
        large if large >= 100.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

const SQUARE: f64 = 12.0;
const HEAT_LEFT: f64 = 28.0;
const HEAT_TOP: f64 = 16.0;

/// A year as squares, a week a column; the darker, the more happened.
pub(super) fn year(first: Day, events: &[u64]) -> Html {
    let offset = weekday(first);
    let weeks = (events.len() + offset).div_ceil(7);
    let (width, height) = (HEAT_LEFT + SQUARE * place(weeks), HEAT_TOP + SQUARE * 7.0);
    let active = events.iter().filter(|count| **count > 0).count();
    let mut out = format!(
        "<svg class=\"chart heat\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"Something happened on {active} \
         of the last {} days\">",
        events.len(),
    );
    let steps = steps(events);
    let mut month = "";
    for (at, events) in events.iter().enumerate() {
        let (column, row) = ((at + offset) / 7, (at + offset) % 7);
        let (x, y) = (HEAT_LEFT + SQUARE * place(column), HEAT_TOP + SQUARE * place(row));
        let day = first.plus(i32::try_from(at).unwrap_or(i32::MAX));
        let of = month_name(day);
        if of != month && row == 0 && column + 2 < weeks {
            month = of;
            put(&mut out, format_args!("<text x=\"{x}\" y=\"10\">{of}</text>"));
        }
        let level = steps.iter().filter(|step| *events >= **step).count();
        put(
            &mut out,
            format_args!(
                "<rect class=\"h{level}\" x=\"{x}\" y=\"{y}\" width=\"10\" height=\"10\"><title>{}: {}</title></rect>",
                spoken(day),
                many(*events, "event"),
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
    fn scales_of_any_numbers_are_round() {
        for (value, bound) in [(0.0, 0.0), (14.64, 20.0), (4_232.0, 5_000.0), (0.3, 0.5), (-7.0, -10.0), (100.0, 100.0)]
        {
            assert!((rounded_out(value) - bound).abs() < 1e-9, "{value}");
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
        assert!(chart.contains("<title>Sat 3 Jan 1970 so far: 1,200 events, 9 active users</title>"), "{chart}");
        assert_eq!(chart.matches("class=\"bar\"").count(), 2);
        assert_eq!(chart.matches("class=\"bar users\"").count(), 2);
        let heat = year(Day(0), &[0, 1, 5]).0;
        assert!(heat.contains("class=\"h0\" x=\"28\" y=\"52\""), "a Thursday stands in the fourth row: {heat}");
        assert_eq!(grouped(&[1, 2, 3, 4, 5], 2), [1, 5, 9]);
        let named = [("<a>", 3.0), ("b", -1.0)].map(|(label, value)| Bar { label: label.to_owned(), value });
        let chart = bars(&named, "n&m", Width::Page).0;
        assert!(chart.contains("aria-label=\"n&amp;m, 2 bars from -1 to 3\""), "{chart}");
        assert!(chart.contains("<title>&lt;a&gt;: 3</title>") && !chart.contains("<a>"), "{chart}");
    }
}
