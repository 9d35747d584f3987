//! Moving everything to another store, and from another one: [`muster_store::transfer`], piece by piece.
//!
//! What is handed out is what a snapshot of the state and the files that it names hold; what is in memory alone has to be brought
//! into place before. What is taken over becomes a data directory as any other, which appears under its name only when all of it
//! is on stable storage.

/// Handing everything out.
pub mod source;

/// Handing everything out while the engine goes on.
pub mod departure;

/// Taking everything over.
pub mod target;
