//! Reading: overlays over disk, attribution resolved as the associations known now say.

/// Records, one and in lists; what belongs to them.
pub mod profiles;

/// What may belong to a record, and where to look for it.
pub mod candidates;

/// Timelines.
pub mod events;

/// What was said of a trait, and what was true of a record at an instant.
pub mod past;

/// How much happened.
pub mod activity;

/// Messages set aside.
pub mod refused;

/// Deletions: asked for, under way, done.
pub mod deletions;
