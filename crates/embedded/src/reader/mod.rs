//! Reading: overlays over disk, attribution resolved as the associations known now say.

/// Records, one and in lists; what belongs to them.
pub mod profiles;

/// Where an event belongs.
pub mod attribution;

/// What may belong to a record, and where to look for it.
pub mod candidates;

/// The newest few of many.
pub mod newest;

/// Timelines.
pub mod events;

/// Messages set aside.
pub mod refused;

/// Deletions: asked for, under way, done.
pub mod deletions;
