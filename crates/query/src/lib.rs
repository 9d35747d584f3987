//! SQL over the seam: SQLite's language over virtual tables of one workspace.
//!
//! A query runs on the thread that asks for it, over one [`Moment`](muster_store::scan::Moment): all it reads is as of
//! one instant, what was acknowledged before included. Nothing can be changed, no file, network or system table reached,
//! no other workspace seen: the database is an empty one in memory, an authorizer lets through what is on a list and
//! nothing else, and the tables are ours. Time, memory, rows and bytes are bounded, and whoever asked can stop it.

/// What went wrong, for whoever asked.
pub mod error;

/// What a query may cost.
pub mod limits;

/// What is asked: the text, and values for its parameters.
pub mod request;

/// When to stop.
pub mod stop;

/// SQLite, fenced in: memory, permissions, functions, connections.
mod sqlite;

/// The tables.
mod tables;

/// Answers as JSON, CSV or Parquet.
pub mod output;

/// Running one query.
mod run;

/// Messages as a file or the files of a directory, whole or a selection of them.
mod export;

pub use error::QueryError;
pub use export::{ExportForm, Parts, Selection, export, export_parts, followed, frame::Frame};
pub use limits::{Limits, Spill};
pub use output::{Format, Gone, Out};
pub use request::{Params, Request};
pub use run::{Engine, Summary, TraitNames, run};
pub use sqlite::{
    heap::install as install_allocator,
    permissions::{DENIED_FUNCTIONS, allowed_functions},
};
pub use stop::Stop;
pub use tables::outline;
