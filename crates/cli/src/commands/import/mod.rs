//! `muster import`: history from files, into a running server or a data directory that nobody uses.
//!
//! Files are found, decompressed and cut into records ([`sources`], [`rows`]); what others kept in forms of their own is
//! translated ([`forms`]); messages that say when they were received are put into that order ([`order`]), and everything
//! is packed and delivered, several requests at once, in their order ([`course`]). The server keeps how far an import has
//! come ([`known`]), so that one that was cut short goes on from there; importing the same files again stores nothing twice.
//!
//! [`sources`]: crate::commands::import::sources
//! [`rows`]: crate::commands::import::rows
//! [`forms`]: crate::commands::import::forms
//! [`order`]: crate::commands::import::order
//! [`course`]: crate::commands::import::course
//! [`known`]: crate::commands::import::known

/// Files one after the other, decompressed and cut into records.
pub mod sources;

/// Rows of tables, CSV and Parquet.
pub mod rows;

/// In which line of a file a row begins.
mod lines;

/// What a server with Vitally's REST API has.
pub mod vitally;

/// Histories that others kept, turned into lines for a server.
pub mod forms;

/// Proposing what the columns of a table mean.
pub mod infer;

/// Messages in the order of their receipt, however many there are.
pub mod order;

/// The import as the server knows it: begun, or gone on with.
pub mod known;

/// By what an import that was cut short goes on where it was.
pub mod bookmark;

/// From pieces to the server, in their order.
pub mod course;

/// Imports for people.
pub mod shown;

/// Listing imports.
pub mod list;

/// Taking an import back.
pub mod undo;

/// The command from its arguments to its exit code.
pub mod run;

pub use run::run;
