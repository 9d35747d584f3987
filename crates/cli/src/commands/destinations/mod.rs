//! `muster destinations`: where messages go on to, beside a running server or without one.

/// The command: what is asked, and what is printed.
pub mod run;

/// A destination as it is shown.
pub mod shown;

pub use run::run;
