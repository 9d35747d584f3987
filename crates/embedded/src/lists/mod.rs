//! Lists of records: the index that keeps their orders, and reading pages through it.
//!
//! On disk, every record has an entry for each of its fields and traits, written in the commit that writes the record
//! itself, as the difference to the version below; so index and records always belong together. Records changed since
//! the last checkpoint are chosen in memory, from columns that are kept beside them, and hide their entries on disk. A page looks at a bounded number of
//! records and entries; when that does not fill it, it is short and says where to go on.

/// The entries of a record.
pub mod entries;

/// What a checkpoint changes in lists.
pub mod changes;

/// Keys that go into a list and out of it.
mod moves;

/// Accounts whose first and last track were uncertain, made certain before they are indexed.
pub mod settle;

/// The texts that searches look through.
pub mod texts;

/// Tables of texts, within a bound.
mod tables;

/// What was found in texts, while they do not change.
mod finds;

/// Folded texts, one after the other, and what is found among them.
pub mod folded;

/// What was in memory when a list began.
mod glance;

/// What a list asks of each record in memory.
pub mod columns;

/// What is kept of each record in memory.
mod kept;

/// What lists ask of the records of one kind in an overlay.
pub mod mirror;

/// Columns of the records in memory.
pub mod mirrors;

/// One visit of the records in memory for all that lists may ask.
pub mod pass;

/// How much of the time may be spent unasked.
mod pace;

/// The thread that keeps columns up and makes them ahead.
pub mod keeper;

/// The records in memory, in the order of a list.
mod memory;

/// Records that a condition singles out.
pub mod sources;

/// What the index answered, while the disk does not change.
pub mod sets;

/// Where few records of a list stand, while the disk does not change.
pub mod lineups;

/// Stretches of an order in which no place is left.
pub mod gaps;

/// Beginnings of lists gone through before anybody asks.
pub mod ahead;

/// The places of an order, one after the other.
pub mod along;

/// Places on disk in the order of a list.
mod walk;

/// The catalogue of traits.
pub mod catalogue;

/// The options of traits.
mod options;

/// What a page is made with.
mod pager;

/// A page.
mod page;

/// Whether the places of records are those that they ask for.
pub mod examine;
