//! The log of what was accepted since the last checkpoint.
//!
//! Frames, one per group of batches, each with a sequence number and a checksum, in files that a checkpoint lets go of
//! whole. A frame is acknowledged only after its sync, and one frame is in flight at a time; so an incomplete last
//! frame was never acknowledged and is cut off, while anything else that does not read is damage and stops the opening.
//! Why this is not a library's log: `docs/decisions/0002-journal.md`.

/// The bytes of a frame and of a file's head.
pub mod frame;

/// Appending and letting go.
pub mod log;

/// Syncing while something else is done.
pub mod sync;

/// Being run at once when there is something to do.
pub mod urgent;

/// Reading back after a stop of whatever kind.
pub mod replay;
