//! `muster demo`: a year of a made-up product in a workspace, so that there is something to look at.
//!
//! The product is called Fieldnote, and teams keep the documentation of their projects in it. Its customers come, grow,
//! go quiet and leave; none of them exists. The messages are imported with times of their own, so that the year lies in
//! the past, and they follow from a seed, so that telling the story again adds nothing.

/// Chance that can be repeated.
pub mod dice;

/// Names of people and companies.
pub mod names;

/// What becomes of an account in the year.
pub mod story;

/// Who is in the story.
pub mod cast;

/// When people work.
pub mod calendar;

/// One message while it is written.
pub mod message;

/// What is stated about organizations, accounts and users.
pub mod records;

/// What can be done in the product.
pub mod events;

/// What people and programs do.
pub mod activity;

/// Subscriptions and tickets.
pub mod objects;

/// Messages that are wrong.
pub mod faults;

/// All of it, in the order of receipt.
pub mod stream;

/// What was made, counted.
pub mod tally;

/// The command from its arguments to its exit code.
pub mod run;

pub use run::run;
