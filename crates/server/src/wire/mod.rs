//! The JSON of every record, field by field.
//!
//! One file per kind of record, each with the fields in the order of the contract, written straight into a buffer, and
//! with the schema of the same fields for the API document. Customers' own values pass through as they were sent. Every
//! field is always there: `null`, `0`, `[]` or `{}` when there is nothing to say.

/// Writing JSON objects and lists into a buffer.
pub(crate) mod object;

/// Values that several kinds of record share: dates, and fields fed by traits.
pub(crate) mod value;

/// An organization.
pub(crate) mod organization;

/// An account.
pub(crate) mod account;

/// A user, with its accounts and organizations.
pub(crate) mod user;

/// A custom object: what its instances are instances of.
pub(crate) mod custom_object;

/// An instance of a custom object.
pub(crate) mod custom_object_instance;

/// A trait, as the catalogue of traits shows it.
pub(crate) mod custom_field;

/// A response to an NPS survey.
pub(crate) mod nps_response;

/// An event of a timeline.
pub(crate) mod event;

/// A statement about a trait.
pub(crate) mod statement;

/// Days of activity, and names of events.
pub(crate) mod activity;

/// A message set aside.
pub(crate) mod refused;

/// A workspace, as operators see it.
pub(crate) mod workspace;

/// A view or a query under its name.
pub(crate) mod saved;

/// A member of a workspace's team.
pub(crate) mod member;

/// An import.
pub(crate) mod import;

/// A destination, without its secret.
pub(crate) mod destination;

/// A message that a destination refused.
pub(crate) mod dead_letter;

/// A key, without its token.
pub(crate) mod key;
