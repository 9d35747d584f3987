//! Reading: every read waits until what was accepted before it is folded in, and then is one transaction.

/// The records of a workspace as a transaction sees them.
pub mod book;

/// Records, their children, and what ties anonymous ids to users.
mod profiles;

/// Lists of records.
pub mod lists;

/// The catalogue of traits.
mod catalogue;

/// Which tracks may belong to a record.
pub mod candidates;

/// Timelines.
pub mod history;

/// First and last track.
pub mod seen;

/// What was said of a trait, and what was true at an instant.
mod past;

/// How much happened.
mod activity;

/// Messages set aside.
mod refused;

/// What was deleted.
pub mod deletions;

/// Rows that are fetched piece by piece.
pub mod cursor;

/// Everything, as of one moment.
mod scan;

/// Copies of everything.
mod backup;
