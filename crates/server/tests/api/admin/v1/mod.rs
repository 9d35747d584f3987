//! Keys, imports and destinations: `/admin/v1`.

/// Made, listed, ended.
mod keys;

/// Imports: begun, told of, taken back.
mod imports;

/// Destinations: made, changed, removed, each workspace for itself.
mod destinations;
