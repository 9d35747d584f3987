//! Reading the rows that a filter may want, and no more of a file than holds them.
//!
//! `chunks` asks a file's directory where rows that meet a `Filter` may lie; `read` decodes those rows, and of
//! them only the columns asked for, and hands them on in batches with their numbers. What is found is a superset: who
//! reads checks each row.

use std::{ops::Range, sync::Arc};

use arrow_array::{
    Array, DictionaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
    types::Int32Type,
};
use arrow_schema::{ArrowError, FieldRef, Schema};
use muster_model::{
    id::{IdSpace, RecordId},
    kind::{Kind, RecordKind},
    time::Micros,
};
use muster_store::error::ReadError;
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection},
};

use super::{
    chunks::Chunks,
    columns::BATCH_ROWS,
    directory::{By, Key},
    footers::Footer,
    manifest::unreadable,
    schema,
    verified::VerifiedFile,
};

/// What rows must have to be read. Every part that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// One of these, each found in its way.
    pub any: Option<Vec<(By, Key)>>,
    /// This name of a track.
    pub event: Option<Box<str>>,
    /// A timestamp in these bounds, both included.
    pub first: Option<Micros>,
    pub last: Option<Micros>,
}

/// The chunks of a file that may hold rows that meet the filter.
pub fn chunks(footer: &Footer, filter: &Filter) -> Chunks {
    let directory = &footer.directory;
    let mut found = directory.in_time(filter.first, filter.last);
    if let Some(any) = &filter.any {
        let mut of_any = directory.none();
        any.iter().for_each(|(by, key)| directory.find(*by, *key, &mut of_any));
        found.keep(&of_any);
    }
    if let Some(event) = filter.event.as_deref().filter(|_| !found.is_empty()) {
        let mut of_event = directory.none();
        directory.find(By::Event, Key::of_event(event), &mut of_event);
        found.keep(&of_event);
    }
    found
}

/// Reads rows of a file, given as sorted ranges of their numbers, and calls `visit` with batches of them: the rows'
/// numbers and their columns, which are found by name ([`Texts::of`], [`times`], [`plain`]).
///
/// A row group at a time: where a batch reached into the next one, texts would be copied out of both dictionaries and put into a third.
pub fn read(
    footer: &Footer,
    rows: &[Range<u64>],
    columns: &[usize],
    mut visit: impl FnMut(&[u64], &RecordBatch) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let fail = |error: &dyn std::fmt::Display| unreadable(&footer.segment, error);
    let wanted: u64 = rows.iter().map(|range| range.end - range.start).sum();
    let file = VerifiedFile::new(Arc::clone(&footer.segment));
    let mut found = 0;
    for part in within_groups(footer, rows) {
        let mut numbers = part.rows.iter().cloned().flatten();
        let (empty, filled) = by_emptiness(footer, part.group, columns);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), footer.metadata.clone())
            .with_row_groups(vec![part.group])
            .with_row_selection(part.selection())
            .with_projection(ProjectionMask::roots(footer.metadata.parquet_schema(), filled))
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|error| fail(&error))?;
        let mut of_batch = Vec::new();
        for batch in reader {
            let batch = with_empty(&batch.map_err(|error| fail(&error))?, &empty).map_err(|error| fail(&error))?;
            of_batch.clear();
            of_batch.extend(numbers.by_ref().take(batch.num_rows()));
            found += batch.num_rows() as u64;
            visit(&of_batch, &batch)?;
        }
    }
    if found == wanted { Ok(()) } else { Err(fail(&"another number of rows than the manifest says")) }
}

/// The row groups that rows lie in, given as sorted ranges of their numbers.
pub fn groups_of(footer: &Footer, rows: &[Range<u64>]) -> Vec<usize> {
    within_groups(footer, rows).into_iter().map(|part| part.group).collect()
}

/// The rows wanted of one row group, by their numbers in the file.
struct Part {
    group: usize,
    /// Where the group starts and ends.
    within: Range<u64>,
    rows: Vec<Range<u64>>,
}

impl Part {
    fn selection(&self) -> RowSelection {
        let place = |row: u64| (row - self.within.start) as usize;
        let ranges = self.rows.iter().map(|rows| place(rows.start)..place(rows.end));
        RowSelection::from_consecutive_ranges(ranges, place(self.within.end))
    }
}

