//! Answers as JSON, CSV or Parquet.
//!
//! JSON and CSV go out while the query runs, in pieces; Parquet is put together in memory, column by column, and goes out
//! at the end. JSON says in its last members whether it is whole. CSV and Parquet cannot say so: an answer of theirs that
//! is not whole is an error, or has no end when the beginning has gone out.

/// One object.
mod json;

/// Lines, as RFC 4180 has them.
pub(crate) mod csv;

/// A Parquet file.
mod parquet;

use muster_store::scan::Work;
use rusqlite::{Row, Statement, types::ValueRef};

use crate::{error::QueryError, limits::Limits};

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Csv,
    Parquet,
}

impl Format {
    /// The form of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Format> {
        match name {
            "json" => Some(Format::Json),
            "csv" => Some(Format::Csv),
            "parquet" => Some(Format::Parquet),
            _ => None,
        }
    }

    /// Its media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Csv => "text/csv; charset=utf-8; header=present",
            Format::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// Nobody takes the answer any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// Where an answer goes. It may wait until there is room.
pub trait Out {
    /// Takes the next bytes.
    fn take(&mut self, bytes: Vec<u8>) -> Result<(), Gone>;
}

impl Out for Vec<u8> {
    fn take(&mut self, bytes: Vec<u8>) -> Result<(), Gone> {
        self.extend_from_slice(&bytes);
        Ok(())
    }
}

/// Bytes that are gathered before they go out.
const PIECE_BYTES: usize = 64 << 10;

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub name: String,
    /// The type of the column of a table that it shows; `None` for everything computed.
    pub declared: Option<String>,
}

/// How an answer ended.
#[derive(Debug)]
pub struct Ended<'e> {
    pub truncated: bool,
    pub work: Work,
    pub error: Option<&'e QueryError>,
}

enum Form {
    Json,
    Csv,
    Parquet(parquet::Columns),
}

/// An answer being written.
pub struct Writer<'o> {
    form: Form,
    out: &'o mut dyn Out,
    buffer: Vec<u8>,
    /// Whether anything has gone out.
    begun: bool,
    rows: u64,
    bytes: usize,
    rows_max: u64,
    bytes_max: usize,
}

impl<'o> Writer<'o> {
    /// Begins an answer with the columns of a statement.
    pub fn new(
        format: Format,
        statement: &Statement<'_>,
        limits: &Limits,
        out: &'o mut dyn Out,
    ) -> Result<Writer<'o>, QueryError> {
        let columns = statement.columns();
        let declared = |text: &str| Some(text.to_ascii_lowercase()).filter(|text| !text.is_empty());
        let heads: Vec<Head> = columns
            .map(|column| Head { name: column.name().to_owned(), declared: column.decl_type().and_then(declared) })
            .collect();
        let mut buffer = Vec::with_capacity(4 << 10);
        let form = match format {
            Format::Json => {
                json::begin(&heads, &mut buffer);
                Form::Json
            }
            Format::Csv => {
                csv::begin(&heads, &mut buffer);
                Form::Csv
            }
            Format::Parquet => Form::Parquet(parquet::Columns::new(&heads)),
        };
        let (rows_max, bytes_max) = (limits.rows_max, limits.answer_bytes_max);
        Ok(Writer { form, out, buffer, begun: false, rows: 0, bytes: 0, rows_max, bytes_max })
    }

    /// Rows written.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether any of it has gone out.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether another row fits. Where the answer cannot say that it is cut, one that does not fit is an error.
    pub fn may_take_more(&self) -> Result<bool, QueryError> {
        let fits = self.rows < self.rows_max && self.bytes < self.bytes_max;
        match self.form {
            Form::Json => Ok(fits),
            Form::Csv | Form::Parquet(_) if fits => Ok(true),
            Form::Csv | Form::Parquet(_) => {
                Err(QueryError::TooLarge { rows_max: self.rows_max, bytes_max: self.bytes_max })
            }
        }
    }

    /// Writes a row.
    pub fn row(&mut self, row: &Row<'_>, columns: usize) -> Result<(), QueryError> {
        let before = self.buffer.len();
        let value = |at: usize| row.get_ref(at).unwrap_or(ValueRef::Null);
        match &mut self.form {
            Form::Json => json::row(self.rows, columns, value, &mut self.buffer),
            Form::Csv => csv::row(columns, value, &mut self.buffer),
            Form::Parquet(table) => self.bytes += table.row(columns, value),
        }
        self.rows += 1;
        self.bytes += self.buffer.len() - before;
        if self.buffer.len() >= PIECE_BYTES { self.send() } else { Ok(()) }
    }

    /// Ends the answer.
    pub fn end(mut self, ended: &Ended<'_>) -> Result<(), QueryError> {
        match self.form {
            Form::Json => json::end(self.rows, ended, &mut self.buffer),
            Form::Csv => {}
            Form::Parquet(table) => {
                self.buffer = table.into_file()?;
                self.form = Form::Csv;
            }
        }
        self.send()
    }

    /// Ends the answer with an error: within it where the beginning has gone out and the form allows it. Returns the error.
    pub fn fail(self, error: QueryError, work: Work) -> QueryError {
        if self.begun && matches!(self.form, Form::Json) && error != QueryError::Cancelled {
            // When nobody takes it, nobody misses it.
            let _ = self.end(&Ended { truncated: true, work, error: Some(&error) });
        }
        error
    }

    fn send(&mut self) -> Result<(), QueryError> {
        self.begun = true;
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE_BYTES + (4 << 10)));
        self.out.take(piece).map_err(|Gone| QueryError::Cancelled)
    }
}

/// Bytes as hexadecimal digits.
fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}
