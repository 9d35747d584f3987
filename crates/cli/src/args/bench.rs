//! What `muster bench` is told.

use std::path::PathBuf;

use clap::Args;

use crate::commands::bench::pattern::{MESSAGE_BYTES_MAX, MESSAGE_BYTES_MIN, Mix};

#[derive(Clone, Debug, Args)]
pub struct Bench {
    /// Messages to send to the product, in all rounds together
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub messages: u64,
    /// Pairs of runs, baseline then product, over which medians are taken
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub rounds: u32,
    /// Connections that send at the same time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub connections: u32,
    /// Messages a request
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub batch: u32,
    /// Percent of messages that were sent before
    #[arg(long, default_value_t = 0, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub duplicates: u8,
    /// Accounts that messages are spread over
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub accounts: u32,
    /// Users that messages are spread over
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub users: u32,
    /// Which kinds of message are sent
    #[arg(long, value_enum, default_value_t)]
    pub mix: Mix,
    /// Bytes of every message
    #[arg(long, value_name = "BYTES", default_value_t = MESSAGE_BYTES_MIN, value_parser = bytes_of_message)]
    pub message_bytes: usize,
    /// Timestamps lie anywhere in so many days before now, as in an import of history; 0: they move forward
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=36_500))]
    pub days: u32,
    /// Afterwards send at this fixed rate for `--rate-seconds` and measure from when each batch should have been sent
    #[arg(long, value_name = "MESSAGES/S", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub rate: Option<u64>,
    /// How long the fixed rate is kept
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub rate_seconds: u32,
    /// Measure a list of workloads instead, each with servers of its own, and print a row for each
    #[arg(long, conflicts_with_all = ["url", "rate"])]
    pub sweep: bool,
    /// Single-message requests whose latency is measured; 0 leaves that out
    #[arg(long, default_value_t = 2_000)]
    pub lone: u32,
    /// Afterwards look for what was acknowledged
    #[arg(long)]
    pub verify: bool,
    /// Where the temporary data directory is made; it should lie on the disk you want to measure
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Measure this running server instead of one of its own; loopback only
    #[arg(long)]
    pub url: Option<String>,
    /// A token with scopes write and read for `--url`; better in MUSTER_TOKEN
    #[arg(long, requires = "url")]
    pub token: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Serve as the baseline: read each batch, parse it, drop it (started by `bench` itself)
    #[arg(long, hide = true)]
    pub baseline_server: bool,
}

/// Reads a size that every kind of message fits in and the server takes.
fn bytes_of_message(text: &str) -> Result<usize, String> {
    let bytes: usize = text.parse().map_err(|_| format!("{text} is no number of bytes"))?;
    let fits = (MESSAGE_BYTES_MIN..=MESSAGE_BYTES_MAX).contains(&bytes);
    fits.then_some(bytes).ok_or_else(|| format!("a message has {MESSAGE_BYTES_MIN} to {MESSAGE_BYTES_MAX} bytes here"))
}
