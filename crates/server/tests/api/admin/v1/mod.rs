//! Keys and destinations: `/admin/v1`.

/// Made, listed, ended.
mod keys;

/// Destinations: made, changed, removed, each workspace for itself.
mod destinations;
