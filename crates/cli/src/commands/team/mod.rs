//! `muster team`: adding, listing and removing team members, beside a running server or without one.

/// The command: what is done, which way, and what is printed.
pub mod run;

/// A member as it is shown.
pub mod shown;

pub use run::run;
