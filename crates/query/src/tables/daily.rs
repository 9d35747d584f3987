//! `daily`: how often an event happened in an account on a day, and how many users did it.
//!
//! Follows from `events`: they are sorted by account, day, event and user, in whichever order a query groups them, and each row
//! counts those that share the first three. Conditions reach the events. Where that cannot be done in memory, the
//! table is a view in SQL that says the same.

use std::sync::Arc;

use muster_store::{rows::Column as Stored, scan::Wanted};

use super::{
    Table,
    column::{Column, Kind},
    plan::Lookup,
    runs::Record,
    session::Session,
    sorted::{Part, Sorted},
    source::{Cell, Opened, Source},
};
use crate::error::QueryError;

/// The same in SQL.
pub const VIEW: &str = "create view daily(day, account_id, event, events, users) as \
     select day, account_id, event, count(*), count(distinct user_id) from events group by 1, 2, 3";

/// Columns of `daily`.
pub const COLUMNS: &[Column] = &[
    Column::day("day"),
    Column::names("account_id", 1_000),
    Column::names("event", 20),
    Column::plain("events", Kind::Count),
    Column::plain("users", Kind::Count),
];

/// What one row is about.
const KEY: [Part; 3] = [Part::Day, Part::Text(Stored::Account), Part::Text(Stored::Event)];
/// Columns that it is sorted by.
pub const KEYS: usize = KEY.len();
const EVENTS: usize = 3;
const USERS: usize = 4;
const USER: Part = Part::Text(Stored::User);

/// Numbers of a record that an event becomes here.
pub const NUMBERS: usize = 4;

/// The rows that a lookup leaves.
pub fn open(session: &Arc<Session>, lookup: Lookup) -> Opened {
    let names = |column| lookup.names_of(Table::Daily, column).cloned();
    let asks_users = lookup.uses(USERS);
    let mut columns = vec![Stored::Account, Stored::Event];
    columns.extend(asks_users.then_some(Stored::User));
    let wanted = Wanted {
        accounts: names("account_id"),
        events: names("event"),
        first: lookup.bounds.first,
        last: lookup.bounds.last,
        columns,
        ..Wanted::events()
    };
    let key = lookup.order.iter().filter_map(|key| Some((*KEY.get(key.column)?, key.descending))).collect();
    Ok(Box::new(Daily {
        session: Arc::clone(session),
        waiting: Some((wanted, key)),
        asks_users,
        sorted: None,
        next: None,
        current: (Record::default(), 0, 0),
        row: 0,
    }))
}

/// Rows of `daily`.
struct Daily {
    session: Arc<Session>,
    /// What there is to gather, until it is first asked for.
    waiting: Option<(Wanted, Vec<(Part, bool)>)>,
    asks_users: bool,
    sorted: Option<Sorted>,
    /// The first event of the next row.
    next: Option<Record>,
    /// An event of the row, how many there are, and of how many users.
    current: (Record, i64, i64),
    row: i64,
}

impl Source for Daily {
    fn advance(&mut self) -> Result<bool, QueryError> {
        if let Some((wanted, key)) = self.waiting.take() {
            let users = if self.asks_users { &[USER][..] } else { &[] };
            let others: Vec<Part> = KEY.iter().chain(users).copied().collect();
            let mut sorted = Sorted::gather(&self.session, wanted, &key, &others)?;
            self.next = sorted.next();
            self.sorted = Some(sorted);
        }
        let (Some(sorted), Some(first)) = (&mut self.sorted, self.next.take()) else { return Ok(false) };
        let key_of = |sorted: &Sorted, record: &Record| KEY.map(|part| sorted.number(record, part));
        let key = key_of(sorted, &first);
        let (mut events, mut users, mut user) = (0, 0, 0);
        let mut event = Some(first);
        while let Some(record) = event.filter(|record| key_of(sorted, record) == key) {
            events += 1;
            // Those of nobody come first.
            let whose = sorted.number(&record, USER);
            users += i64::from(whose != user);
            user = whose;
            event = sorted.next();
        }
        self.next = event;
        (self.current, self.row) = ((first, events, users), self.row + 1);
        Ok(true)
    }

    fn cell(&self, column: usize) -> Cell<'_> {
        let (record, events, users) = &self.current;
        match (column, KEY.get(column), &self.sorted) {
            (EVENTS, ..) => Cell::Integer(*events),
            (USERS, ..) => Cell::Integer(*users),
            (_, Some(part), Some(sorted)) => sorted.cell(record, *part),
            _ => Cell::Null,
        }
    }

    fn row_number(&self) -> i64 {
        self.row
    }
}
