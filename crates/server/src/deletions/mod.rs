//! Deleting records: now or on a day, with a receipt for each.
//!
//! What a deletion covers is decided here, from what is true when it is asked for, and written into the decree; the
//! store does the rest. An answer of 204 means that no read shows anything of it any more.

/// Deleting a record, now or later.
pub(crate) mod remove;

/// What an id means that somebody asks to delete.
mod meant;

/// What is scheduled, as the server remembers it beside the store.
pub(crate) mod waiting;

/// Receipts: a list, one, and calling off what is scheduled.
pub(crate) mod receipts;

/// Taking deletions over from receipts, as after a backup was restored.
mod replay;

/// Carrying out what was scheduled when its day has come.
pub(crate) mod due;

/// The routes of this part, with their words in the API document.
pub(crate) mod routes;
