//! The in-memory twin: a store that answers every read by definition.
//!
//! It keeps the messages it accepted and folds profiles, links, counts and timelines from all of them together whenever
//! somebody reads. It deliberately does not use [`muster_model::change`]: it is what other stores are compared with, and
//! a fault shared by both sides of a comparison is never found. It is a whole store besides, with a bound, for the tests
//! of whatever stands on the seam. Nothing in it survives the process.

/// The store: taking batches, closing.
mod twin;

/// Everything one workspace was given.
mod accepted;

/// When this system first and last heard of each record: the only thing that follows the order of arrival.
mod receipts;

/// What was said about which user belongs to what, and the rule that answers from it.
mod statements;

/// Profiles, counts and children, from all messages.
mod fold;

/// Reading what is true now.
mod profiles;

/// The catalogue of traits, message by message as they arrive.
mod catalogue;

/// Reading what happened.
mod history;

/// Reading much of a workspace, as of one moment.
mod scan;

/// Reading what was said, and what was true.
mod past;

/// Reading how much happened.
mod activity;

/// Reading what was set aside.
mod refused;

/// Following what is accepted.
mod follow;

/// Imports.
mod imports;

/// Reading what was deleted.
mod deletions;

/// Workspaces and keys.
mod credentials;

/// Teams.
mod team;

/// Views and queries.
mod saved;

/// Backups, of which there are none.
mod backups;

pub use twin::MemoryStore;
