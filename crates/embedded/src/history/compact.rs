//! Merging files into months.
//!
//! Checkpoint files and small files of a month are merged into one file a month, sorted as they are. Rows are copied
//! as they stand. Memory is bounded by one batch of rows for each input, whatever the files hold.

use std::{cmp::Ordering, path::Path, sync::Arc};

use arrow_array::{Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_select::interleave::interleave_record_batch;
use muster_model::{id::WorkspaceId, time::Micros};
use muster_store::error::ReadError;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use super::{
    manifest::{Manifest, Segment, unreadable},
    rows::BATCH_ROWS,
    schema,
    segment::SegmentWriter,
    verified::VerifiedFile,
};
use crate::{error::not_written, options::Options};

/// What is merged at once, in files that are not small any more. Whoever waits for it should not wait long; and it should be much, since
/// what comes of it may be merged again.
const LARGE_FILES: u64 = 4;

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
    pub fn new(workspace: WorkspaceId, mut inputs: Vec<Arc<Segment>>, options: &Options) -> Plan {
        let (waiting, most) = (inputs.len(), options.compaction_file_bytes_max.saturating_mul(LARGE_FILES));
        let mut bytes = 0u64;
        let fitting = inputs.iter().take_while(|segment| {
            bytes = bytes.saturating_add(segment.bytes);
            bytes <= most
        });
        let count = fitting.count().max(options.compaction_files_min).max(2);
        inputs.truncate(count);
        Plan { workspace, inputs, waiting }
    }

    /// The bytes of its files.
    pub fn bytes(&self) -> u64 {
        self.inputs.iter().map(|segment| segment.bytes).sum()
    }
}

/// What to merge next: a workspace's checkpoint files once there are enough of them, else a month's small files.
pub fn plan(manifest: &Manifest, workspaces: &[WorkspaceId], options: &Options) -> Option<Plan> {
    let enough = |inputs: &Vec<Arc<Segment>>| inputs.len() >= options.compaction_files_min.max(2);
    for workspace in workspaces {
        let of_month = |month: Option<Micros>| -> Vec<Arc<Segment>> {
            let small = |segment: &&Arc<Segment>| {
                segment.month == month && (month.is_none() || segment.bytes < options.compaction_file_bytes_max)
            };
            manifest.of(*workspace).filter(small).cloned().collect()
        };
        let mut months: Vec<Micros> = manifest.of(*workspace).filter_map(|segment| segment.month).collect();
        months.sort_unstable();
        months.dedup();
        let mut groups = std::iter::once(None).chain(months.into_iter().map(Some)).map(of_month);
        if let Some(inputs) = groups.find(enough) {
            return Some(Plan::new(*workspace, inputs, options));
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
    let mut outputs = Vec::new();
    let mut from = plan.inputs.iter().map(|segment| segment.first).min();
    let end = plan.inputs.iter().map(|segment| segment.last).max();
    while let (Some(start), Some(end)) = (from.take(), end) {
        let (month, until) = start.month();
        let place = (plan.workspace, workspace_name);
        let create = || SegmentWriter::create(history_dir, place, next_id(), Some(month));
        let Some(merged) = merge_month(&plan.inputs, (month, until), create, goes_on)? else { return Ok(None) };
        outputs.extend(merged.written);
        from = merged.next.filter(|next| *next <= end);
    }
    let rows = |segments: &[Arc<Segment>]| segments.iter().map(|segment| segment.rows).sum::<u64>();
    if rows(&outputs) == rows(&plan.inputs) {
        return Ok(Some(outputs));
    }
    let what =
        format!("compaction read {} rows and wrote {}; nothing was replaced", rows(&plan.inputs), rows(&outputs));
    Err(ReadError::Damaged { what })
}

/// The rows of one month, and the earliest instant after it.
struct Merged {
    written: Option<Arc<Segment>>,
    next: Option<Micros>,
}

/// Merges the rows of one month; none, as soon as it is to go on no more.
fn merge_month(
    inputs: &[Arc<Segment>],
    (month, until): (Micros, Micros),
    create: impl FnOnce() -> Result<SegmentWriter, parquet::errors::ParquetError>,
    goes_on: &dyn Fn() -> bool,
) -> Result<Option<Merged>, ReadError> {
    let mut writer = create().map_err(|error| not_written(&error))?;
    let mut next: Option<Micros> = None;
    let mut cursors = Vec::new();
    for segment in inputs.iter().filter(|segment| segment.last >= month) {
        let mut cursor = Cursor::open(segment)?;
        if cursor.advance_to_month(month, until, &mut next)? {
            cursors.push(cursor);
        }
    }
    // The input of each cursor that is left, by its place among all.
    let mut left: Vec<usize> = (0..cursors.len()).collect();
    let mut output = Output::default();
    while let Some((first, second)) = first_two(&cursors, &left) {
        // Neighbours lie in one input more often than not: go on with it as long as it is not behind the next one.
        loop {
            let cursor = &mut cursors[first];
            output.take(first, cursor);
            cursor.row += 1;
            if output.rows.len() == BATCH_ROWS {
                output.flush(&mut writer).map_err(|error| not_written(&error))?;
                if !goes_on() {
                    return Ok(None);
                }
            }
            if !cursors[first].advance_to_month(month, until, &mut next)? {
                left.retain(|index| *index != first);
                break;
            }
            if second.is_some_and(|second| cursors[first].order(&cursors[second]) == Ordering::Greater) {
                break;
            }
        }
    }
    output.flush(&mut writer).map_err(|error| not_written(&error))?;
    if !goes_on() {
        return Ok(None);
    }
    Ok(Some(Merged { written: writer.finish().map_err(|error| not_written(&error))?, next }))
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
    fn take(&mut self, input: usize, cursor: &Cursor) {
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
    }

    fn flush(&mut self, writer: &mut SegmentWriter) -> Result<(), parquet::errors::ParquetError> {
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
        let options = ArrowReaderOptions::new().with_schema(schema::WRITTEN.clone());
        let metadata = ArrowReaderMetadata::load(&file, options).map_err(|error| fail(&error))?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|error| fail(&error))?;
        let batch = RecordBatch::new_empty(schema::WRITTEN.clone());
        let columns = SortColumns::of(&batch).ok_or_else(|| fail(&"unexpected columns"))?;
        Ok(Cursor { segment: Arc::clone(segment), reader, batch, columns, number: 0, row: 0 })
    }

    /// Moves to the next row of the month, from the present one on; `false` at the end. Notes the earliest instant
    /// after the month.
    fn advance_to_month(&mut self, month: Micros, until: Micros, next: &mut Option<Micros>) -> Result<bool, ReadError> {
        loop {
            while self.row < self.batch.num_rows() {
                let at = self.timestamp();
                if at >= month && at < until {
                    return Ok(true);
                }
                if at >= until {
                    *next = Some(next.map_or(at, |next| next.min(at)));
                }
                self.row += 1;
            }
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

fn text_at(texts: &StringArray, row: usize) -> Option<&str> {
    (!texts.is_null(row)).then(|| texts.value(row))
}
