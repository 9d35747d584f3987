//! Values of a row, and where rows come from.

use std::borrow::Cow;

use muster_model::time::Micros;
use muster_store::{
    rows::RowBatch,
    scan::{Scan, Wanted},
};

use super::session::Session;
use crate::error::QueryError;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(Cow<'a, str>),
    Instant(Micros),
}

impl<'a> Cell<'a> {
    /// A text, if there is one.
    pub fn text(text: Option<impl Into<Cow<'a, str>>>) -> Cell<'a> {
        text.map_or(Cell::Null, |text| Cell::Text(text.into()))
    }

    /// An instant, if there is one.
    pub fn instant(at: Option<Micros>) -> Cell<'a> {
        at.map_or(Cell::Null, Cell::Instant)
    }
}

/// Rows, one after the other. It stands before the first one at first.
pub trait Source {
    /// Goes to the next row; `false` when there is none.
    fn advance(&mut self) -> Result<bool, QueryError>;

    /// A value of the row it stands at.
    fn cell(&self, column: usize) -> Cell<'_>;

    /// A number that no other row of the table has, the same each time the row is read in one query.
    fn row_number(&self) -> i64;
}

/// A source, or why there is none.
pub type Opened = Result<Box<dyn Source>, QueryError>;

/// No rows.
pub struct Nothing;

impl Source for Nothing {
    fn advance(&mut self) -> Result<bool, QueryError> {
        Ok(false)
    }

    fn cell(&self, _column: usize) -> Cell<'_> {
        Cell::Null
    }

    fn row_number(&self) -> i64 {
        0
    }
}

/// Messages of a scan, row by row.
pub struct Messages {
    scan: Box<dyn Scan>,
    pub batch: RowBatch,
    /// One more than the row it stands at.
    next: usize,
    session: std::sync::Arc<Session>,
}

impl Messages {
    pub fn open(session: &std::sync::Arc<Session>, wanted: Wanted) -> Result<Messages, QueryError> {
        let scan = std::sync::Arc::clone(session.moment()?).scan(wanted)?;
        Ok(Messages { scan, batch: RowBatch::default(), next: 0, session: std::sync::Arc::clone(session) })
    }

    /// The row it stands at, within the batch.
    pub fn row(&self) -> usize {
        self.next.saturating_sub(1)
    }

    /// Goes to the next row; looks at the clock between two pieces of the scan.
    pub fn advance(&mut self) -> Result<bool, QueryError> {
        while self.next >= self.batch.len() {
            self.session.stop.check()?;
            if !self.scan.next(&mut self.batch)? {
                return Ok(false);
            }
            self.next = 0;
        }
        self.next += 1;
        Ok(true)
    }
}
