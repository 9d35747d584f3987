//! Every workload in turn, a row each.
//!
//! The list covers what senders do: batches and single messages, few and many connections, tracks only, mostly
//! profiles, repetitions, long messages, history. Each workload is measured as it would be alone, baseline included;
//! `--messages`, `--rounds`, `--dir` and `--verify` hold for each of them.

use serde::Serialize;

use super::{
    pattern::Mix,
    report::{Results, grouped, mebibytes, row},
    verify::Verified,
};
use crate::{args, exit::Exit, output};

/// A workload by its name.
type Workload = (&'static str, fn(&mut args::Bench));

/// Messages of a workload that sends them one by one, of those that `--messages` asks for: one in so many.
const SINGLES_DIVISOR: u64 = 25;

const WORKLOADS: [Workload; 10] = [
    ("batches of 100, 16 connections", |_| {}),
    ("batches of 100, 1 connection", |args| args.connections = 1),
    ("batches of 100, 64 connections", |args| args.connections = 64),
    ("single messages, 1 connection", |args| single(args, 1)),
    ("single messages, 16 connections", |args| single(args, 16)),
    ("single messages, 64 connections", |args| single(args, 64)),
    ("tracks only", |args| args.mix = Mix::Tracks),
    ("mostly profiles", |args| args.mix = Mix::Profiles),
    ("30 % sent before", |args| args.duplicates = 30),
    ("2 KB a message", |args| {
        args.message_bytes = 2_048;
        args.messages = (args.messages / 5).max(1);
    }),
];
/// Beside the list, because its timestamps would make the others' history files many.
const HISTORY: Workload = ("a year of history, any order", |args| args.days = 365);

fn single(args: &mut args::Bench, connections: u32) {
    args.batch = 1;
    args.connections = connections;
    args.messages = (args.messages / SINGLES_DIVISOR).max(1);
}

#[derive(Debug, Serialize)]
struct Row {
    workload: &'static str,
    results: Results,
}

/// Measures the list with `measure` and prints what came out.
pub fn run(args: &args::Bench, measure: impl Fn(&args::Bench) -> anyhow::Result<Results>) -> anyhow::Result<Exit> {
    let mut rows = Vec::new();
    for (workload, set) in WORKLOADS.into_iter().chain([HISTORY]) {
        output::talk(workload);
        let mut args = args.clone();
        args.lone = 0;
        set(&mut args);
        rows.push(Row { workload, results: measure(&args)? });
    }
    if args.json {
        output::json(&rows)?;
    } else {
        output::data(&table(&rows))?;
    }
    let holds = rows.iter().all(|row| row.results.verified.as_ref().is_none_or(Verified::holds));
    Ok(if holds { Exit::Success } else { Exit::Failure })
}

fn table(rows: &[Row]) -> String {
    let line = |Row { workload, results }: &Row| {
        let mut more =
            format!("{:.2} of the baseline's {}/s", results.ratio, grouped(results.baseline.median_per_second));
        if let (Some(disk), Some(memory)) = (results.disk, results.memory_peak_bytes) {
            more.push_str(&format!(
                "; history {:.1} B a message, {}",
                disk.history_bytes_per_message,
                mebibytes(memory)
            ));
        }
        if let Some(verified) = &results.verified {
            more.push_str(if verified.holds() { "; all there" } else { "; NOT ALL THERE" });
        }
        row(workload, &format!("{} messages/s", grouped(results.product.median_per_second)), &more)
    };
    output::table(&rows.iter().map(line).collect::<Vec<_>>())
}
