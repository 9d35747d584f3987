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

/// What a request asks of a list: its order and which records are in it.
pub(crate) mod listing;

/// What every kind of record shares: finding one, listing many.
pub(crate) mod records;

/// What is shown of a record besides itself, within bounds.
pub(crate) mod related;

/// Organizations.
mod organizations;

/// Accounts.
pub(crate) mod accounts;

/// Users.
mod users;

/// Custom objects.
pub(crate) mod custom_objects;

/// Instances of a custom object.
pub(crate) mod instances;

/// NPS responses.
mod nps_responses;

/// The catalogue of traits.
mod custom_fields;

/// Team members.
mod team;

/// Timelines.
mod events;

/// Records in: creating and updating by record.
pub(crate) mod write;

/// The past of a record: what was said of a trait, the record as of a time.
pub(crate) mod past;

/// How much happened: activity by day, names of events.
pub(crate) mod activity;

/// Messages set aside: shown, sent again, dropped.
pub(crate) mod refused;

/// The routes of lists that belong to a record, of searches and of the catalogue.
mod list_routes;

/// Paths of the contract that are answered with an explanation.
mod later;

/// The routes of this part, with their words in the API document.
pub(crate) mod routes;
