//! One module per command, each with a `run` that ends in an exit code.

/// Running the server, from settings to a graceful end.
pub mod serve;

/// Deleting records, and printing receipts.
pub mod delete;

/// Making, listing and ending keys, beside a running server or without one.
pub mod keys;

/// Adding, listing and removing team members.
pub mod team;

/// Where messages go on to.
pub mod destinations;

/// Which way an order about a data directory goes.
pub mod way;

/// A server to talk to, wherever the data is.
pub mod reach;

/// Sending a file of messages.
pub mod send;

/// History in, from files.
pub mod import;

/// Messages out, as a file.
pub mod export;

/// SQL over what was sent, beside a running server or without one.
pub mod query;

/// Copying everything to a new directory.
pub mod backup;

/// Looking for what is wrong.
pub mod doctor;

/// Making the tables of a cluster, or changing them for a newer program.
pub mod migrate;

/// Moving everything between a directory and a cluster.
pub mod moving;

/// Showing every setting and where it comes from.
pub mod config;

/// A year of a made-up product, to have something to look at.
pub mod demo;

/// Measuring.
pub mod bench;
