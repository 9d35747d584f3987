//! Merging files into months.
//!
//! Checkpoint files and small files of a month are merged into one file a month, sorted as they are. Rows are copied
//! as they stand. Memory is bounded by some batches of rows for each input and a row group for each month that is written at
//! once, whatever the files hold.

use std::{cmp::Ordering, path::Path, sync::Arc};

use arrow_array::{Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_select::interleave::interleave_record_batch;
use muster_model::{id::WorkspaceId, time::Micros};
use muster_store::error::ReadError;
use parquet::{
    arrow::arrow_reader::{
        ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    },
    errors::ParquetError,
};

use super::{
    columns::BATCH_ROWS,
    error::not_written,
    manifest::{Manifest, Segment, unreadable},
    schema::{self, Layout},
    segment::SegmentWriter,
    verified::VerifiedFile,
};

/// What is merged at once, in files that are not small any more. Whoever waits for it should not wait long; and it should be much, since
/// what comes of it may be merged again.
const LARGE_FILES: u64 = 4;

/// Bytes of a workspace's checkpoint files, which are compressed little, from which on they are merged at rest, however few
/// they are.
const RESTED_BYTES_MIN: u64 = 32 << 20;

/// Months that are written at once: a year lies in thirteen. Each keeps a row group in memory.
const MONTHS_MAX: usize = 16;
/// Batches that are kept because rows in them wait for being written, counted for each month; more only where each month
/// keeps one of each input.
const BATCHES_MAX: usize = 128;

/// Which files are worth merging.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// As many small ones as this.
    pub files_min: usize,
    /// Files of a month that have more bytes are small no more.
    pub file_bytes_max: u64,
}

/// Files to merge, all of one workspace.
#[derive(Debug)]
pub struct Plan {
    pub workspace: WorkspaceId,
    /// The oldest of those that wait.
    pub inputs: Vec<Arc<Segment>>,
    /// How many wait, these included.
    pub waiting: usize,
}

impl Plan {
    /// A merge of the oldest of these.
    pub fn new(workspace: WorkspaceId, mut inputs: Vec<Arc<Segment>>, bounds: Bounds) -> Plan {
        let (waiting, most) = (inputs.len(), bounds.file_bytes_max.saturating_mul(LARGE_FILES));
        let mut bytes = 0u64;
        let fitting = inputs.iter().take_while(|segment| {
            bytes = bytes.saturating_add(segment.bytes);
            bytes <= most
        });
        // Each input keeps some batches of rows in memory.
        let least = bounds.files_min.max(2);
        let count = fitting.count().clamp(least, least.saturating_mul(2));
        inputs.truncate(count);
        Plan { workspace, inputs, waiting }
    }

    /// Which columns its files have.
    fn layout(&self) -> Layout {
        self.inputs.first().map_or(Layout::Plain, |segment| segment.layout())
    }

    /// The bytes of its files.
    pub fn bytes(&self) -> u64 {
        self.inputs.iter().map(|segment| segment.bytes).sum()
    }
}

/// What to merge next: a workspace's checkpoint files once there are enough of them, at rest also fewer, else a month's small
/// files.
pub fn plan(manifest: &Manifest, workspaces: &[WorkspaceId], bounds: Bounds, at_rest: bool) -> Option<Plan> {
    let enough = |inputs: &Vec<Arc<Segment>>| {
        let recent = inputs.iter().filter(|segment| segment.month.is_none());
        inputs.len() >= bounds.files_min.max(2)
            || at_rest && recent.map(|segment| segment.bytes).sum::<u64>() >= RESTED_BYTES_MIN
    };
    for workspace in workspaces {
        let of_month = |month: Option<Micros>| -> Vec<Arc<Segment>> {
            let small = |segment: &&Arc<Segment>| {
                segment.month == month && (month.is_none() || segment.bytes < bounds.file_bytes_max)
            };
            manifest.of(*workspace).filter(small).cloned().collect()
        };
        let mut months: Vec<Micros> = manifest.of(*workspace).filter_map(|segment| segment.month).collect();
        months.sort_unstable();
        months.dedup();
        let mut groups = std::iter::once(None).chain(months.into_iter().map(Some)).map(of_month);
        if let Some(inputs) = groups.find(enough) {
            return Some(Plan::new(*workspace, inputs, bounds));
        }
    }
    None
}

