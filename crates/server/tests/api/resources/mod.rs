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

/// Timelines.
mod events;

/// Messages set aside.
mod refused;

/// Deleting, and receipts.
mod deletions;
