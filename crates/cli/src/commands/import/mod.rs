//! `muster import`: history from files, into a running server or a data directory that nobody uses.
//!
//! Files are found and decompressed ([`sources`]), messages that say when they were received are put into that order
//! ([`order`]), and everything is packed, delivered and reported as `muster send` does it. Importing the same files again
//! stores nothing twice, so an import that was cut short is simply begun again.
//!
//! [`sources`]: crate::commands::import::sources
//! [`order`]: crate::commands::import::order

/// Files one after the other, decompressed and cut into messages.
pub mod sources;

/// Messages in the order of their receipt, however many there are.
pub mod order;

/// The command from its arguments to its exit code.
pub mod run;

pub use run::run;
