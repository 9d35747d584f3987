//! `muster export`: messages as a file, whole or a selection of them, beside a running server or without one.
//!
//! What is written is as of one moment. A file gets its name when it is whole; before that it has another one.

/// Where it is written.
pub mod file;

/// The command: what is asked, and what is said.
pub mod run;

pub use run::run;
