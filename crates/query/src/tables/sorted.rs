//! Events in an order, for `GROUP BY` and `DISTINCT`.
//!
//! SQLite groups by sorting: texts compared byte by byte, one row after the other, on one thread. Where a query groups events
//! by names and days alone, the rows come from here in that order instead: each column of a row is a number of a
//! [dictionary](crate::tables::dictionary), and numbers are sorted. What is read after the key is sorted too, so that distinct values
//! of it come one after the other. Takes a bounded amount of memory; beyond it, and where an instant does not sort as
//! its text, the query is told so and begins anew without this.

use std::sync::Arc;

use muster_model::{day::Day, time::Micros};
use muster_store::{
    rows::{Column as Stored, RowBatch},
    scan::Wanted,
};

use super::{
    dictionary::Dictionary,
    instants::InstantText,
    plan::Key,
    runs::{self, Record, Runs, number, put},
    session::{Session, SortedPlace},
    source::{Cell, Messages, Source},
};
use crate::error::QueryError;

/// What a column shows of an event, as far as it can be sorted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Text(Stored),
    Timestamp,
    Day,
    Week,
}

impl Part {
    /// What the column of this name shows.
    pub fn of(name: &str) -> Option<Part> {
        match name {
            "event" => Some(Part::Text(Stored::Event)),
            "user_id" => Some(Part::Text(Stored::User)),
            "account_id" => Some(Part::Text(Stored::Account)),
            "organization_id" => Some(Part::Text(Stored::Organization)),
            "timestamp" => Some(Part::Timestamp),
            "day" => Some(Part::Day),
            "week" => Some(Part::Week),
            _ => None,
        }
    }

    /// How many numbers of a record it takes.
    pub fn numbers(self) -> usize {
        if self == Part::Timestamp { 2 } else { 1 }
    }
}

/// A part at its place in a record.
#[derive(Clone, Copy, Debug)]
struct Field {
    part: Part,
    at: usize,
    descending: bool,
}

/// The Monday of a day.
pub fn monday(day: Day) -> Day {
    // The first of January 1970 was a Thursday.
    day.plus(-(day.0 + 3).rem_euclid(7))
}

/// Numbers that sort as signed ones do.
fn biased(number: i32) -> u32 {
    number as u32 ^ 1 << 31
}

fn unbiased(number: u32) -> i32 {
    (number ^ 1 << 31) as i32
}

fn put_days(batch: &RowBatch, records: &mut [Record], place: usize, shown: impl Fn(Day) -> Day) {
    for (at, record) in batch.timestamps.iter().zip(records) {
        put(record, place, biased(shown(Day::of(*at)).0));
    }
}

/// Events in an order.
pub struct Sorted {
    fields: Vec<Field>,
    dictionaries: Vec<(Stored, Dictionary)>,
    runs: Box<dyn Runs>,
    place: Option<SortedPlace>,
}

impl Sorted {
    /// Gathers and sorts the events that are wanted: by the parts of the key first, then by the others.
    pub fn gather(
        session: &Arc<Session>,
        wanted: Wanted,
        key: &[(Part, bool)],
        others: &[Part],
    ) -> Result<Sorted, QueryError> {
        let mut fields: Vec<Field> = Vec::new();
        let mut at = 0;
        for (part, descending) in key.iter().copied().chain(others.iter().map(|part| (*part, false))) {
            if fields.iter().all(|field| field.part != part) {
                fields.push(Field { part, at, descending });
                at += part.numbers();
            }
        }
        if at > runs::NUMBERS_MAX {
            return Err(QueryError::NotSorted);
        }
        let texts =
            fields.iter().filter_map(|field| if let Part::Text(column) = field.part { Some(column) } else { None });
        let dictionaries = texts.map(|column| (column, Dictionary::default())).collect();
        // Room for all rows is asked for at once only where all of them are read.
        let whole = wanted.users.is_none() && wanted.accounts.is_none() && wanted.organizations.is_none();
        let count =
            if whole && wanted.events.is_none() && wanted.first.is_none() { session.extent.messages } else { 0 };
        let most = session.records_max(at);
        let count = (count as usize).min(most);
        let mut sorted = Sorted { fields, dictionaries, runs: runs::runs(at, count, most), place: None };
        let mut messages = Messages::open(session, wanted)?;
        while messages.advance_batch()? {
            sorted.hold(session, messages.batch.len())?;
            sorted.take(&messages.batch)?;
        }
        sorted.hold(session, 0)?;
        sorted.sort();
        Ok(sorted)
    }

    /// Takes the bytes that are held once so many more records came.
    fn hold(&mut self, session: &Arc<Session>, more: usize) -> Result<(), QueryError> {
        let texts: usize = self.dictionaries.iter().map(|(_, known)| known.bytes()).sum();
        let held = session.take_sorted(&mut self.place, self.runs.bytes_with(more) + texts);
        if held { Ok(()) } else { Err(QueryError::NotSorted) }
    }

