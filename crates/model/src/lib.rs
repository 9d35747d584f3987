//! The rules of Muster, and nothing else.
//!
//! What a message is, when it is refused, what identifies it, and how a set of messages folds into profiles, links and
//! attributions. Everything here is a pure function of its arguments: no I/O, no clock, no randomness, no environment,
//! no globals. The same messages give the same result on every machine and in every order.

/// Instants to the microsecond, read from and written as ISO 8601.
pub mod time;

/// Days in UTC, as activity is counted by.
pub mod day;

/// Every bound a message must respect, with its unit.
pub mod limits;

/// A walk over validated JSON text: members, spans, depth, digests; strings that need care.
pub mod json;

/// JSON numbers as plain decimal digits.
pub mod decimal;

/// Why a message was refused, in words for its sender and a code for its program.
pub mod rejection;

/// The kinds of message and the kinds of record.
pub mod kind;

/// External identifiers, record ids (UUIDs) and message identities.
pub mod id;

/// The members of one message as its sender wrote them, before any rule is applied.
pub mod draft;

/// A message that passed every check, borrowed from wherever its text lives.
pub mod message;

/// One file per kind of message: how it is checked, what it changes.
pub mod kinds;

/// Last-writer-wins registers: the join that makes folding independent of order.
pub mod register;

/// Customers' traits: one register per key.
pub mod traits;

/// What lists are ordered by: numbers and instants, in one order.
pub mod rank;

/// Which account or organization a user was with, and when.
pub mod association;

/// NPS: the last answer of each user, and how accounts and organizations count them.
pub mod nps;

/// Which user an anonymous id is, and when.
pub mod ties;

/// What is true now of one record.
pub mod profile;

/// How records are found by text: names, e-mail addresses and ids, whatever the case of their letters.
pub mod find;

/// How many users an organization has, kept as links and accounts come and go.
pub mod members;

/// Folding one message into the records it concerns.
pub mod change;

/// What a deletion hides, and what it leaves of a message.
pub mod deletion;