/// Merges the inputs of a plan into one file for each month that they hold messages of; none, as soon as it is to go on no more.
pub fn merge(
    plan: &Plan,
    (history_dir, workspace_name): (&Path, &str),
    mut next_id: impl FnMut() -> u64,
    goes_on: &dyn Fn() -> bool,
) -> Result<Option<Vec<Arc<Segment>>>, ReadError> {
    let place = (plan.workspace, workspace_name);
    let layout = plan.layout();
    let mut create = |month| SegmentWriter::create(history_dir, place, next_id(), (Some(month), layout));
    let (inputs, open, done) = (plan.inputs.len(), Vec::new(), Vec::new());
    let mut months = Months { create: &mut create, inputs, open, last: 0, done, left_out: true };
    let mut outputs = Vec::new();
    while std::mem::take(&mut months.left_out) {
        if !merge_some(&plan.inputs, &mut months, goes_on)? {
            return Ok(None);
        }
        outputs.extend(months.finish().map_err(|error| not_written(&error))?);
    }
    let rows = |segments: &[Arc<Segment>]| segments.iter().map(|segment| segment.rows).sum::<u64>();
    if rows(&outputs) == rows(&plan.inputs) {
        return Ok(Some(outputs));
    }
    let what =
        format!("compaction read {} rows and wrote {}; nothing was replaced", rows(&plan.inputs), rows(&outputs));
    Err(ReadError::Damaged { what })
}

/// Merges the rows of as many months as may be open; `false` as soon as it is to go on no more.
fn merge_some(inputs: &[Arc<Segment>], months: &mut Months<'_>, goes_on: &dyn Fn() -> bool) -> Result<bool, ReadError> {
    let mut cursors = Vec::new();
    for segment in inputs {
        let mut cursor = Cursor::open(segment)?;
        if cursor.advance_to_row()? {
            cursors.push(cursor);
        }
    }
    // The input of each cursor that is left, by its place among all.
    let mut left: Vec<usize> = (0..cursors.len()).collect();
    while let Some((first, second)) = first_two(&cursors, &left) {
        // Neighbours lie in one input more often than not: go on with it as long as it is not behind the next one.
        loop {
            let cursor = &mut cursors[first];
            if months.take(first, cursor).map_err(|error| not_written(&error))? && !goes_on() {
                return Ok(false);
            }
            cursor.row += 1;
            if !cursor.advance_to_row()? {
                left.retain(|index| *index != first);
                break;
            }
            if second.is_some_and(|second| cursors[first].order(&cursors[second]) == Ordering::Greater) {
                break;
            }
        }
    }
    Ok(goes_on())
}

/// The months that rows are sorted into, each a file. As many at once as memory allows: the inputs are read again for the others.
struct Months<'c> {
    create: &'c mut dyn FnMut(Micros) -> Result<SegmentWriter, ParquetError>,
    inputs: usize,
    open: Vec<Month>,
    /// The place of the one that took the last row.
    last: usize,
    /// The first instants of those that are written already.
    done: Vec<Micros>,
    /// Some row is of a month that is neither.
    left_out: bool,
}

/// A month that is being written.
struct Month {
    first: Micros,
    until: Micros,
    writer: SegmentWriter,
    waiting: Output,
}

impl Months<'_> {
    /// Takes the present row of an input; `true` when that made it write.
    fn take(&mut self, input: usize, cursor: &Cursor) -> Result<bool, ParquetError> {
        let Some(place) = self.place(cursor.timestamp())? else { return Ok(false) };
        let month = &mut self.open[place];
        let is_new = month.waiting.take(input, cursor);
        if month.waiting.rows.len() == BATCH_ROWS {
            month.write()?;
            return Ok(true);
        }
        if !is_new || self.batches() <= BATCHES_MAX.max(self.open.len() * self.inputs) {
            return Ok(false);
        }
        self.open.iter_mut().try_for_each(Month::write)?;
        Ok(true)
    }

    /// Batches that are kept because rows in them wait.
    fn batches(&self) -> usize {
        self.open.iter().map(|month| month.waiting.batches.len()).sum()
    }

    fn place(&mut self, at: Micros) -> Result<Option<usize>, ParquetError> {
        let holds = |month: &Month| month.first <= at && at < month.until;
        if self.open.get(self.last).is_some_and(holds) {
            return Ok(Some(self.last));
        }
        let place = match self.open.iter().position(holds) {
            Some(place) => place,
            None => {
                let (first, until) = at.month();
                if self.done.contains(&first) {
                    return Ok(None);
                }
                if self.open.len() == MONTHS_MAX {
                    self.left_out = true;
                    return Ok(None);
                }
                self.open.push(Month { first, until, writer: (self.create)(first)?, waiting: Output::default() });
                self.open.len() - 1
            }
        };
        self.last = place;
        Ok(Some(place))
    }

    /// Finishes those that are open.
    fn finish(&mut self) -> Result<Vec<Arc<Segment>>, ParquetError> {
        let mut written = Vec::new();
        for mut month in self.open.drain(..) {
            month.write()?;
            self.done.push(month.first);
            written.extend(month.writer.finish()?);
        }
        Ok(written)
    }
}

impl Month {
    /// Writes what waits.
    fn write(&mut self) -> Result<(), ParquetError> {
        self.waiting.flush(&mut self.writer)
    }
}

/// Of the cursors that are left, the one that comes first and the one after it.
fn first_two(cursors: &[Cursor], left: &[usize]) -> Option<(usize, Option<usize>)> {
    let mut order = left.iter().copied();
    let mut first = order.next()?;
    let mut second: Option<usize> = None;
    for index in order {
        if cursors[index].order(&cursors[first]) == Ordering::Less {
            second = Some(std::mem::replace(&mut first, index));
        } else if second.is_none_or(|second| cursors[index].order(&cursors[second]) == Ordering::Less) {
            second = Some(index);
        }
    }
    Some((first, second))
}

