//! `muster export`: messages as a file or a directory, whole or a selection of them, beside a running server or without one.
//!
//! What is written is as of one moment. A file gets its name when it is whole; before that it has another one.

/// Where it is written.
pub mod file;

/// The files of a directory.
pub mod directory;

/// How far `--follow` has come.
pub mod position;

/// What is stored after an export.
pub mod follow;

/// The command: what is asked, and what is said.
pub mod run;

pub use run::run;
