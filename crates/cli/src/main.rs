//! The `muster` program: reads the command line and the settings, runs one command, and ends with a documented code.
//!
//! The contents of this crate, in the order a start meets them, stand below.

/// What memory is taken from, and when it is given back.
mod allocator;

/// The command line as it is written.
mod args;

/// Settings: where they come from, what they may be, what they are.
mod config;

/// Logs on standard error.
mod telemetry;

/// The only place that prints.
mod output;

/// How the program ends, in numbers that scripts can rely on.
mod exit;

/// The one place that chooses a store.
mod assemble;

/// When to stop.
mod shutdown;

/// How commands on the same machine find the running server.
mod local;

/// Talking to a server as its own commands do.
mod client;

/// Numbers that look random and can be made again.
mod splitmix;

/// One module per command.
mod commands;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, error::ErrorKind};

use args::{Cli, Command};
use commands::{
    backup, bench, config as show_config, delete, demo, destinations, doctor, export, import, keys, migrate, moving,
    query, send, serve, team,
};
use config::{layers::Sources, settings::Settings};
use exit::Exit;

fn main() -> ExitCode {
    allocator::keep_for_the_next_checkpoint();
    telemetry::tell_of_panics_by_place();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return explain_usage(&error).into(),
    };
    match run(&cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let exit = exit::of(&error);
            if exit != Exit::Success {
                output::talk(&format!("error: {error:#}"));
            }
            exit.into()
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<Exit> {
    if let Some(says) = cli.misplaced() {
        return Err(exit::Failure::error(Exit::Usage, says));
    }
    let settings = Settings::load(Sources {
        flags: cli.flags(),
        environment: std::env::vars_os().collect(),
        directory: PathBuf::from("."),
    })?;
    match &cli.command {
        None | Some(Command::Serve(_)) => serve::run::run(settings),
        Some(Command::Keys(args)) => keys::run(&settings, args),
        Some(Command::Team(args)) => team::run(&settings, args),
        Some(Command::Destinations(args)) => destinations::run(&settings, args),
        Some(Command::Send(args)) => send::run::run(&settings, args),
        Some(Command::Import(args)) => import::run(&settings, args),
        Some(Command::Export(args)) => export::run(&settings, args),
        Some(Command::Query(args)) => query::run::run(&settings, args),
        Some(Command::Backup(args)) => backup::run(&settings, args),
        Some(Command::Delete(args)) => delete::delete(&settings, args),
        Some(Command::Receipts(args)) => delete::receipts(&settings, args),
        Some(Command::Doctor(args)) => doctor::run(&settings, args),
        Some(Command::Migrate) => migrate::run(&settings),
        Some(Command::Move(args)) => moving::run(&settings, args),
        Some(Command::Config(args)) => show_config::run(&settings, args),
        Some(Command::Demo(args)) => demo::run(&settings, args),
        Some(Command::Bench(args)) => bench::run::run(&settings, cli.config.as_deref(), args),
    }
}

/// Help and version are what was asked for and go to standard output; anything else is a wrong command line.
fn explain_usage(error: &clap::Error) -> Exit {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if asked {
        // A reader that closed standard output has seen enough of the help.
        let _ = output::data(&error.render().to_string());
        Exit::Success
    } else {
        output::talk(error.render().to_string().trim_end());
        Exit::Usage
    }
}
