//! What `muster import` is told.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Reach;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Import {
    #[command(subcommand)]
    pub other: Option<Imports>,
    /// Files of messages (JSON arrays or one message a line, gzip, zstd and zip too), directories of them, `-` for
    /// standard input
    #[arg(required_unless_present = "from_vitally")]
    pub source: Vec<PathBuf>,
    #[command(flatten)]
    pub reach: Reach,
    /// Whose export the files are
    #[arg(long, value_enum, default_value_t, conflicts_with_all = ["map", "infer"])]
    pub format: ImportFormat,
    /// The type of group, or the property of an event, that is the account; needed where there are several
    #[arg(long, value_name = "NAME")]
    pub account_group: Option<String>,
    /// The files are tables (CSV, Parquet, or JSON rows), whose columns mean what this file says
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// Propose a mapping for the files and show what it makes of their first rows; nothing is imported
    #[arg(long, conflicts_with = "map")]
    pub infer: bool,
    /// Fetch organizations, accounts, users and NPS responses from a server with Vitally's REST API instead
    #[arg(long, value_name = "URL", conflicts_with_all = ["source", "format", "map", "infer"])]
    pub from_vitally: Option<String>,
    /// The token for --from-vitally; better in MUSTER_FROM_TOKEN, where process lists do not show it
    #[arg(long, value_name = "TOKEN", requires = "from_vitally")]
    pub from_token: Option<String>,
    /// Write what is refused here, in the form it came in, to be corrected and imported again
    #[arg(long, value_name = "FILE")]
    pub refused: Option<PathBuf>,
    /// Only say what would become of the messages
    #[arg(long)]
    pub dry_run: bool,
    /// Begin anew, also where an import of the same files was cut short
    #[arg(long)]
    pub again: bool,
    /// Seconds to keep trying while the server is busy or away
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    pub patience: u64,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

/// Whose export files are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ImportFormat {
    /// Messages of ours
    #[default]
    Muster,
    /// Calls of the Segment spec, as Segment and RudderStack archive them
    Segment,
    Mixpanel,
    Amplitude,
    Posthog,
}

impl ImportFormat {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            ImportFormat::Muster => "muster",
            ImportFormat::Segment => "segment",
            ImportFormat::Mixpanel => "mixpanel",
            ImportFormat::Amplitude => "amplitude",
            ImportFormat::Posthog => "posthog",
        }
    }
}

/// What is asked of imports besides importing. A file of such a name is imported with `./` before it.
#[derive(Debug, Subcommand)]
pub enum Imports {
    /// List imports, newest first, each with how far it has come
    List(ListImports),
    /// Take back what an import brought, and nobody else sent
    Undo(UndoImport),
}

#[derive(Debug, Args)]
pub struct ListImports {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub reach: Reach,
}

#[derive(Debug, Args)]
pub struct UndoImport {
    /// The number of the import, as it printed it
    pub id: u32,
    /// Do not wait until it is done
    #[arg(long)]
    pub no_wait: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub reach: Reach,
}
