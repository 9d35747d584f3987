//! `muster send`: a file of messages, whatever its size, to a server.
//!
//! The file is cut into messages ([`split`]), messages are packed into requests ([`pack`]), requests are delivered with
//! patience ([`deliver`]), and what became of them is reported ([`report`]). Memory is bounded by a few requests.
//! Sending the same file again is safe: a server stores each message once.
//!
//! [`split`]: crate::commands::send::split
//! [`pack`]: crate::commands::send::pack
//! [`deliver`]: crate::commands::send::deliver
//! [`report`]: crate::commands::send::report

/// Cutting a stream into messages: a JSON array or one message a line.
pub mod split;

/// Bytes of a stream, with a look ahead and the line they are in.
mod stream;

/// Packing messages into requests that a server takes.
pub mod pack;

/// Delivering one request: waiting, trying again, reading the answer.
pub mod deliver;

/// How refused rows of tables are written.
pub mod heading;

/// The file of refused messages.
pub mod refused_file;

/// What became of every message, for people and programs.
pub mod report;

/// From pieces to a server, with as many requests on their way as wished.
pub mod sending;

/// The command from its arguments to its exit code.
pub mod run;
