//! A workspace's messages as a file or the files of a directory, whole or a selection of them, as of one moment.
//!
//! Unlike a query it has no bound in rows or time: it goes on for as long as somebody takes what it hands out, and holds
//! a piece of it at a time. Messages come in no particular order, each once.

/// One JSON object a line, from which every message can be stored again as it is.
mod lines;

/// A message's columns, as the table `messages` has them.
mod columns;

/// A Parquet file that is written piece by piece.
mod parquet;

/// Many files in one stream of bytes.
pub mod frame;

/// The files of a directory, by kind and month.
mod parts;

/// What is stored after a moment.
mod after;

pub use after::followed;

pub use parts::{Parts, export_parts};

use std::sync::Arc;

use muster_store::{
    rows::RowBatch,
    scan::{Moment, Wanted},
};

use crate::{
    error::QueryError,
    output::{Gone, Out},
    stop::Stop,
};

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportForm {
    /// `{"receivedAt":…,"message":{…}}` on each line.
    Ndjson,
    Csv,
    Parquet,
}

impl ExportForm {
    /// Every form.
    pub const ALL: [ExportForm; 3] = [ExportForm::Ndjson, ExportForm::Csv, ExportForm::Parquet];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ExportForm::Ndjson => "ndjson",
            ExportForm::Csv => "csv",
            ExportForm::Parquet => "parquet",
        }
    }

    /// A file of it, with no row yet.
    fn open(self) -> Result<Box<dyn Form>, QueryError> {
        Ok(match self {
            ExportForm::Ndjson => Box::new(lines::Lines),
            ExportForm::Csv => Box::new(columns::Csv::new()),
            ExportForm::Parquet => Box::new(parquet::Columns::new()?),
        })
    }

    /// Its media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            ExportForm::Ndjson => "application/x-ndjson",
            ExportForm::Csv => "text/csv; charset=utf-8; header=present",
            ExportForm::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// Rows as bytes of one form.
trait Form {
    /// The columns that it needs of each row.
    fn columns(&self) -> Vec<muster_store::rows::Column>;

    /// Appends what stands before the first row.
    fn begin(&mut self, out: &mut Vec<u8>);

    /// Appends some rows of a batch, by their numbers in it.
    fn rows(&mut self, batch: &RowBatch, rows: &[usize], out: &mut Vec<u8>) -> Result<(), QueryError>;

    /// Bytes that were not appended yet.
    fn held(&self) -> usize {
        0
    }

    /// Appends what it holds.
    fn let_go(&mut self, _out: &mut Vec<u8>) -> Result<(), QueryError> {
        Ok(())
    }

    /// Appends what stands after the last row.
    fn end(self: Box<Self>, out: &mut Vec<u8>) -> Result<(), QueryError>;
}

/// Bytes that are gathered before they go out.
const PIECE_BYTES: usize = 64 << 10;

/// Hands out the messages of a moment that are wanted; how many there were. An export that fails has no end: what went
/// out before is cut off.
pub fn export(
    moment: Arc<dyn Moment>,
    wanted: Wanted,
    form: ExportForm,
    stop: &Stop,
    out: &mut dyn Out,
) -> Result<u64, QueryError> {
    let mut form = form.open()?;
    let mut scan = moment.scan(Wanted { columns: form.columns(), ..wanted })?;
    let (mut batch, mut buffer, mut count) = (RowBatch::default(), Vec::new(), 0);
    let mut rows: Vec<usize> = Vec::new();
    form.begin(&mut buffer);
    while scan.next(&mut batch)? {
        stop.check()?;
        rows.clear();
        rows.extend(0..batch.len());
        form.rows(&batch, &rows, &mut buffer)?;
        count += batch.len() as u64;
        if buffer.len() >= PIECE_BYTES {
            hand_out(&mut buffer, out)?;
        }
    }
    form.end(&mut buffer)?;
    hand_out(&mut buffer, out)?;
    Ok(count)
}

fn hand_out(buffer: &mut Vec<u8>, out: &mut dyn Out) -> Result<(), QueryError> {
    out.take(std::mem::take(buffer)).map_err(|Gone| QueryError::Cancelled)
}