/// The row groups that rows lie in.
fn within_groups(footer: &Footer, rows: &[Range<u64>]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut left = rows.iter().cloned().peekable();
    let mut start = 0u64;
    for (group, metadata) in footer.metadata.metadata().row_groups().iter().enumerate() {
        let within = start..start + u64::try_from(metadata.num_rows()).unwrap_or(0);
        let mut rows = Vec::new();
        while let Some(next) = left.peek_mut().filter(|next| next.start < within.end) {
            let until = next.end.min(within.end);
            rows.push(next.start..until);
            next.start = until;
            if next.is_empty() {
                left.next();
            }
        }
        start = within.end;
        if !rows.is_empty() {
            parts.push(Part { group, within, rows });
        }
    }
    parts
}

/// The columns in which no row of a group has a value, as the file says, and the others: a column costs as much to open as many
/// rows of it. The kind is always read, so that rows are counted.
fn by_emptiness(footer: &Footer, group: usize, columns: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let group = footer.metadata.metadata().row_group(group);
    let rows = u64::try_from(group.num_rows()).unwrap_or(0);
    let nulls = |column: usize| group.column(column).statistics().and_then(|told| told.null_count_opt());
    columns.iter().copied().partition(|column| *column != schema::KIND && nulls(*column) == Some(rows))
}

/// A batch with columns of nothing but nulls beside its own.
fn with_empty(batch: &RecordBatch, empty: &[usize]) -> Result<RecordBatch, ArrowError> {
    if empty.is_empty() {
        return Ok(batch.clone());
    }
    let mut fields: Vec<FieldRef> = batch.schema_ref().fields().iter().cloned().collect();
    let mut columns = batch.columns().to_vec();
    for column in empty {
        let field = &schema::READ.fields()[*column];
        columns.push(new_null_array(field.data_type(), batch.num_rows()));
        fields.push(Arc::clone(field));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// A text column whose values repeat: each row's value is a number.
pub struct Texts<'a> {
    keys: &'a DictionaryArray<Int32Type>,
    values: &'a StringArray,
}

impl<'a> Texts<'a> {
    /// A column of a batch; `None` when there is none or it is something else.
    pub fn of(batch: &'a RecordBatch, column: usize) -> Option<Self> {
        let name = schema::WRITTEN.field(column).name();
        let keys = batch.column_by_name(name)?.as_any().downcast_ref::<DictionaryArray<Int32Type>>()?;
        Some(Texts { keys, values: keys.values().as_any().downcast_ref()? })
    }

    pub fn get(&self, row: usize) -> Option<&'a str> {
        self.keys.key(row).map(|key| self.values.value(key))
    }

    /// For each row, what `look` says of its value; looked at once a value. `otherwise` where there is none.
    pub fn map<T: Copy>(&self, otherwise: T, mut look: impl FnMut(&'a str) -> T) -> Vec<T> {
        let mut known: Vec<Option<T>> = vec![None; self.values.len()];
        let mut of = |key: usize| *known[key].get_or_insert_with(|| look(self.values.value(key)));
        (0..self.keys.len()).map(|row| self.keys.key(row).map_or(otherwise, &mut of)).collect()
    }

    /// For each row, the id of the record that it names.
    pub fn ids(&self, ids: IdSpace, kind: RecordKind) -> Vec<Option<RecordId>> {
        self.map(None, |name| Some(ids.record(kind, name)))
    }
}

/// For each row, whether it is of a kind; `None` when there is no such column.
pub fn of_kind(batch: &RecordBatch, kind: Kind) -> Option<Vec<bool>> {
    Some(Texts::of(batch, schema::KIND)?.map(false, |name| name == kind.as_str()))
}

/// A column of instants.
pub fn times(batch: &RecordBatch, column: usize) -> Option<&TimestampMicrosecondArray> {
    batch.column_by_name(schema::WRITTEN.field(column).name())?.as_any().downcast_ref()
}

/// How many messages had arrived with each row, in files that have that.
pub fn arrivals(batch: &RecordBatch) -> Option<&Int64Array> {
    batch.column_by_name(schema::Layout::Numbered.written().field(schema::ARRIVED).name())?.as_any().downcast_ref()
}

/// A text column whose values are mostly different.
pub fn plain(batch: &RecordBatch, column: usize) -> Option<&StringArray> {
    batch.column_by_name(schema::WRITTEN.field(column).name())?.as_any().downcast_ref()
}
