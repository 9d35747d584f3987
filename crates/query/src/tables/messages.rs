//! `events` and `messages`: tracks with the place they belong to, and every message as it was sent.

use std::sync::Arc;

use muster_model::{day::Day, kind::Kind as MessageKind, time::Micros};
use muster_store::{
    rows::{Column as Stored, RowBatch},
    scan::Wanted,
};

use super::{
    Table,
    column::{Column, Kind},
    plan::Lookup,
    session::Session,
    sorted::{Part, Rows as Sorted, monday},
    source::{Cell, Messages, Opened, Source},
};
use crate::error::QueryError;

/// Columns of `events`.
pub const EVENTS: &[Column] = &[
    Column::time("timestamp"),
    Column::plain("received_at", Kind::Instant),
    Column::names("event", 20),
    Column::names("user_id", 20_000),
    Column::names("account_id", 1_000),
    Column::names("organization_id", 200),
    Column::plain("properties", Kind::Json),
    Column::plain("message_id", Kind::Text),
    Column::day("day").hidden(),
    Column::plain("week", Kind::Date).hidden(),
];

/// Columns of `messages`.
pub const MESSAGES: &[Column] = &[
    Column::names("kind", 6),
    Column::time("timestamp"),
    Column::plain("received_at", Kind::Instant),
    Column::names("organization_id", 200),
    Column::names("account_id", 1_000),
    Column::names("user_id", 20_000),
    Column::plain("external_id", Kind::Text),
    Column::plain("custom_object_id", Kind::Text),
    Column::names("event", 20),
    Column::plain("name", Kind::Text),
    Column::plain("message_id", Kind::Text),
    Column::plain("properties", Kind::Json),
    Column::plain("traits", Kind::Json),
    Column::plain("message", Kind::Json),
];

/// The column of a scan that a column of these tables shows.
fn stored(name: &str) -> Option<Stored> {
    match name {
        "organization_id" => Some(Stored::Organization),
        "account_id" => Some(Stored::Account),
        "user_id" => Some(Stored::User),
        "external_id" => Some(Stored::External),
        "custom_object_id" => Some(Stored::CustomObject),
        "event" => Some(Stored::Event),
        "name" => Some(Stored::Name),
        "message_id" => Some(Stored::MessageId),
        "properties" => Some(Stored::Properties),
        "traits" => Some(Stored::Traits),
        "message" => Some(Stored::Sent),
        _ => None,
    }
}

/// The rows that a lookup leaves.
pub fn open(table: Table, session: &Arc<Session>, lookup: Lookup) -> Opened {
    let base = if table == Table::Events { Wanted::events() } else { Wanted::everything() };
    let names = |column| lookup.names_of(table, column).cloned();
    let kinds = match names("kind") {
        // The comparison is SQLite's, so only the kind's own spelling counts.
        Some(kinds) => MessageKind::ALL.into_iter().filter(|kind| kinds.contains(kind.as_str())).collect(),
        None => base.kinds.clone(),
    };
    let used = table.columns().iter().enumerate().filter(|(at, _)| lookup.uses(*at));
    let columns = used.filter_map(|(_, column)| stored(column.name)).collect();
    let wanted = Wanted {
        kinds,
        organizations: names("organization_id"),
        accounts: names("account_id"),
        users: names("user_id"),
        events: names("event"),
        first: lookup.bounds.first,
        last: lookup.bounds.last,
        columns,
        ..base
    };
    if !lookup.order.is_empty() {
        let names: Vec<&str> = table.columns().iter().map(|column| column.name).collect();
        let used = names.iter().enumerate().filter(|(at, _)| lookup.uses(*at));
        let used = used.filter_map(|(_, name)| Part::of(name)).collect();
        return Ok(Box::new(Sorted::new(session, wanted, &lookup.order, &names, used)));
    }
    let shown = table.columns().iter().map(|column| Shown::of(column.name)).collect();
    Ok(Box::new(Rows { messages: Messages::open(session, wanted)?, shown }))
}

/// What a column shows of a row.
#[derive(Clone, Copy, Debug)]
pub enum Shown {
    Kind,
    Timestamp,
    ReceivedAt,
    Day,
    Week,
    Text(Stored),
}

impl Shown {
    pub fn of(name: &str) -> Shown {
        match (name, stored(name)) {
            (_, Some(column)) => Shown::Text(column),
            ("kind", None) => Shown::Kind,
            ("received_at", None) => Shown::ReceivedAt,
            ("day", None) => Shown::Day,
            ("week", None) => Shown::Week,
            _ => Shown::Timestamp,
        }
    }

    /// The column that a scan has to be asked for to show it; every row has the others.
    pub fn stored(self) -> Option<Stored> {
        match self {
            Shown::Text(column) => Some(column),
            Shown::Kind | Shown::Timestamp | Shown::ReceivedAt | Shown::Day | Shown::Week => None,
        }
    }

    /// What it shows of a row of a batch.
    pub fn cell(self, batch: &RowBatch, row: usize) -> Cell<'_> {
        match self {
            Shown::Text(column) => Cell::text(batch.text(column, row)),
            Shown::Timestamp => Cell::instant(batch.timestamps.get(row).copied()),
            Shown::Day => batch.timestamps.get(row).copied().map_or(Cell::Null, Cell::Day),
            Shown::Week => {
                let monday = |at: &Micros| Cell::Day(monday(Day::of(*at)).start());
                batch.timestamps.get(row).map_or(Cell::Null, monday)
            }
            Shown::ReceivedAt => Cell::instant(batch.received_at.get(row).copied()),
            Shown::Kind => Cell::text(batch.kinds.get(row).map(|kind| kind.as_str())),
        }
    }
}

/// Rows of one of the two tables.
struct Rows {
    messages: Messages,
    shown: Vec<Shown>,
}

impl Source for Rows {
    fn advance(&mut self) -> Result<bool, QueryError> {
        self.messages.advance()
    }

    fn cell(&self, column: usize) -> Cell<'_> {
        let (row, batch) = (self.messages.row(), &self.messages.batch);
        self.shown.get(column).map_or(Cell::Null, |shown| shown.cell(batch, row))
    }

    fn row_number(&self) -> i64 {
        self.messages.batch.numbers.get(self.messages.row()).map_or(0, |number| *number as i64)
    }
}
