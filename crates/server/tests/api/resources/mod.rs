//! Records out: `/resources`.

/// One organization.
mod organizations;

/// One account.
mod accounts;

/// One user.
mod users;

/// Pages of lists, the same for every kind.
mod lists;

/// Timelines.
mod events;

/// Messages set aside.
mod refused;
