//! Reading the rows that a filter may want, and no more of a file than holds them.
//!
//! `chunks` asks a file's directory where rows that meet a `Filter` may lie; `read` decodes those rows, and of
//! them only the columns asked for, and hands them on in batches with their numbers. What is found is a superset: who
//! reads checks each row.

use std::{ops::Range, sync::Arc};

use arrow_array::{Array, DictionaryArray, RecordBatch, StringArray, TimestampMicrosecondArray, types::Int32Type};
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
    directory::{By, Key},
    footers::Footer,
    manifest::unreadable,
    rows::BATCH_ROWS,
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
pub fn read(
    footer: &Footer,
    rows: &[Range<u64>],
    columns: &[usize],
    mut visit: impl FnMut(&[u64], &RecordBatch) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let fail = |error: &dyn std::fmt::Display| unreadable(&footer.segment, error);
    let (groups, selected) = within_groups(footer, rows);
    if groups.is_empty() {
        return Ok(());
    }
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(
        VerifiedFile::new(Arc::clone(&footer.segment)),
        footer.metadata.clone(),
    )
    .with_row_groups(groups)
    .with_row_selection(selected)
    .with_projection(ProjectionMask::roots(footer.metadata.parquet_schema(), columns.iter().copied()))
    .with_batch_size(BATCH_ROWS)
    .build()
    .map_err(|error| fail(&error))?;
    let mut numbers = rows.iter().cloned().flatten();
    let mut of_batch = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|error| fail(&error))?;
        of_batch.clear();
        of_batch.extend(numbers.by_ref().take(batch.num_rows()));
        visit(&of_batch, &batch)?;
    }
    if numbers.next().is_some() { Err(fail(&"fewer rows than the manifest says")) } else { Ok(()) }
}

/// The row groups that rows lie in, and the rows' places within those groups alone.
fn within_groups(footer: &Footer, rows: &[Range<u64>]) -> (Vec<usize>, RowSelection) {
    let (mut groups, mut ranges) = (Vec::new(), Vec::new());
    let (mut start, mut before) = (0u64, 0u64);
    let mut left = rows.iter().cloned().peekable();
    for (number, group) in footer.metadata.metadata().row_groups().iter().enumerate() {
        let end = start + u64::try_from(group.num_rows()).unwrap_or(0);
        let mut any = false;
        while let Some(next) = left.peek_mut().filter(|next| next.start < end) {
            let until = next.end.min(end);
            let place = |row: u64| (row - start + before) as usize;
            ranges.push(place(next.start)..place(until));
            any = true;
            next.start = until;
            if next.is_empty() {
                left.next();
            }
        }
        if any {
            groups.push(number);
            before += end - start;
        }
        start = end;
    }
    (groups, RowSelection::from_consecutive_ranges(ranges.into_iter(), before as usize))
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

/// A text column whose values are mostly different.
pub fn plain(batch: &RecordBatch, column: usize) -> Option<&StringArray> {
    batch.column_by_name(schema::WRITTEN.field(column).name())?.as_any().downcast_ref()
}
