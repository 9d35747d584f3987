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

use muster_model::{kind::Kind, time::Micros};
use muster_store::{
    rows::{Column, RowBatch},
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
    fn columns(&self) -> Vec<Column>;

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

/// Which messages are exported.
#[derive(Clone, Debug)]
pub struct Selection(Vec<Wanted>);

impl Selection {
    /// Those that name what is wanted.
    #[must_use]
    pub fn named(wanted: Wanted) -> Selection {
        Selection(vec![wanted])
    }

    /// The same, but of tracks those that belong to it, as a timeline has them, whatever they name. What comes is as it was
    /// sent all the same.
    #[must_use]
    pub fn belonging(wanted: Wanted) -> Selection {
        let is_of_records = wanted.users.is_some() || wanted.accounts.is_some() || wanted.organizations.is_some();
        if !is_of_records || !wanted.kinds.contains(&Kind::Track) {
            return Selection::named(wanted);
        }
        let tracks = Wanted { kinds: vec![Kind::Track], attributed: true, shown_as_named: true, ..wanted.clone() };
        let mut others = wanted;
        others.kinds.retain(|kind| *kind != Kind::Track);
        Selection(if others.kinds.is_empty() { vec![tracks] } else { vec![others, tracks] })
    }

    /// Hands on the rows of all of it, read with these columns and within these instants as well.
    fn each(
        &self,
        moment: &Arc<dyn Moment>,
        columns: &[Column],
        (first, last): (Option<Micros>, Option<Micros>),
        mut each: impl FnMut(&RowBatch) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let mut batch = RowBatch::default();
        for wanted in &self.0 {
            let wanted = Wanted {
                first: wanted.first.max(first),
                last: wanted.last.into_iter().chain(last).min(),
                columns: columns.to_vec(),
                ..wanted.clone()
            };
            let mut scan = Arc::clone(moment).scan(wanted)?;
            while scan.next(&mut batch)? {
                each(&batch)?;
            }
        }
        Ok(())
    }
}

/// Bytes that are gathered before they go out.
const PIECE_BYTES: usize = 64 << 10;

/// Hands out the messages of a moment that are wanted; how many there were. An export that fails has no end: what went
/// out before is cut off.
pub fn export(
    moment: &Arc<dyn Moment>,
    selection: &Selection,
    form: ExportForm,
    stop: &Stop,
    out: &mut dyn Out,
) -> Result<u64, QueryError> {
    let mut form = form.open()?;
    let (mut buffer, mut count) = (Vec::new(), 0);
    let mut rows: Vec<usize> = Vec::new();
    form.begin(&mut buffer);
    selection.each(moment, &form.columns(), (None, None), |batch| {
        stop.check()?;
        rows.clear();
        rows.extend(0..batch.len());
        form.rows(batch, &rows, &mut buffer)?;
        count += batch.len() as u64;
        if buffer.len() >= PIECE_BYTES { hand_out(&mut buffer, out) } else { Ok(()) }
    })?;
    form.end(&mut buffer)?;
    hand_out(&mut buffer, out)?;
    Ok(count)
}

fn hand_out(buffer: &mut Vec<u8>, out: &mut dyn Out) -> Result<(), QueryError> {
    out.take(std::mem::take(buffer)).map_err(|Gone| QueryError::Cancelled)
}
