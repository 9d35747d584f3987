//! Every message for ever, in Parquet files that others can read as they lie.
//!
//! A checkpoint adds one file a workspace, sorted by account, user and time; compaction merges files and sorts them into
//! months. The manifest, in the state store, says which files count. Every block of a file has a checksum there, and
//! is checked whenever it is read.

/// The columns.
pub mod schema;

/// Which files count, and what is known of each without opening it.
pub mod manifest;

/// Writing one file, durably and with checksums.
pub mod segment;

/// Turning applied messages into sorted rows.
pub mod rows;

/// Reading a file's bytes, checked.
pub mod verified;

/// Finding the rows of some records in a file.
pub mod scan;

/// Merging files into months.
pub mod compact;

/// From rows of a file back to messages.
pub mod restore;
