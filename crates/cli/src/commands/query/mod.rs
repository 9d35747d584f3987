//! `muster query`: SQL over what was sent, beside a running server or without one.
//!
//! Without a server the data directory is opened and asked; when a server has it, that server is asked over its loopback
//! address with the operator token of its run. A server anywhere else is asked with a key's token. Both ways give the
//! same answers, because both are made by the same crate.

/// What is asked, from the command line.
pub mod order;

/// By asking a server.
pub mod beside;

/// In a data directory that nobody else uses.
pub mod offline;

/// An answer as a table for people.
pub mod shown;

/// The command: which way, and what is printed.
pub mod run;
