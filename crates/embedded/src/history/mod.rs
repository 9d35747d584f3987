//! Every message for ever: this engine's part of it. The files are [`muster_history`]'s.
//!
//! A checkpoint adds one file a workspace, sorted by account, user and time; compaction merges files and sorts them into
//! months. The manifest, in the state store, says which files count.

/// Which files count, as the state store has it.
pub mod manifest;

/// Turning applied messages into sorted rows.
pub mod rows;
