//! Reading how much happened: the names of events, and what was done by whom on which day.
//!
//! Everything here counts what the duplicate check let through, each message once, as attribution says now; any order
//! of the same messages gives the same numbers. A track counts on the day, in UTC, of its timestamp or, if that is later
//! than a little after its receipt, of that instant.

use muster_model::{
    day::Day,
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::Parent,
    time::Micros,
};

use crate::{Answer, error::ReadError};

/// Tracks that share a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventName {
    pub name: String,
    pub events: u64,
    pub first: Micros,
    pub last: Micros,
    /// How many of them lie on each day, by day; days without any are left out.
    pub days: Vec<(Day, u64)>,
}

/// Tracks whose names are not kept one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherEvents {
    pub events: u64,
    pub first: Micros,
    pub last: Micros,
}

/// The names of a workspace's events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventNames {
    /// Sorted by name. Where there are more names than a store keeps, the shortest, and of one length the first in the
    /// alphabet: names that were made up by a program are mostly long, and which are kept depends on no order.
    pub names: Vec<EventName>,
    /// All the others together.
    pub others: Option<OtherEvents>,
}

/// What one name's tracks come to on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventActivity {
    pub name: String,
    pub events: u64,
    /// Different users that they name.
    pub users: u64,
}

/// What all tracks of a record come to on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayActivity {
    pub day: Day,
    pub events: u64,
    /// Different users that they name.
    pub users: u64,
    /// The same by name, sorted by name.
    pub by_event: Vec<EventActivity>,
}

/// One row of daily activity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyRow {
    pub day: Day,
    pub account: Parent,
    pub activity: EventActivity,
}

/// Which rows of daily activity to read. Every part that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DailyQuery {
    pub account: Option<RecordId>,
    pub event: Option<String>,
    pub first: Option<Day>,
    pub last: Option<Day>,
    /// Only accounts whose ids come after this one.
    pub from: Option<RecordId>,
    /// Accounts looked at for a page, at least 1.
    pub accounts_max: usize,
}

/// A page of rows: by account id, then by day, then by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyPage {
    pub rows: Vec<DailyRow>,
    /// Where the next page starts; `None` at the end. A page may be empty and still have a next one.
    pub next: Option<RecordId>,
}

/// How much happened.
pub trait Activity: Send + Sync {
    /// The names of a workspace's events.
    fn event_names(&self, workspace: WorkspaceId) -> Answer<'_, EventNames, ReadError>;

    /// What belongs to a user, an account or an organization on each day from `first` to `last`, both included. Days
    /// without anything are left out.
    ///
    /// # Errors
    ///
    /// [`ReadError::TooLarge`] when very much happened; fewer days can be read then.
    fn activity(
        &self,
        workspace: WorkspaceId,
        subject: (RecordKind, RecordId),
        days: (Day, Day),
    ) -> Answer<'_, Vec<DayActivity>, ReadError>;

    /// A page of the daily activity of all accounts, by name of event.
    fn daily(&self, workspace: WorkspaceId, query: DailyQuery) -> Answer<'_, DailyPage, ReadError>;
}
