//! SQLite, fenced in.
//!
//! Every connection is an empty database in memory that lives for one query. What SQLite could do beyond computing is
//! switched off or refused here.

/// A bound on the memory of each query.
pub mod heap;

/// Temporary files for what does not fit in memory.
pub mod spill;

/// What a statement may name.
pub mod permissions;

/// Functions whose built-in form takes time in the square of its input.
pub mod functions;

/// Opening a connection.
pub mod connection;

/// What SQLite's errors mean.
pub mod faults;
