//! What `muster demo` is told.

use clap::Args;

use super::Reach;

/// Fewer would not tell the whole story.
const ACCOUNTS_MIN: i64 = 20;
/// About 40 million events.
const ACCOUNTS_MAX: i64 = 20_000;

#[derive(Debug, Args)]
pub struct Demo {
    #[command(flatten)]
    pub reach: Reach,
    /// Accounts in the story; each has about 15 users and 2 000 events
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(ACCOUNTS_MIN..=ACCOUNTS_MAX))]
    pub accounts: u32,
    /// Another number tells another story; the same one tells the same, message by message
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The last day of the year that is told, such as 2026-09-01 [default: today, up to now]
    #[arg(long, value_name = "DAY")]
    pub until: Option<String>,
    /// Also when there are messages in the workspace
    #[arg(long)]
    pub force: bool,
    /// Print what was made as JSON
    #[arg(long)]
    pub json: bool,
}
