//! Records out: lists, single records, timelines, messages set aside.
//!
//! Each answer is read from the store, gathered into views and written by `wire`, in that order; nothing is written
//! before everything for it has been read. The work of one answer is bounded by settings.

/// The parameters after a path's question mark.
pub(crate) mod query;

/// Places in lists, as text that a client hands back.
pub(crate) mod cursor;

/// Answers with a JSON body.
pub(crate) mod answer;

/// What every kind of record shares: finding one, listing many.
pub(crate) mod records;

/// What is shown of a record besides itself, within bounds.
mod related;

/// Organizations.
mod organizations;

/// Accounts.
mod accounts;

/// Users.
mod users;

/// Records that belong to another one, as a page of a list.
mod belonging;

/// Custom objects.
pub(crate) mod custom_objects;

/// Instances of a custom object.
pub(crate) mod instances;

/// NPS responses.
mod nps_responses;

/// Team members.
mod team;

/// Timelines.
mod events;

/// Records in: creating and updating by record.
pub(crate) mod write;

/// Messages set aside: shown, sent again, dropped.
mod refused;

/// Paths of the contract that are answered with an explanation.
mod later;

/// The routes of this part, with their words in the API document.
pub(crate) mod routes;
