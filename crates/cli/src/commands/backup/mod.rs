//! `muster backup`: a copy of the data directory, beside a running server or without one.
//!
//! The copy is a data directory itself; restoring is starting a server over it, or over a copy of it. Beside a server the
//! server takes it, as it alone knows which moment its files belong to.

/// What was copied, as it is shown.
pub mod shown;

/// The command: which way, and what is printed.
pub mod run;

pub use run::run;
