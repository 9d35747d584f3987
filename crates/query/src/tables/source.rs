//! Values of a row, and where rows come from.

use std::{
    borrow::Cow,
    io,
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
};

use muster_model::time::Micros;
use muster_store::{
    error::ReadError,
    rows::RowBatch,
    scan::{Scan, Wanted},
};

use super::session::{AheadPlace, Session};
use crate::error::QueryError;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(Cow<'a, str>),
    Instant(Micros),
    /// The day of an instant; nothing outside the years 0 to 9999.
    Day(Micros),
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

    /// Goes back to before the first row, if that is less work than opening it again.
    fn rewind(&mut self) -> bool {
        false
    }
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

/// Batches that are read here before a thread goes on reading ahead: most scans have fewer.
const BATCHES_HERE: usize = 12;
/// Batches that wait to be looked at.
const BATCHES_AHEAD: usize = 3;

/// A scan, read here or ahead.
enum Reading {
    Here { scan: Box<dyn Scan>, batches: usize },
    Ahead(Ahead),
    Ended,
}

/// A scan that is read ahead on a thread of its own, so that decoding and SQLite's work go on at one time.
struct Ahead {
    batches: Option<Receiver<Result<Option<RowBatch>, ReadError>>>,
    /// Batches that were looked at, to be filled again.
    used: Sender<RowBatch>,
    thread: Option<JoinHandle<()>>,
    _place: AheadPlace,
}

impl Ahead {
    fn start(mut scan: Box<dyn Scan>, place: AheadPlace) -> io::Result<Ahead> {
        let (filled, batches) = mpsc::sync_channel(BATCHES_AHEAD);
        let (used, empty) = mpsc::channel::<RowBatch>();
        let work = move || {
            loop {
                let mut batch = empty.try_recv().unwrap_or_default();
                let read = scan.next(&mut batch).map(|more| more.then_some(batch));
                let ended = !matches!(read, Ok(Some(_)));
                // Nobody takes it when the query has ended.
                if filled.send(read).is_err() || ended {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("scan".to_owned()).spawn(work)?;
        Ok(Ahead { batches: Some(batches), used, thread: Some(thread), _place: place })
    }

    /// Puts the next rows in place of those of `batch`; `false` at the end.
    fn next(&mut self, batch: &mut RowBatch) -> Result<bool, QueryError> {
        let read = self.batches.as_ref().and_then(|batches| batches.recv().ok());
        let read =
            read.ok_or_else(|| QueryError::Internal("a scan ended without a word; please report it".to_owned()))?;
        let Some(next) = read? else { return Ok(false) };
        let _ = self.used.send(std::mem::replace(batch, next));
        Ok(true)
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // Whoever waits for room for a batch is told that there is none any more.
        drop(self.batches.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there showed as an end without a word.
            let _ = thread.join();
        }
    }
}

impl Reading {
    fn next(&mut self, batch: &mut RowBatch, session: &Arc<Session>) -> Result<bool, QueryError> {
        match self {
            Reading::Ended => Ok(false),
            Reading::Ahead(ahead) => ahead.next(batch),
            Reading::Here { scan, batches } if *batches < BATCHES_HERE => {
                *batches += 1;
                Ok(scan.next(batch)?)
            }
            Reading::Here { scan, batches } => {
                let Some(place) = session.take_ahead() else {
                    // It is looked for a place again after as many batches.
                    *batches = 0;
                    return Ok(scan.next(batch)?);
                };
                let Reading::Here { scan, .. } = std::mem::replace(self, Reading::Ended) else { return Ok(false) };
                let ahead = Ahead::start(scan, place);
                let ahead = ahead.map_err(|error| QueryError::Internal(format!("no thread to read ahead: {error}")))?;
                *self = Reading::Ahead(ahead);
                self.next(batch, session)
            }
        }
    }
}

/// Messages of a scan, row by row.
pub struct Messages {
    reading: Reading,
    pub batch: RowBatch,
    /// One more than the row it stands at.
    next: usize,
    session: Arc<Session>,
}

impl Messages {
    pub fn open(session: &Arc<Session>, wanted: Wanted) -> Result<Messages, QueryError> {
        let scan = Arc::clone(session.moment()?).scan(wanted)?;
        let reading = Reading::Here { scan, batches: 0 };
        Ok(Messages { reading, batch: RowBatch::default(), next: 0, session: Arc::clone(session) })
    }

    /// The row it stands at, within the batch.
    pub fn row(&self) -> usize {
        self.next.saturating_sub(1)
    }

    /// Goes to the next rows, all those of a batch; `false` when there are none. Looks at the clock.
    pub fn advance_batch(&mut self) -> Result<bool, QueryError> {
        self.session.stop.check()?;
        let more = self.reading.next(&mut self.batch, &self.session)?;
        self.next = self.batch.len();
        Ok(more)
    }

    /// Goes to the next row; looks at the clock between two pieces of the scan.
    pub fn advance(&mut self) -> Result<bool, QueryError> {
        while self.next >= self.batch.len() {
            self.session.stop.check()?;
            if !self.reading.next(&mut self.batch, &self.session)? {
                return Ok(false);
            }
            self.next = 0;
        }
        self.next += 1;
        Ok(true)
    }
}
