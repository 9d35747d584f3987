//! Queries, asked of the twin and of the engine.

/// Stores with something in them, and queries asked of them.
mod ask;

/// What the tables show.
mod tables;

/// What is looked at for a query.
mod pushdown;

/// Orders that tables hand out rows in.
mod sorts;

/// What no query may do.
mod fence;

/// Queries that would cost too much.
mod bombs;

/// The same queries over ordinary tables.
mod differential;

/// Answers as JSON, CSV and Parquet.
mod forms;

/// The questions of the documentation.
mod questions;
