//! `muster bench`: what this machine can do, measured against a server that only parses and drops.
//!
//! Both servers are processes of their own ([`child`]); the generator sits beside them on the same processors and
//! therefore does as little as possible: requests are built once ([`workload`]) and only their changing digits are
//! patched before they are sent again over plain sockets ([`load`]). Runs of baseline and product alternate, medians
//! are compared, and `--verify` looks for what was acknowledged ([`verify`]). The method is described in
//! `docs/performance.md`.
//!
//! [`child`]: crate::commands::bench::child
//! [`workload`]: crate::commands::bench::workload
//! [`load`]: crate::commands::bench::load
//! [`verify`]: crate::commands::bench::verify

/// Messages by number: what is in the n-th one, and where its digits stand in a request.
pub mod workload;

/// The text of one message with places for its changing digits.
pub mod pattern;

/// Sending prepared requests over plain sockets and reading as little of the answers as is needed.
pub mod load;

/// The servers under measurement, as processes of their own.
pub mod child;

/// The server that parses and drops.
pub mod baseline;

/// Looking for what was acknowledged.
pub mod verify;

/// Medians, percentiles and sizes.
pub mod figures;

/// What was measured, as a table and as JSON.
pub mod report;

/// Every workload in turn, a row each.
pub mod sweep;

/// The command from its arguments to its report.
pub mod run;
