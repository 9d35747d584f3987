//! Following what is accepted: places that outlive the process, and what followers still have to get.
//!
//! A follower stands at a frame of the journal. When a checkpoint covers a journal file and some follower has not had all
//! of it, the file moves to a directory of its own instead of being removed, bounded in bytes; of what is dropped from
//! there the followers concerned read the interval of receipt again, from the history. The writer moves a file now and
//! then and waits for nobody. `docs/decisions/0009-forwarding.md` says why.

/// Where a follower stands, and the bytes of that.
pub mod place;

/// Every follower, what of the journal is kept for them, and how far the journal has got.
pub mod book;

/// Making, changing and ending followers.
pub mod change;

/// Messages that followers could do nothing with.
pub mod letters;

/// Reading frames from files, from any one of them on.
pub mod frames;

/// Reading the history in the order of receipt.
pub mod past;

/// A follower at its place.
pub mod following;

/// Keeping what is kept for followers within its bound.
pub mod shed;

/// Removing what was deleted from what is kept for followers.
pub mod erase;

/// Followers through the seam.
mod seam;
