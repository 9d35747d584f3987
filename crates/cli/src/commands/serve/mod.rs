//! `muster serve`: the server, from settings to a graceful end.

/// The file-handle limit.
pub mod handles;

/// The first key of a new data directory.
pub mod first_key;

/// The server's certificate and key, read from their files and read again when those change.
pub mod certificate;

/// What a person is told at the first start.
pub mod welcome;

/// Moving to a cluster meanwhile.
pub mod moving;

/// The command: open, bind, announce, serve, close.
pub mod run;
