//! Licences, sources, bans and Rust versions of every dependency, held to `deny.toml`.
//!
//! For machines without `cargo-deny`: reads the same file, so there is one list of what is allowed. Guarantees that a
//! dependency without a licence expression, or with one that cannot be read, is reported and not passed over. Never
//! reads licence texts; it trusts what a crate declares, as its registry does.

/// What `deny.toml` allows.
mod policy;

/// The dependency tree, as `cargo metadata` tells it.
mod graph;

/// The tree held to the policy.
mod judge;

pub use judge::check;
