//! Messages in.

/// The one version there is.
mod v1;
