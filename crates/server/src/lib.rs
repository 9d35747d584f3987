//! Muster over HTTP: messages in, records out.
//!
//! This crate speaks to a store through the seam in `muster_store` and asks a clock for the time of receipt; it knows no
//! engine, reads no file, no environment and no settings but those it is given. What a client is told, and with which
//! status, is decided here and nowhere else.

/// What an operator may set about the server, every bound with its unit.
pub mod settings;

/// What all requests share.
pub mod state;

/// Starting tasks so that a panic in one is noticed.
mod spawn;

/// Accepting connections, each within its bounds of time and memory.
mod listen;

/// Every route in one table, from which the router and the API document are made.
mod router;

/// Who is asking, what they may do, and how often.
pub mod keys;

/// One event and one set of figures per request.
mod observe;

/// Messages in: from a request's bytes to the journal and back to an answer.
mod ingest;

/// Telling whoever watches what became of messages.
mod feed;

/// Calls of the Segment spec in, from the libraries that everybody has.
mod segment;

/// Records out: lists, single records, timelines, messages set aside.
mod resources;

/// SQL in, rows out.
mod query;

/// What is accepted goes on to destinations.
pub mod forward;

/// Imports: begun, told of part by part, shown.
mod imports;

/// Deleting records: now or on a day, with a receipt for each.
mod deletions;

/// The JSON of every record, field by field.
mod wire;

/// Text as HTML.
mod html;

/// Views and queries under names: what is kept, and by whom.
mod saved;

/// The console: pages for people.
mod ui;

/// What operators manage over HTTP: keys, teams, destinations.
mod admin;

/// Backups over HTTP, for the command on the same machine.
mod backups;

/// Moving everything elsewhere over HTTP, for the command on the same machine.
pub mod moves;

/// Whether the process lives, and whether it can do its work.
mod health;

/// All figures of the server and of its store.
mod metrics;

/// The API document, built from the table of routes.
mod openapi;

/// The API document as a page for people.
mod docs;

/// Rules that a body may break, and how a broken one is reported.
mod violation;

/// Every error, with its status and its words.
mod error;

pub use ingest::baseline::{baseline_router, parse_and_drop};
pub use listen::{Certificate, Tls, serve, serve_baseline};
pub use router::router;
pub use settings::{ServerSettings, Serves, TraitNames};
pub use state::AppState;
