//! `muster import`: history from files, into a running server or a data directory that nobody uses.
//!
//! Files are found, decompressed and cut into records ([`sources`], [`rows`]); what others kept in forms of their own is
//! translated ([`forms`]); messages that say when they were received are put into that order ([`order`]), and everything
//! is packed, delivered and reported as `muster send` does it. Importing the same files again stores nothing twice, so an
//! import that was cut short is simply begun again.
//!
//! [`sources`]: crate::commands::import::sources
//! [`rows`]: crate::commands::import::rows
//! [`forms`]: crate::commands::import::forms
//! [`order`]: crate::commands::import::order

/// Files one after the other, decompressed and cut into records.
pub mod sources;

/// Rows of tables, CSV and Parquet.
pub mod rows;

/// What a server with Vitally's REST API has.
pub mod vitally;

/// Histories that others kept, turned into lines for a server.
pub mod forms;

/// Proposing what the columns of a table mean.
pub mod infer;

/// Messages in the order of their receipt, however many there are.
pub mod order;

/// The command from its arguments to its exit code.
pub mod run;

pub use run::run;
