//! How the server does: whether it takes writes, and its figures of the last day.

use askama::Template;
use axum::{extract::State, http::request::Parts, response::Response};
use muster_store::{credentials::Scopes, status::Health};

use super::{
    super::{
        answer::{self, PageError},
        charts::{self, Bar, Width},
        frame::Frame,
        session::Session,
        shown::{self, Html, count},
    },
    checks::{self, Check},
    samples::Sample,
};
use crate::state::AppState;

const MINUTE_MICROS: i64 = 60_000_000;
/// Bars of a chart.
const BARS: usize = 96;

struct Figure {
    label: &'static str,
    value: String,
}

struct Chart {
    title: &'static str,
    picture: Html,
}

#[derive(Template)]
#[template(path = "health.html")]
struct HealthPage {
    frame: Frame,
    ready: bool,
    says: String,
    checks: Vec<Check>,
    figures: Vec<Figure>,
    charts: Vec<Chart>,
}

/// Answers the page.
pub(super) async fn show(State(state): State<AppState>, session: Session, parts: Parts) -> Result<Response, PageError> {
    session.require(Scopes::ADMIN)?;
    let now = Sample::now(&state);
    let mut samples = state.samples.all();
    samples.push(now);
    let checks = checks::all(&state, &session, &samples, &now).await?;
    let of_class = |class| checks.iter().filter(|check| check.class == class).count();
    let says = match (of_class("bad"), of_class("warn")) {
        (0, 0) => "Everything works.".to_owned(),
        (0, some) => format!("Everything works; {} to look at.", shown::many(some as u64, "thing")),
        (some, _) => {
            format!("{} wrong.", if some == 1 { "One thing is".to_owned() } else { format!("{some} things are") })
        }
    };
    answer::page(&HealthPage {
        frame: Frame::new(&session, &parts, "Health", "/admin/health"),
        ready: state.store.health() == Health::Ready,
        says,
        checks,
        figures: figures(&now),
        charts: charts(of_minutes(&samples)),
    })
}

fn figures(now: &Sample) -> Vec<Figure> {
    let of = now.figures;
    let mean = |micros: u64, many: u64| match micros.checked_div(many) {
        Some(micros) => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        None => "–".to_owned(),
    };
    let all = [
        ("Messages stored", count(of.stored)),
        ("Duplicates", count(of.duplicates)),
        ("Refused and conflicts", count(of.refused + of.conflicts)),
        ("Requests answered", count(now.requests)),
        ("Failed requests", count(now.failures)),
        ("Mean time of a request", mean(now.request_micros, now.requests)),
        ("Mean time of a sync", mean(of.sync_micros, of.groups)),
        ("Batches waiting", count(of.queued_batches)),
        ("Not in a checkpoint yet", shown::many(of.overlay_messages, "message")),
        ("Mean time of a checkpoint", mean(of.checkpoint_micros, of.checkpoints)),
        ("Journal", shown::bytes(of.journal_bytes)),
        ("History", format!("{} in {}", shown::bytes(of.history_bytes), shown::many(of.history_files, "file"))),
        ("State", shown::bytes(of.state_bytes)),
        ("Free on the disk", of.free_bytes.map_or_else(|| "–".to_owned(), shown::bytes)),
    ];
    all.into_iter().map(|(label, value)| Figure { label, value }).collect()
}

/// The samples of which charts are drawn: where the one of now is of the same minute as the last, two bars would be called the
/// same, so it waits.
fn of_minutes(samples: &[Sample]) -> &[Sample] {
    match samples {
        [.., _, last, now] if last.at.0.div_euclid(MINUTE_MICROS) == now.at.0.div_euclid(MINUTE_MICROS) => {
            &samples[..samples.len() - 1]
        }
        _ => samples,
    }
}

fn charts(samples: &[Sample]) -> Vec<Chart> {
    let growth = |of: fn(&Sample) -> u64| {
        move |one: &Sample, other: &Sample| per_second(of(other).saturating_sub(of(one)), one, other)
    };
    let level = |of: fn(&Sample) -> u64| move |_: &Sample, other: &Sample| number(of(other));
    let chart = |title, picture| Chart { title, picture };
    vec![
        chart("Messages stored a second", drawn(samples, growth(|one| one.figures.stored), "messages a second")),
        chart("Requests a second", drawn(samples, growth(|one| one.requests), "requests a second")),
        chart("Mean milliseconds of a request", drawn(samples, mean_millis, "milliseconds")),
        chart("Failed requests a second", drawn(samples, growth(|one| one.failures), "failed requests a second")),
        chart(
            "Messages not in a checkpoint yet",
            drawn(samples, level(|one| one.figures.overlay_messages), "messages"),
        ),
        chart("Batches waiting", drawn(samples, level(|one| one.figures.queued_batches), "batches")),
    ]
}

/// A bar for each group of samples: what its ends come to.
fn drawn(samples: &[Sample], value: impl Fn(&Sample, &Sample) -> f64, of: &str) -> Html {
    let steps = samples.len().saturating_sub(1);
    let group = steps.div_ceil(BARS).max(1);
    let ends = (0..steps).step_by(group).map(|at| (&samples[at], &samples[(at + group).min(steps)]));
    let bars = ends.map(|(one, other)| Bar {
        label: other.at.to_millis_text().get(11..16).unwrap_or_default().to_owned(),
        value: value(one, other),
    });
    charts::bars(&bars.collect::<Vec<Bar>>(), of, Width::Half)
}

#[expect(clippy::cast_precision_loss, reason = "a picture is drawn in tenths of a pixel")]
fn number(count: u64) -> f64 {
    count as f64
}

fn per_second(grown: u64, one: &Sample, other: &Sample) -> f64 {
    let micros = u64::try_from(other.at.0 - one.at.0).unwrap_or(0);
    let rate = if micros == 0 { 0.0 } else { number(grown) * 1e6 / number(micros) };
    (rate * 100.0).round() / 100.0
}

fn mean_millis(one: &Sample, other: &Sample) -> f64 {
    let (micros, many) = (other.request_micros - one.request_micros, other.requests - one.requests);
    if many == 0 { 0.0 } else { (number(micros) / number(many) / 10.0).round() / 100.0 }
}

#[cfg(test)]
mod tests {
    use muster_model::time::Micros;

    use super::*;

    #[test]
    fn no_minute_is_drawn_twice() {
        let at = |seconds: i64| Sample { at: Micros(seconds * 1_000_000), ..Sample::default() };
        assert_eq!(of_minutes(&[at(0), at(60), at(119)]).len(), 2);
        assert_eq!(of_minutes(&[at(0), at(60), at(120)]).len(), 3);
        assert_eq!(of_minutes(&[at(0), at(20)]).len(), 2, "of the first minute something is drawn all the same");
    }

    #[test]
    fn rates_are_by_the_second() {
        let at = |seconds: i64, requests, request_micros| Sample {
            at: Micros(seconds * 1_000_000),
            requests,
            request_micros,
            ..Sample::default()
        };
        let (one, other) = (at(0, 10, 1_000), at(60, 130, 241_000));
        assert!((per_second(120, &one, &other) - 2.0).abs() < 1e-9);
        assert!((mean_millis(&one, &other) - 2.0).abs() < 1e-9);
        assert!(mean_millis(&one, &one).abs() < 1e-9);
    }
}
