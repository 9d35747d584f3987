//! One module per command, each with a `run` that ends in an exit code.

/// Running the server, from settings to a graceful end.
pub mod serve;

/// Deleting records, and printing receipts.
pub mod delete;

/// Making, listing and ending keys, beside a running server or without one.
pub mod keys;

/// Adding, listing and removing team members.
pub mod team;

/// Which way an order about a data directory goes.
pub mod way;

/// Sending a file of messages.
pub mod send;

/// SQL over what was sent, beside a running server or without one.
pub mod query;

/// Looking for what is wrong.
pub mod doctor;

/// Showing every setting and where it comes from.
pub mod config;

/// Measuring.
pub mod bench;
