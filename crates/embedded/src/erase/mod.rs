//! Deleting: at once for every reader, on disk soon after, proven by a receipt.
//!
//! A decree goes through the journal like a message. When it is durable, the writer takes what it covers out of the
//! overlay and hides what lies below it ([`muster_store::deletion::wipe`], [`crate::erase::carry_out`]); from then on no read shows anything of it, and late
//! messages about it are dropped before the journal ([`crate::erase::screen`]). What deletions hide follows from
//! [`crate::erase::tombstones`] alone, so every later step can be repeated after a crash. `docs/decisions/0006-deletion.md` says why.

/// What was deleted, and when: what the writer and readers ask.
pub mod tombstones;

/// Deletions as they are known.
pub mod known;

/// Keeping late messages about deleted records out.
pub mod screen;

/// Making the changes that were worked out.
pub mod apply;

/// Correcting records that stay, from the messages that are left.
pub mod rebuild;

/// Making the state store let go of bytes that no key leads to any more.
pub mod purge;

/// Letting the duplicate check forget for good what its retention ended.
pub mod expiry;

/// The thread that removes bytes.
pub mod eraser;

/// What there is when a correction begins to read.
mod there;

/// Taking an import back.
pub mod undo;

/// What a crash left of imports that were taken back.
pub mod leftover;

/// Records that a message taken back named, made anew from what is left.
pub mod renew;

/// Looking whether anything is left of what was deleted.
pub mod examine;

/// What a checkpoint removes from the state store for deletions.
pub mod commit;

/// Carrying out a decree.
pub mod carry_out;
