//! A workspace at one instant, and reading much of it.
//!
//! A moment is a snapshot of the state store, the manifest, the frozen overlay, and what of the live overlay belongs to
//! the workspace, all taken under one lock. Messages then come from the live rows, the frozen rows and the files, in
//! that order; row groups of files that cannot hold what is wanted are not read. Nothing here changes anything.

/// What is held, and looking records up in it.
mod held;

/// Reading everything, piece by piece.
mod scan;

pub use held::Held;