/// Rows picked from batches, waiting to be written.
#[derive(Default)]
struct Output {
    batches: Vec<RecordBatch>,
    /// The place in `batches` of each input's present batch, with the batch's number.
    places: Vec<Option<(usize, usize)>>,
    rows: Vec<(usize, usize)>,
}

impl Output {
    /// Takes the present row of an input; `true` when it keeps a batch more for it.
    fn take(&mut self, input: usize, cursor: &Cursor) -> bool {
        let before = self.batches.len();
        if self.places.len() <= input {
            self.places.resize(input + 1, None);
        }
        let place = match self.places[input] {
            Some((place, number)) if number == cursor.number => place,
            _ => {
                self.batches.push(cursor.batch.clone());
                self.batches.len() - 1
            }
        };
        self.places[input] = Some((place, cursor.number));
        self.rows.push((place, cursor.row));
        self.batches.len() > before
    }

    fn flush(&mut self, writer: &mut SegmentWriter) -> Result<(), ParquetError> {
        if !self.rows.is_empty() {
            let batches: Vec<&RecordBatch> = self.batches.iter().collect();
            writer.write(&interleave_record_batch(&batches, &self.rows)?)?;
        }
        *self = Output::default();
        Ok(())
    }
}

/// What rows are sorted by: account, user, time. None sorts first, as it does in a file.
type SortKey<'a> = (Option<&'a str>, Option<&'a str>, i64);

/// The columns of a batch that rows are sorted by.
struct SortColumns {
    account: StringArray,
    user: StringArray,
    timestamp: TimestampMicrosecondArray,
}

impl SortColumns {
    fn of(batch: &RecordBatch) -> Option<SortColumns> {
        let text = |at: usize| batch.column(at).as_any().downcast_ref::<StringArray>().cloned();
        let timestamp = batch.column(schema::TIMESTAMP).as_any().downcast_ref::<TimestampMicrosecondArray>()?;
        let (account, user) = (text(schema::ATTRIBUTED_ACCOUNT_ID)?, text(schema::USER_ID)?);
        Some(SortColumns { account, user, timestamp: timestamp.clone() })
    }
}

/// A place in an input.
struct Cursor {
    segment: Arc<Segment>,
    reader: ParquetRecordBatchReader,
    batch: RecordBatch,
    columns: SortColumns,
    /// How many batches came before.
    number: usize,
    row: usize,
}

impl Cursor {
    fn open(segment: &Arc<Segment>) -> Result<Cursor, ReadError> {
        let fail = |error: &dyn std::fmt::Display| unreadable(segment, error);
        let file = VerifiedFile::new(Arc::clone(segment));
        let options = ArrowReaderOptions::new().with_schema(segment.layout().written().clone());
        let metadata = ArrowReaderMetadata::load(&file, options).map_err(|error| fail(&error))?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|error| fail(&error))?;
        let batch = RecordBatch::new_empty(segment.layout().written().clone());
        let columns = SortColumns::of(&batch).ok_or_else(|| fail(&"unexpected columns"))?;
        Ok(Cursor { segment: Arc::clone(segment), reader, batch, columns, number: 0, row: 0 })
    }

    /// Moves to the next row, from the present one on; `false` at the end.
    fn advance_to_row(&mut self) -> Result<bool, ReadError> {
        while self.row == self.batch.num_rows() {
            match self.reader.next() {
                Some(Ok(batch)) => {
                    let columns = SortColumns::of(&batch);
                    self.columns = columns.ok_or_else(|| unreadable(&self.segment, &"unexpected columns"))?;
                    self.batch = batch;
                    self.number += 1;
                    self.row = 0;
                }
                Some(Err(error)) => return Err(unreadable(&self.segment, &error)),
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    fn timestamp(&self) -> Micros {
        Micros(self.columns.timestamp.value(self.row))
    }

    fn key(&self) -> SortKey<'_> {
        (text_at(&self.columns.account, self.row), text_at(&self.columns.user, self.row), self.timestamp().0)
    }

    fn order(&self, other: &Cursor) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// Whether a file's rows are sorted.
pub fn is_in_order(segment: &Arc<Segment>) -> Result<bool, ReadError> {
    let key = |cursor: &Cursor| {
        let (account, user, at) = cursor.key();
        (account.map(str::to_owned), user.map(str::to_owned), at)
    };
    let (mut cursor, mut keys) = (Cursor::open(segment)?, Vec::new());
    while cursor.advance_to_row()? {
        keys.push(key(&cursor));
        cursor.row += 1;
    }
    Ok(keys.is_sorted())
}

fn text_at(texts: &StringArray, row: usize) -> Option<&str> {
    (!texts.is_null(row)).then(|| texts.value(row))
}
