//! Records out: `/resources`.

/// One organization.
mod organizations;

/// One account.
mod accounts;

/// One user.
mod users;

/// Records in: `POST` and `PUT`.
mod write;

/// Custom objects and their instances.
mod custom_objects;

/// NPS responses, and what follows from them.
mod nps_responses;

/// Team members.
mod admins;

/// The passes that existing readers make.
mod readers;

/// Pages of lists, the same for every kind.
mod lists;

/// Lists in other orders, with filters and searches; what belongs to a record; the catalogue of traits.
mod choosing;

/// Timelines.
mod events;

/// The history of a trait.
mod traits;

/// Records as of a time.
mod as_of;

/// Activity by day.
mod activity;

/// Names of events.
mod event_names;

/// Messages set aside.
mod refused;

/// Deleting, and receipts.
mod deletions;

/// Deleting what an id sent of which there is no record.
mod unrecorded;
