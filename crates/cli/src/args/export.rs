//! What `muster export` is told.

use std::path::PathBuf;

use clap::Args;

use super::Reach;

#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    pub reach: Reach,
    /// File to write, compressed when its name ends in .gz or .zst; or a directory, which ends in a slash unless it is
    /// there, for files by kind and month [default: standard output]
    #[arg(long, value_name = "FILE or DIR/")]
    pub out: Option<PathBuf>,
    /// Replace the file, or the export in the directory, if it is there
    #[arg(long, requires = "out")]
    pub replace: bool,
    /// The form of the file
    #[arg(long, value_enum, default_value_t)]
    pub format: ExportFormat,
    /// In a directory: bytes after which a file ends and the next one begins, before it is compressed
    #[arg(long, value_name = "BYTES", default_value_t = 256 << 20, value_parser = clap::value_parser!(u64).range(1 << 20..=16 << 30))]
    pub part_bytes: u64,
    /// Go on with what is stored after the export, until stopped; needs a server that runs
    #[arg(long, conflicts_with_all = ["replace", "part_bytes"])]
    pub follow: bool,
    /// With --follow: keep in this file how far it has come, and go on from there
    #[arg(long, value_name = "FILE")]
    pub position: Option<PathBuf>,
    /// End what the server keeps for a position, and remove its file
    #[arg(long, requires = "position", conflicts_with = "follow")]
    pub forget: bool,
    /// Only messages of this kind; give it again for others
    #[arg(long, value_delimiter = ',')]
    pub kind: Vec<String>,
    /// Only tracks of this organization's timeline, whatever they name, and other messages that name it, by the sender's
    /// id; with --follow only what names it
    #[arg(long, value_name = "ID")]
    pub organization: Option<String>,
    /// The same of this account
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// The same of this user
    #[arg(long, value_name = "ID")]
    pub user: Option<String>,
    /// Only tracks of this name
    #[arg(long, value_name = "NAME")]
    pub event: Option<String>,
    /// Only messages whose timestamp is this instant or later
    #[arg(long, value_name = "TIME")]
    pub after: Option<String>,
    /// Only messages whose timestamp is earlier than this instant
    #[arg(long, value_name = "TIME")]
    pub before: Option<String>,
}

/// The form of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFormat {
    #[default]
    Ndjson,
    Csv,
    Parquet,
}

impl ExportFormat {
    /// Its name, as servers know it.
    pub fn name(self) -> &'static str {
        match self {
            ExportFormat::Ndjson => "ndjson",
            ExportFormat::Csv => "csv",
            ExportFormat::Parquet => "parquet",
        }
    }
}

impl Export {
    /// What of everything is asked for, as parameters of a request; empty where nothing was said.
    pub fn selection(&self) -> Vec<(&'static str, String)> {
        let given = |value: &Option<String>| value.clone().unwrap_or_default();
        vec![
            ("kind", self.kind.join(",")),
            ("organization", given(&self.organization)),
            ("account", given(&self.account)),
            ("user", given(&self.user)),
            ("event", given(&self.event)),
            ("after", given(&self.after)),
            ("before", given(&self.before)),
        ]
    }
}
