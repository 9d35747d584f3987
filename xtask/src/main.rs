//! The repository's own checks, run as `cargo xtask <command>`.
//!
//! `tidy` holds the sources to the house rules that no compiler knows; `licences` holds the dependencies to `deny.toml`
//! where `cargo-deny` is not installed. Both read, print what is wrong and where, and exit with 1 when anything is.
//! Neither ever changes a file.

/// One thing that is wrong, where, and what to do about it.
mod finding;

/// The files of the repository, read once.
mod tree;

/// A Rust file as tokens with line numbers: what the checks look at instead of text.
mod source;

/// The house rules, one file per group of rules.
mod tidy;

/// Licences, sources and bans of every dependency.
mod licences;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::finding::Finding;
use crate::tree::Tree;

/// Checks of the Muster repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check the sources and documents against the house rules.
    Tidy,
    /// Check every dependency against deny.toml: licence, source, bans.
    #[command(alias = "licenses")]
    Licences,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let root = repository_root()?;
    let (name, looked_at, findings) = match arguments.command {
        Command::Tidy => {
            let tree = Tree::read(&root)?;
            ("tidy", format!("{} files", tree.len()), tidy::check(&tree))
        }
        Command::Licences => {
            let verdict = licences::check(&root)?;
            say(&verdict.notes)?;
            ("licences", format!("{} packages", verdict.packages), verdict.findings)
        }
    };
    report(name, &looked_at, findings)
}

/// The directory that holds the workspace manifest; xtask is always one level below it.
fn repository_root() -> anyhow::Result<PathBuf> {
    // As cargo says now: what runs may have been built in another checkout that shares the target directory.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let here = Path::new(&here);
    let root = here.parent().context("the xtask directory has no parent directory")?;
    Ok(root.to_path_buf())
}

fn report(name: &str, looked_at: &str, mut findings: Vec<Finding>) -> anyhow::Result<ExitCode> {
    findings.sort();
    findings.dedup();
    say(&findings.iter().map(Finding::to_string).collect::<Vec<_>>())?;
    if findings.is_empty() {
        say(&[format!("{name}: {looked_at} checked, nothing to report")])?;
        return Ok(ExitCode::SUCCESS);
    }
    say(&[format!("{name}: {looked_at} checked, {} to put right (above)", findings.len())])?;
    Ok(ExitCode::FAILURE)
}

fn say(lines: &[String]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))
}
