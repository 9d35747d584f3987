//! Health, figures, documents, and what there is not.

/// Whether it lives and works.
mod health;

/// Figures.
mod metrics;

/// What stands in the log, and what never does.
mod log;

/// The API document and its page.
mod documents;

/// Paths and methods that there are not.
mod absent;

/// When to try again, wherever waiting helps.
mod busy;
