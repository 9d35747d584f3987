//! Imports as the server sees them: begun, told of part by part, shown.
//!
//! An import is known by its number. It is begun with what it comes from, so that one that was cut short is found again;
//! its messages come by the path of all imports ([`crate::ingest`]), and each request tells which part it is.

/// Beginning an import, or going on with one.
pub(crate) mod begin;

/// What a request with messages tells of its import.
pub(crate) mod told;

/// The order in which parts on their way reach the journal.
pub(crate) mod turns;

/// Taking an import back.
pub(crate) mod undo;

/// Showing imports.
pub(crate) mod show;

/// The routes of this part, with their words in the API document.
pub(crate) mod routes;
