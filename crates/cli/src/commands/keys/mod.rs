//! `muster keys`: making, listing and ending keys, beside a running server or without one.
//!
//! Without a server the data directory is opened, changed and closed; when a server has it, that server is asked over
//! its loopback address with the operator token of its run. Both ways give the same answers. A token is shown once, by
//! `create`, and kept only as a hash.

/// A key as it is shown, with its token only when it was just made.
pub mod shown;

/// In a data directory that nobody else uses.
pub mod offline;

/// By asking the running server.
pub mod beside;

/// The command: what is done, and what is printed.
pub mod run;

pub use run::run;
