//! Messages in: `/analytics/v1`.

/// Batches: stored, refused, set aside, atomic, with results.
mod batch;

/// The path of each kind.
mod kinds;

/// Bodies as they come: compressed, too large, no JSON, no UTF-8.
mod bodies;

/// Tokens, scopes and rates, the same on every path.
mod authorization;

/// A store that is full, stopped or closing; a server without room.
mod unavailable;
