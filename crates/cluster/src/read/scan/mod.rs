//! Reading much of a workspace, as of one moment.
//!
//! A moment is a transaction that stays open, on a connection of its own. What the tables can tell is left to them; what
//! they cannot, above all where tracks belong, is looked at here, piece by piece.

/// What is held.
mod held;

/// What the tables are asked.
mod question;

/// Where tracks belong, for many of them.
mod places;

/// Messages in files.
mod filed;

/// Messages being read.
mod reading;
