//! Every message for ever, in Parquet files that others can read as they lie.
//!
//! Both engines keep their history in these files: the embedded one in its directory, a cluster in a bucket. A file is written
//! once, sorted by account, user and time, and never changes; compaction merges files and sorts them into months. Which files
//! count, each engine keeps in its state store. Every block of a file has a checksum there, and is checked whenever it is
//! read. Knows neither engine: what to merge, when, and what was deleted is told.

/// The columns.
pub mod schema;

/// What is known of each file without opening it.
pub mod manifest;

/// A set of a file's chunks, and the rows in them.
pub mod chunks;

/// What lies where in a file.
pub mod directory;

/// How often who did what on which day.
pub mod daily;

/// What a writer notes of the rows that go by.
pub mod notes;

/// Messages as columns.
pub mod columns;

/// Writing one file, durably and with checksums.
pub mod segment;

/// A file of messages as they came.
pub mod filed;

/// Reading a file's bytes, checked.
pub mod verified;

/// What files say of themselves, kept within a bound.
pub mod footers;

/// Reading the rows that a filter may want, and no more of a file than holds them.
pub mod scan;

/// Reading much of a file, as of one moment.
pub mod filescan;

/// Which tracks may belong to a record, and where a file has them.
pub mod wanted;

/// Which rows of a file tell of a record.
pub mod told;

/// Messages from rows.
pub mod messages;

/// The newest few of many.
pub mod newest;

/// Pages of timelines.
pub mod timeline;

/// What was said of a record.
pub mod statements;

/// Counting what belongs to one record.
pub mod counted;

/// Counting in files that hold what was deleted and not removed yet.
pub mod veiled;

/// The rows that deletions concern.
pub mod find;

/// Writing a file anew, without what was deleted.
pub mod rewrite;

/// Merging files into months.
pub mod compact;

/// From rows of a file back to messages.
pub mod restore;

/// The file system.
pub mod disk;

/// What goes wrong with a file, as readers are told.
pub mod error;
