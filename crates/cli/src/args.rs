//! The command line as it is written: names, defaults, one sentence each.
//!
//! Only the shape is checked here; what the values mean is decided by the commands and by [`crate::config`].

/// What `muster bench` is told.
mod bench;

/// What `muster demo` is told.
mod demo;

/// What `muster destinations` is told.
mod destinations;

/// What `muster export` is told.
mod export;

/// What `muster import` is told.
mod import;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::layers::Flags;
pub use bench::Bench;
pub use demo::Demo;
pub use destinations::{CreateDestination, Destinations, Letters};
pub use export::{Export, ExportFormat};
pub use import::{Import, ImportFormat, Imports, ListImports, UndoImport};

/// Customer data server for B2B software: takes messages about organizations, accounts, users and what they do, keeps
/// every one, and answers what is true now and what happened.
#[derive(Debug, Parser)]
#[command(
    name = "muster",
    version,
    arg_required_else_help = false,
    after_help = "Without a command, `muster` runs the server."
)]
pub struct Cli {
    /// Settings file [default: ./muster.toml if there is one]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// Directory that holds everything [default: ./muster-data]
    #[arg(long, value_name = "DIR", global = true)]
    pub data_dir: Option<String>,

    #[command(flatten)]
    pub serve: Serve,

    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    Serve(Serve),
    /// Make, list and end the keys that senders and readers use
    #[command(subcommand)]
    Keys(Keys),
    /// Add, list and remove the members of a team, as readers find them at `/resources/admins`
    #[command(subcommand)]
    Team(Team),
    /// Make, list and end destinations that messages go on to, and see what they refused
    #[command(subcommand)]
    Destinations(Destinations),
    /// Send a file of messages to a server
    Send(Send),
    /// Bring history in from files, into a running server or a data directory that none uses
    Import(Import),
    /// Write messages to a file, all or a selection, as of one moment
    Export(Export),
    /// Ask a question in SQL, of a server or of a data directory
    Query(Query),
    /// Copy everything to a new directory, while the server runs or without one
    Backup(Backup),
    /// Delete a record and everything that belongs to it alone
    Delete(Delete),
    /// Print the receipts of all deletions, one a line; keep them apart from backups
    Receipts(Receipts),
    /// Look for what is wrong with a data directory or a running server
    Doctor(Doctor),
    /// Bring the tables of a cluster's PostgreSQL to the version of this program, making them if there are none
    Migrate,
    /// Move everything that a data directory holds into the cluster of the settings, or from there into a new directory
    Move(Move),
    /// Show every setting and where it comes from
    Config(Config),
    /// Fill a workspace with a year of a made-up product, to have something to look at
    Demo(Demo),
    /// Measure this machine: messages a second, latency, bytes on disk, memory
    Bench(Box<Bench>),
}

#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Move {
    /// The data directory whose data the cluster takes over; the cluster has to hold none
    #[arg(long, value_name = "DIRECTORY")]
    pub from: Option<PathBuf>,
    /// The data directory to make of what the cluster holds; it must not be there, or be empty
    #[arg(long, value_name = "DIRECTORY")]
    pub into: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, Args)]
pub struct Serve {
    /// Address and port to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,

    /// What this node of a cluster does: some of intake, apply and console, with commas between [default: all of them]
    #[arg(long, value_name = "ROLES")]
    pub role: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a key and show its token, this once
    Create(CreateKey),
    /// List keys; tokens are never shown
    List(ListKeys),
    /// End a key; its token is refused from then on
    Revoke(RevokeKey),
}

