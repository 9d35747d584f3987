//! The seam between Muster and whatever keeps its data.
//!
//! Thirteen traits say what a store promises: [`journal::Journal`] (accepted messages), [`profiles::Profiles`] (what is true
//! now), [`history::History`] (what happened), [`scan::Scans`] (all of both, as of one moment), [`past::Past`] (what was
//! said, and true then), [`activity::Activity`] (how much happened), [`refused::Refusals`] (messages set aside),
//! [`follow::Followers`] (messages handed on, one after the other), [`import::Imports`] (imports, and how far each has come), [`deletion::Deletions`] (what was deleted, with receipts), [`credentials::Credentials`] (workspaces and keys), [`team::Teams`] (team members) and [`saved::SavedViews`] (views and queries under names); [`Store`] is all of them. A
//! trait's documentation is its
//! specification, and `suite` checks it on every implementation, the in-memory twin in [`memory`] included.
//! This crate does no I/O and names no engine.

/// Why a store refused or failed, and whether trying again can help.
pub mod error;

/// Where the time of receipt comes from.
pub mod clock;

/// The byte form of a checked message, the same in a batch, a log and a queue.
pub mod record;

/// Messages set aside: refused ones and conflicts.
pub mod refused;

/// The parts of byte forms.
pub mod byte_form;

/// The byte form of what stores keep of records, deletions, imports and keys.
pub mod codec;

/// What one request asks a journal to take.
pub mod batch;

/// What became of each message of a batch.
pub mod receipt;

/// Accepting messages durably.
pub mod journal;

/// The records of a workspace as they are, as deletions, corrections and attribution see them.
pub mod records;

/// Where an event belongs.
pub mod attribution;

/// What may belong to a record.
pub mod candidates;

/// Lists of records: orders, conditions, places, and what each of them means.
pub mod lists;

/// Reading what is true now.
pub mod profiles;

/// The catalogue of traits: which keys were ever stated about records of a kind, and what their values were.
pub mod catalogue;

/// Reading what happened.
pub mod history;

/// Rows of messages, column by column.
pub mod rows;

/// Reading much of a workspace, as of one moment.
pub mod scan;

/// Reading what was said, and what was true.
pub mod past;

/// Reading how much happened.
pub mod activity;

/// Following what is accepted, one message after the other.
pub mod follow;

/// Imports: begun, under way, complete.
pub mod import;

/// Deletions: asked for, carried out, proven.
pub mod deletion;

/// Workspaces and keys.
pub mod credentials;

/// Team members.
pub mod team;

/// Views and queries that a workspace keeps.
pub mod saved;

/// A store as operators see it: health, figures, closing.
pub mod status;

/// A copy of everything a store keeps, taken while it works.
pub mod backup;

/// Everything a store keeps, piece by piece, for another one to take over.
pub mod transfer;

/// The in-memory twin: a store that answers every read by definition.
pub mod memory;

/// The conformance suite that every store passes, and random messages to compare stores with.
#[cfg(feature = "suite")]
pub mod suite;

use std::{future::Future, pin::Pin};

/// The answer to a call on the seam: a future, boxed so that stores can stand behind one pointer.
pub type Answer<'a, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// Everything a server needs of a store.
pub trait Store:
    journal::Journal
    + profiles::Profiles
    + catalogue::Catalogue
    + history::History
    + scan::Scans
    + past::Past
    + activity::Activity
    + refused::Refusals
    + follow::Followers
    + import::Imports
    + deletion::Deletions
    + credentials::Credentials
    + team::Teams
    + saved::SavedViews
    + status::Status
    + backup::Backups
{
}

impl<S> Store for S where
    S: journal::Journal
        + profiles::Profiles
        + catalogue::Catalogue
        + history::History
        + scan::Scans
        + past::Past
        + activity::Activity
        + refused::Refusals
        + follow::Followers
        + import::Imports
        + deletion::Deletions
        + credentials::Credentials
        + team::Teams
        + saved::SavedViews
        + status::Status
        + backup::Backups
{
}
