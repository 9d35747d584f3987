//! Keys, imports and destinations: `/admin/v1`.

/// Made, listed, ended.
mod keys;

/// Imports: begun, told of, taken back.
mod imports;

/// Views and queries: kept, renamed, removed, by whoever may.
mod saved_views;

/// Destinations: made, changed, removed, each workspace for itself.
mod destinations;
