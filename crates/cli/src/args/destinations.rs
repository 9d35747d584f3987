//! What `muster destinations` is told.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Reach;

#[derive(Debug, Subcommand)]
pub enum Destinations {
    /// List destinations, each with how it stands
    List(ListDestinations),
    /// Make a destination
    Create(Box<CreateDestination>),
    /// Remove a destination, with everything that waits for it
    Delete(OneDestination),
    /// Hold a destination up; what it has not had waits for it
    Pause(OneDestination),
    /// Let a destination go on, now
    Resume(OneDestination),
    /// List the messages that a destination refused, one a line, as JSON
    DeadLetters(OneDestination),
    /// Send dead letters again, all or one
    Resend(Letters),
    /// Drop dead letters, all or one
    Drop(Letters),
}

#[derive(Debug, Args)]
pub struct ListDestinations {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub reach: Reach,
}

#[derive(Debug, Args)]
pub struct CreateDestination {
    /// A name of your own: lower-case letters, digits, hyphens
    pub name: String,
    /// vitally, segment or webhook
    #[arg(long)]
    pub kind: String,
    /// Where it is; with vitally and segment their own address is the default
    #[arg(long = "to", value_name = "URL")]
    pub to: Option<String>,
    /// A file that holds the receiver's key, or a webhook's secret; a webhook's is made and shown when there is none. `-`
    /// reads it from standard input
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// `now`, or `start` for everything that there is
    #[arg(long, default_value = "now")]
    pub from: String,
    /// Only messages of these kinds
    #[arg(long = "type", value_delimiter = ',')]
    pub types: Vec<String>,
    /// Of the events only those of this name; give it again for others
    #[arg(long = "event")]
    pub events: Vec<String>,
    /// Only messages that name this account, by the sender's id; give it again for others
    #[arg(long = "account")]
    pub accounts: Vec<String>,
    /// Messages a second at the most
    #[arg(long, value_name = "MESSAGES")]
    pub rate: Option<u32>,
    /// Make it held up
    #[arg(long)]
    pub paused: bool,
    #[command(flatten)]
    pub reach: Reach,
}

#[derive(Debug, Args)]
pub struct OneDestination {
    /// The destination's name
    pub name: String,
    #[command(flatten)]
    pub reach: Reach,
}

#[derive(Debug, Args)]
pub struct Letters {
    /// The destination's name
    pub name: String,
    /// Only this one, by the id that `muster destinations dead-letters` shows
    #[arg(long, value_name = "ID")]
    pub letter: Option<String>,
    #[command(flatten)]
    pub reach: Reach,
}

impl Destinations {
    /// Where the data is.
    pub fn reach(&self) -> &Reach {
        match self {
            Destinations::List(args) => &args.reach,
            Destinations::Create(args) => &args.reach,
            Destinations::Delete(args)
            | Destinations::Pause(args)
            | Destinations::Resume(args)
            | Destinations::DeadLetters(args) => &args.reach,
            Destinations::Resend(args) | Destinations::Drop(args) => &args.reach,
        }
    }
}
