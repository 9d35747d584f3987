//! The server from outside: requests in, whole answers compared, over the in-memory twin.
//!
//! Laid out like the tree of paths. Every test has its own server, its own store and a clock that stands still.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

/// A server to ask, and the one check that compares its answers.
mod harness;

/// Messages in.
mod analytics;

/// Calls of the Segment spec in.
mod segment;

/// The console.
mod ui;

/// The console's pages of refused messages.
mod ui_refused;

/// Who it was, where the console tells of what was done.
mod ui_who;

/// The console's views and queries under names.
mod ui_saved;

/// What the console shows of records and answers.
mod ui_shown;

/// The console with people who press the wrong thing.
mod ui_people;

/// All workspaces, for those who operate the server.
mod ui_workspaces;

/// The console's live view.
mod ui_live;

/// Records out.
mod resources;

/// Keys.
mod admin;

/// Health, figures, documents, and what there is not.
mod service;

/// SQL in, rows out.
mod query;

/// Everything out, and in again.
mod export;

/// What is stored after an export.
mod tails;

/// Real connections: slow ones, too many of them, the last ones.
mod listener;