    fn take(&mut self, batch: &RowBatch) -> Result<(), QueryError> {
        let mut records: Vec<Record> = vec![Record::default(); batch.len()];
        for field in &self.fields {
            match field.part {
                Part::Text(column) => {
                    let Some((_, dictionary)) = self.dictionaries.iter_mut().find(|(known, _)| *known == column) else {
                        continue;
                    };
                    for (row, record) in records.iter_mut().enumerate() {
                        put(record, field.at, dictionary.number(batch.text(column, row)));
                    }
                }
                Part::Timestamp => {
                    for (at, record) in batch.timestamps.iter().zip(&mut records) {
                        let millis = at.millis() as u64 ^ 1 << 63;
                        put(record, field.at, (millis >> 32) as u32);
                        put(record, field.at + 1, millis as u32);
                    }
                }
                Part::Day => put_days(batch, &mut records, field.at, |day| day),
                Part::Week => put_days(batch, &mut records, field.at, monday),
            }
        }
        let timed = self.fields.iter().any(|field| !matches!(field.part, Part::Text(_)));
        if timed && !batch.timestamps.iter().all(|at| InstantText::sorts(*at)) {
            return Err(QueryError::NotSorted);
        }
        self.runs.extend(&records);
        Ok(())
    }

    fn sort(&mut self) {
        let news: Vec<(Stored, Vec<u32>)> =
            self.dictionaries.iter_mut().map(|(column, dictionary)| (*column, dictionary.sort())).collect();
        let fields: Vec<(Field, Option<&[u32]>)> = self
            .fields
            .iter()
            .map(|field| {
                let of = |column| news.iter().find(|(known, _)| *known == column).map(|(_, news)| &**news);
                (*field, if let Part::Text(column) = field.part { of(column) } else { None })
            })
            .collect();
        self.runs.sort(&|record| {
            let mut changed = Record::default();
            for (field, news) in &fields {
                for at in field.at..field.at + field.part.numbers() {
                    let value = number(record, at);
                    let value = news.map_or(value, |news| news[value as usize]);
                    put(&mut changed, at, if field.descending { !value } else { value });
                }
            }
            *record = changed;
        });
    }

    /// The next record.
    pub fn next(&mut self) -> Option<Record> {
        self.runs.next()
    }

    /// The number that a part has in a record, by which parts are the same or not.
    pub fn number(&self, record: &Record, part: Part) -> u32 {
        let field = self.fields.iter().find(|field| field.part == part);
        field.map_or(0, |field| {
            let value = number(record, field.at);
            if field.descending { !value } else { value }
        })
    }

    /// What a part of a record shows.
    pub fn cell(&self, record: &Record, part: Part) -> Cell<'_> {
        match part {
            Part::Text(column) => {
                let dictionary = self.dictionaries.iter().find(|(known, _)| *known == column);
                Cell::text(dictionary.and_then(|(_, dictionary)| dictionary.text(self.number(record, part))))
            }
            Part::Timestamp => {
                let Some(field) = self.fields.iter().find(|field| field.part == part) else { return Cell::Null };
                let bits = u64::from(number(record, field.at)) << 32 | u64::from(number(record, field.at + 1));
                let bits = if field.descending { !bits } else { bits };
                Cell::Instant(Micros(((bits ^ 1 << 63) as i64).saturating_mul(1_000)))
            }
            Part::Day | Part::Week => Cell::Day(Day(unbiased(self.number(record, part))).start()),
        }
    }
}

/// Rows of `events` in an order.
pub struct Rows {
    session: Arc<Session>,
    /// What there is to gather, until it is first asked for.
    waiting: Option<(Wanted, Vec<(Part, bool)>)>,
    sorted: Option<Sorted>,
    /// What each column shows.
    parts: Vec<Option<Part>>,
    used: Vec<Part>,
    current: Record,
    row: i64,
}

impl Rows {
    /// The events that are wanted by a key of columns; `used` are the parts that are read at all.
    pub fn new(session: &Arc<Session>, wanted: Wanted, key: &[Key], names: &[&str], used: Vec<Part>) -> Rows {
        let parts: Vec<Option<Part>> = names.iter().map(|name| Part::of(name)).collect();
        let key =
            key.iter().filter_map(|key| Some((parts.get(key.column).copied().flatten()?, key.descending))).collect();
        Rows {
            session: Arc::clone(session),
            waiting: Some((wanted, key)),
            sorted: None,
            parts,
            used,
            current: Record::default(),
            row: 0,
        }
    }
}

impl Source for Rows {
    fn advance(&mut self) -> Result<bool, QueryError> {
        if let Some((wanted, key)) = self.waiting.take() {
            self.sorted = Some(Sorted::gather(&self.session, wanted, &key, &self.used)?);
        }
        let Some(record) = self.sorted.as_mut().and_then(Sorted::next) else { return Ok(false) };
        (self.current, self.row) = (record, self.row + 1);
        Ok(true)
    }

    fn cell(&self, column: usize) -> Cell<'_> {
        match (&self.sorted, self.parts.get(column).copied().flatten()) {
            (Some(sorted), Some(part)) => sorted.cell(&self.current, part),
            _ => Cell::Null,
        }
    }

    fn row_number(&self) -> i64 {
        self.row
    }
}
