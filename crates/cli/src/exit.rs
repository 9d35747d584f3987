//! How the program ends, in numbers that scripts can rely on.
//!
//! The numbers are part of the contract and listed in `docs/operations.md`; a test compares. Refusing or failing is
//! never 0.

use std::{fmt, process::ExitCode};

use crate::config::origin::SettingsError;
use crate::output::StdoutClosed;

/// The documented exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Everything was done.
    Success = 0,
    /// Something failed; the message says what.
    Failure = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A setting is wrong.
    Settings = 3,
    /// Another process uses the data directory.
    InUse = 4,
    /// The server did not answer, or not in time.
    Unreachable = 5,
    /// Some messages were refused; the others are stored.
    Refused = 6,
    /// `doctor` found something to look at.
    Warnings = 7,
    /// `doctor` found something broken.
    Faults = 8,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// An error that knows how the program ends.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    says: String,
}

impl Failure {
    /// The error for a sentence that says what happened, to what, and what to do next.
    pub fn error(exit: Exit, says: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Failure { exit, says: says.into() })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.says)
    }
}

impl std::error::Error for Failure {}

/// How the program ends after an error.
pub fn of(error: &anyhow::Error) -> Exit {
    if error.is::<StdoutClosed>() {
        // Whoever read our output has seen enough.
        Exit::Success
    } else if error.is::<SettingsError>() {
        Exit::Settings
    } else {
        error.downcast_ref::<Failure>().map_or(Exit::Failure, |failure| failure.exit)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn errors_know_their_exit_also_below_a_context() {
        let settings = anyhow::Error::new(SettingsError("listen".to_owned()));
        assert_eq!(of(&settings), Exit::Settings);
        let in_use = Err::<(), _>(Failure::error(Exit::InUse, "taken")).context("opening").unwrap_err();
        assert_eq!(of(&in_use), Exit::InUse);
        assert_eq!(of(&anyhow::Error::new(StdoutClosed)), Exit::Success);
        assert_eq!(of(&anyhow!("anything")), Exit::Failure);
    }

    #[test]
    fn the_documented_codes_are_these() {
        let page = include_str!("../../../docs/operations.md");
        let codes = [
            (Exit::Success, "Everything was done"),
            (Exit::Failure, "Something failed"),
            (Exit::Usage, "The command line is wrong"),
            (Exit::Settings, "A setting is wrong"),
            (Exit::InUse, "Another process uses the data directory"),
            (Exit::Unreachable, "The server did not answer"),
            (Exit::Refused, "Some messages were refused"),
            (Exit::Warnings, "`doctor` found something to look at"),
            (Exit::Faults, "`doctor` found something broken"),
        ];
        for (number, (exit, words)) in codes.into_iter().enumerate() {
            assert_eq!(exit as usize, number);
            let row = format!("| {number} | {words}");
            assert!(page.contains(&row), "docs/operations.md has no row {row:?}");
        }
    }
}
