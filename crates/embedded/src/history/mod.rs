//! Every message for ever, in Parquet files that others can read as they lie.
//!
//! A checkpoint adds one file a workspace, sorted by account, user and time; compaction merges files and sorts them into
//! months. The manifest, in the state store, says which files count. Every block of a file has a checksum there, and
//! is checked whenever it is read.

/// The columns.
pub mod schema;

/// Which files count, and what is known of each without opening it.
pub mod manifest;

/// A set of a file's chunks, and the rows in them.
pub mod chunks;

/// What lies where in a file.
pub mod directory;

/// How often who did what on which day.
pub mod daily;

/// What a writer notes of the rows that go by.
pub mod notes;

/// Writing one file, durably and with checksums.
pub mod segment;

/// Turning applied messages into sorted rows.
pub mod rows;

/// Reading a file's bytes, checked.
pub mod verified;

/// What files say of themselves, kept within a bound.
pub mod footers;

/// Reading the rows that a filter may want, and no more of a file than holds them.
pub mod scan;

/// Which tracks may belong to a record, and where a file has them.
pub mod wanted;

/// Which rows of a file tell of a record.
pub mod told;

/// Messages from rows.
pub mod messages;

/// Merging files into months.
pub mod compact;

/// From rows of a file back to messages.
pub mod restore;
