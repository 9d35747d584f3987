//! The console: the pages that people work with, in the browser.
//!
//! Rendered here, from the same reads as the API, and complete without a script but for the live view. Nothing is loaded
//! from elsewhere and the policy sent with every page forbids it. Whoever opens a page has signed in; every change
//! asks for the token of the session that shows the form.

/// Style, script and icon, under names that change with what they hold.
mod files;

/// Who has signed in, proven by a cookie.
mod session;

/// Signing in and out.
mod signin;

/// A member's own password.
mod password;

/// Light and dark.
mod theme;

/// What stands around every page: navigation, search, who is there.
mod frame;

/// Pages as answers, with the policy for browsers; errors as pages.
mod answer;

/// What a form sent.
mod posted;

/// Addresses of pages.
mod link;

/// Who did something, as pages call them.
mod who;

/// Values, counts and times as people read them.
mod shown;

/// How far back pages look.
mod days;

/// Figures drawn: days as bars, a year as squares, a trend as a line.
mod charts;

/// Tables of accounts, users and organizations.
mod list;

/// Views and queries that the workspace keeps.
mod saved;

/// The page of one account, user or organization.
mod record;

/// The first page.
mod start;

/// Searching everything.
mod search;

/// Getting ready for a search.
mod warm;

/// Events by name.
mod events;

/// JSON on several lines.
mod json;

/// Messages as they arrive.
mod live;

/// Messages set aside.
mod refused;

/// Questions in SQL.
mod sql;

/// What operators manage.
pub(crate) mod admin;

/// Which page answers which path.
mod routes;

pub(crate) use answer::{no_page_by_itself, no_such_page};
pub(crate) use link::with as address;
pub(crate) use refused::Counts as RefusedCounts;
pub(crate) use routes::routes;
pub(crate) use warm::Warmed;
