//! The conformance suite: what every store must do, as tests that any store can run.
//!
//! A store's tests say how to open it ([`Subject`]) and name the suite once ([`crate::conformance!`]); every case then
//! is a test of its own, at every [`Pace`]. The cases are the contract's sentences, told through the seam alone: none
//! knows an engine. Beside them stand random messages in any order ([`arbitrary`]) and the comparison of everything
//! that can be read from two stores ([`order`]).
//!
//! [`Subject`]: crate::suite::Subject
//! [`Pace`]: crate::suite::Pace
//! [`arbitrary`]: crate::suite::arbitrary
//! [`order`]: crate::suite::order

/// A store under test: how it is opened, settled and ended.
pub mod subject;

/// The place a case works at: one store, one workspace, one clock.
pub mod desk;

/// Messages as their senders write them.
pub mod sent;

/// The messages that cases are told with.
pub mod phrases;

/// The list of cases, and the macro that makes tests of them.
pub mod cases;

/// Accepting messages durably: kept, told apart, never doubled.
pub mod journal;

/// What is true of a record.
pub mod profiles;

/// What only comes from writing records: leaving a parent, custom objects, NPS responses.
pub mod written;

/// Lists of records, and what belongs to them.
pub mod lists;

/// Timelines: order, pages, filters.
pub mod history;

/// Where events belong.
pub mod attribution;

/// Anonymous ids and the users that they turn out to be.
pub mod anonymous;

/// First and last seen of accounts.
pub mod seen;

/// Reading much of a workspace, as of one moment.
pub mod scan;

/// What was said of a trait, and what was true at an instant.
pub mod past;

/// Names of events, and days.
pub mod activity;

/// Messages set aside.
pub mod refused;

/// Deletions: what goes, what stays, what starts anew, and the receipts.
pub mod deletion;

/// Imports: how far they have come, whatever happens.
pub mod imports;

/// Messages handed on to followers.
pub mod follow;

/// Workspaces and keys.
pub mod credentials;

/// Teams.
pub mod team;

/// Views and queries that a workspace keeps.
pub mod saved;

/// Health, figures, closing.
pub mod status;

/// Random messages and random arrivals of them.
pub mod arbitrary;

/// Every read of a workspace, as text.
pub mod reads;

/// Everything that can be read through a moment, as text.
pub mod moments;

/// The past and the days of a workspace, as text.
pub mod tellings;

/// The same messages in any order read the same.
pub mod order;

pub use desk::Desk;
pub use sent::Sent;
pub use subject::{Pace, Subject};