#[derive(Debug, Args)]
pub struct CreateKey {
    /// Workspace the key belongs to; made if it does not exist
    #[arg(long, default_value = "default")]
    pub workspace: String,
    /// What the key may do: write, read, admin, with commas between; operator sees which workspaces there are and makes others
    #[arg(long, default_value = "write,read,admin")]
    pub scope: String,
    /// What the key is for, in your own words
    #[arg(long, default_value = "")]
    pub name: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ListKeys {
    /// Only keys of this workspace
    #[arg(long)]
    pub workspace: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RevokeKey {
    /// The key's id, as `muster keys list` shows it
    pub id: u64,
    /// Only if the key belongs to this workspace
    #[arg(long)]
    pub workspace: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Team {
    /// Add a member
    Add(AddMember),
    /// List the members, oldest first
    List(ListMembers),
    /// Remove a member
    Remove(RemoveMember),
}

#[derive(Debug, Args)]
pub struct AddMember {
    /// The member's e-mail address
    pub email: String,
    /// The member's name
    #[arg(long, default_value = "")]
    pub name: String,
    /// Workspace that the team is of
    #[arg(long, default_value = "default")]
    pub workspace: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ListMembers {
    /// Workspace that the team is of
    #[arg(long, default_value = "default")]
    pub workspace: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RemoveMember {
    /// The member's e-mail address or id
    pub member: String,
    /// Workspace that the team is of
    #[arg(long, default_value = "default")]
    pub workspace: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What can be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Deletable {
    User,
    Account,
    Organization,
}

#[derive(Debug, Args)]
pub struct Delete {
    /// What it is
    pub kind: Deletable,
    /// Its UUID or external id
    pub id: String,
    /// The day on which to delete it, when it begins (UTC), such as 2026-09-01, rather than now
    #[arg(long, value_name = "DAY")]
    pub on: Option<String>,
    #[command(flatten)]
    pub at: At,
}

#[derive(Debug, Args)]
pub struct Receipts {
    #[command(flatten)]
    pub at: At,
}

#[derive(Debug, Args)]
pub struct Send {
    /// JSON array or one message a line; `-` reads standard input
    pub file: PathBuf,
    /// The server [default: MUSTER_URL, else the one running over the data directory, else http://127.0.0.1:8080]
    #[arg(long)]
    pub url: Option<String>,
    /// A token with scope write; better in MUSTER_TOKEN, where process lists do not show it
    #[arg(long)]
    pub token: Option<String>,
    /// A PEM file with the authority of the server's certificate, if browsers do not know it; or in MUSTER_CA
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Write refused messages here, one a line, to be corrected and sent again
    #[arg(long, value_name = "FILE")]
    pub refused: Option<PathBuf>,
    /// Requests on their way at the same time; more is faster, and then messages arrive in any order
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub connections: u16,
    /// Seconds to keep trying while the server is busy or away
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    pub patience: u64,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

/// A server, and a token for it.
#[derive(Debug, Args)]
pub struct At {
    /// The server [default: MUSTER_URL, else the data directory, through the server that runs over it if one does]
    #[arg(long)]
    pub url: Option<String>,
    /// A token for it; better in MUSTER_TOKEN, where process lists do not show it
    #[arg(long)]
    pub token: Option<String>,
    /// A PEM file with the authority of the server's certificate, if browsers do not know it; or in MUSTER_CA
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// Where the data is.
#[derive(Debug, Args)]
pub struct Reach {
    /// Workspace; with --url it is the token's
    #[arg(long, default_value = "default")]
    pub workspace: String,
    #[command(flatten)]
    pub at: At,
}

#[derive(Debug, Args)]
pub struct Query {
    /// One SELECT over organizations, accounts, users, links, events, messages, traits and daily; `-` reads it from
    /// standard input
    pub sql: String,
    /// A text for the next `?` of the statement; give it again for each
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub param: Vec<String>,
    /// Values for all parameters as JSON: an array, or an object for named ones
    #[arg(long, value_name = "JSON", conflicts_with = "param")]
    pub params: Option<String>,
    /// How the answer is shown [default: table on a terminal, csv elsewhere]
    #[arg(long)]
    pub format: Option<QueryFormat>,
    #[command(flatten)]
    pub reach: Reach,
}

/// How an answer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum QueryFormat {
    Table,
    Json,
    Csv,
    Parquet,
}

#[derive(Debug, Args)]
pub struct Backup {
    /// A directory that does not exist yet, or is empty; best on another disk
    pub directory: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Doctor {
    /// Receipts that `muster receipts` printed and that were kept: whether they are as they were, and the directory's own
    #[arg(long, value_name = "FILE")]
    pub receipts: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Config {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Print the built-in settings file, to start your own from
    #[arg(long, conflicts_with = "json")]
    pub default: bool,
}

impl Cli {
    /// What the command line says about settings.
    pub fn flags(&self) -> Flags {
        let of_command = match &self.command {
            Some(Command::Serve(serve)) => serve.clone(),
            _ => Serve::default(),
        };
        Flags {
            config: self.config.clone(),
            listen: of_command.listen.or_else(|| self.serve.listen.clone()),
            data_dir: self.data_dir.clone(),
            role: of_command.role.or_else(|| self.serve.role.clone()),
        }
    }

    /// A sentence when what the server is told stands before another command.
    pub fn misplaced(&self) -> Option<&'static str> {
        let serves = matches!(self.command, None | Some(Command::Serve(_)));
        let role = self.serve.role.as_ref().map(|_| "--role belongs to `muster serve`");
        let listen = self.serve.listen.as_ref().map(|_| "--listen belongs to `muster serve`");
        listen.or(role).filter(|_| !serves)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_command_it_serves() {
        let flags = |line: &str| Cli::try_parse_from(line.split(' ')).unwrap().flags();
        assert_eq!(flags("muster --listen a --data-dir d").listen.as_deref(), Some("a"));
        assert_eq!(flags("muster --listen a serve --listen b").listen.as_deref(), Some("b"));
        assert_eq!(flags("muster keys list --data-dir d").data_dir.as_deref(), Some("d"));
        assert_eq!(flags("muster --config c doctor").config, Some(PathBuf::from("c")));
        let misplaced = Cli::try_parse_from(["muster", "--listen", "a", "config"]).unwrap();
        assert!(misplaced.misplaced().is_some());
        let misplaced = Cli::try_parse_from(["muster", "--role", "apply", "config"]).unwrap();
        assert!(misplaced.misplaced().is_some());
        assert_eq!(flags("muster serve --role apply").role.as_deref(), Some("apply"));
    }
}
