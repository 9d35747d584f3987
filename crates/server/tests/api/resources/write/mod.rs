//! Records in: `POST` and `PUT` under `/resources`.

/// Organizations.
mod organizations;

/// Accounts, and the organization they are in.
mod accounts;

/// Users, and the whole of their links.
mod users;

/// Bodies that break a rule.
mod rules;

/// Records that are sent back as they were read.
mod sent_back;
