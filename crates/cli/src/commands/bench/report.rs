//! What was measured, as a table and as JSON.

use serde::Serialize;

use super::{
    figures::{Disk, Latency, median},
    load::Sent,
    pattern::Mix,
    verify::Verified,
};
use crate::{args, output};

/// Everything that a benchmark found out.
#[derive(Debug, Serialize)]
pub struct Results {
    pub version: &'static str,
    pub processors: usize,
    pub workload: Workload,
    pub baseline: Rates,
    pub product: Rates,
    /// The median of the pairs' ratios, product to baseline.
    pub ratio: f64,
    /// Seconds for which the product went on working after each of its runs.
    pub settling_seconds: Vec<f64>,
    /// Processor time of the product's process, user and system, until it was at rest again; the median of the runs.
    pub processor_micros_per_message: Option<f64>,
    /// Requests that the product turned away for a moment.
    pub busy_answers: u64,
    pub lone: Option<Latency>,
    pub fixed_rate: Option<FixedRate>,
    pub disk: Option<Disk>,
    pub memory_peak_bytes: Option<u64>,
    pub verified: Option<Verified>,
    /// What a reader of the figures should know.
    pub remarks: Vec<String>,
}

/// What was sent.
#[derive(Debug, Serialize)]
pub struct Workload {
    pub messages: u64,
    pub mix: Mix,
    pub message_bytes: usize,
    pub days: u32,
    pub messages_per_request: u32,
    pub connections: u32,
    pub rounds: u32,
    pub duplicates_percent: u8,
    pub accounts: u32,
    pub users: u32,
}

impl Workload {
    pub fn of(args: &args::Bench, messages: u64) -> Workload {
        Workload {
            messages,
            mix: args.mix,
            message_bytes: args.message_bytes,
            days: args.days,
            messages_per_request: args.batch,
            connections: args.connections,
            rounds: args.rounds,
            duplicates_percent: args.duplicates,
            accounts: args.accounts,
            users: args.users,
        }
    }
}

/// What a fixed rate did to the product: latencies of whole batches, from when each should have been sent.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FixedRate {
    pub asked_per_second: u64,
    pub reached_per_second: f64,
    pub busy_answers: u64,
    pub latency: Latency,
}

/// Messages a second of one server.
#[derive(Debug, Serialize)]
pub struct Rates {
    pub median_per_second: f64,
    pub per_second: Vec<f64>,
}

impl Rates {
    pub fn of(runs: &[Sent]) -> Rates {
        let per_second: Vec<f64> = runs.iter().map(Sent::per_second).collect();
        Rates { median_per_second: median(&per_second), per_second }
    }
}

/// The median of what the product reached of the baseline in each pair of runs.
pub fn ratio(baseline: &[Sent], product: &[Sent]) -> f64 {
    let of_pair = |(baseline, product): (&Sent, &Sent)| product.per_second() / baseline.per_second().max(1.0);
    median(&baseline.iter().zip(product).map(of_pair).collect::<Vec<_>>())
}

impl Results {
    /// The table for people.
    pub fn table(&self) -> String {
        let mut rows = vec![
            row("baseline (parses and drops)", &rate(&self.baseline), &spread(&self.baseline)),
            row("product (stored, synced)", &rate(&self.product), &spread(&self.product)),
            row("product to baseline", &format!("{:.3}", self.ratio), "median of the pairs"),
        ];
        if let Some(micros) = self.processor_micros_per_message {
            let others = "of the product's process, with what it did afterwards";
            rows.push(row("processor time", &format!("{micros:.1} µs a message"), others));
        }
        if let Some(lone) = self.lone {
            let others =
                format!("p50 {}, max {}, {} requests", millis(lone.p50_micros), millis(lone.max_micros), lone.requests);
            rows.push(row("lone message", &format!("p99 {}", millis(lone.p99_micros)), &others));
        }
        if let Some(fixed) = self.fixed_rate {
            let latency = fixed.latency;
            let figure = format!("p99 {}", millis(latency.p99_micros));
            let others = format!(
                "p50 {}, max {} from when it was due; {} messages/s reached, {} answers were busy",
                millis(latency.p50_micros),
                millis(latency.max_micros),
                grouped(fixed.reached_per_second),
                fixed.busy_answers
            );
            rows.push(row(&format!("a batch at {}/s", grouped(fixed.asked_per_second as f64)), &figure, &others));
        }
        if let Some(disk) = self.disk {
            let parts = format!(
                "history {:.1} of it; journal {}, history {}, state {}",
                disk.history_bytes_per_message,
                mebibytes(disk.journal_bytes),
                mebibytes(disk.history_bytes),
                mebibytes(disk.state_bytes)
            );
            rows.push(row("on disk", &format!("{:.1} bytes a message", disk.bytes_per_message), &parts));
        }
        if let Some(bytes) = self.memory_peak_bytes {
            rows.push(row("memory", &mebibytes(bytes), "most ever resident"));
        }
        if let Some(verified) = &self.verified {
            rows.push(row(
                "verified",
                if verified.holds() { "all there" } else { "NOT ALL THERE" },
                &looked_at(verified),
            ));
        }
        let mut text = output::table(&rows);
        for remark in &self.remarks {
            text.push_str(&format!("\n{remark}\n"));
        }
        text
    }
}

pub fn row(what: &str, figure: &str, more: &str) -> Vec<String> {
    [what, figure, more].map(str::to_owned).to_vec()
}

fn rate(rates: &Rates) -> String {
    format!("{} messages/s", grouped(rates.median_per_second))
}

fn spread(rates: &Rates) -> String {
    let least = rates.per_second.iter().copied().fold(f64::INFINITY, f64::min);
    let most = rates.per_second.iter().copied().fold(0.0, f64::max);
    format!("median of {}, {} to {}", rates.per_second.len(), grouped(least), grouped(most))
}

fn looked_at(verified: &Verified) -> String {
    let Verified { expected_messages, stored_messages, timelines, events, missing, unexpected } = verified;
    let mut text = format!(
        "{stored_messages} stored of {expected_messages} acknowledged; {events} events on {timelines} timelines"
    );
    for (ids, what) in [(missing, "missing"), (unexpected, "unexpected")] {
        if let Some(first) = ids.first() {
            text.push_str(&format!("; {} {what}, such as {first}", ids.len()));
        }
    }
    text
}

fn millis(micros: u64) -> String {
    format!("{:.2} ms", micros as f64 / 1_000.0)
}

pub fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// A whole number with spaces between groups of three digits.
pub fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_readable() {
        assert_eq!(grouped(1_234_567.4), "1 234 567");
        assert_eq!(grouped(12.0), "12");
        assert_eq!(millis(1_234), "1.23 ms");
    }

    #[test]
    fn pairs_are_compared_pair_by_pair() {
        let run = |messages| Sent { messages, seconds: 1.0, ..Sent::default() };
        let (baseline, product) = ([run(100), run(200), run(400)], [run(50), run(50), run(100)]);
        assert_eq!(ratio(&baseline, &product), 0.25);
        assert_eq!(Rates::of(&baseline).median_per_second, 200.0);
    }
}
