//! Keys.

/// The one version there is.
mod v1;
