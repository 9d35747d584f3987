//! Finding the rows that deletions concern, and what else they concern.
//!
//! Reads the columns that hold names and times, nothing else, and of them the rows to which a file's directory points; all rows
//! where a kind of record is deleted that no directory has. A name is hashed once a batch. What a removed message said of
//! records that stay is noted ([`muster_store::deletion::concerned`]), so that it can be corrected.

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use arrow_array::{Array, DictionaryArray, RecordBatch, StringArray, TimestampMicrosecondArray, types::Int32Type};
use muster_model::{
    deletion::Subject,
    id::{IdSpace, RecordId},
    kind::{Kind, RecordKind},
    time::Micros,
};
use muster_store::{
    deletion::{Concerned, Instants},
    error::ReadError,
    record::{self, external_kind},
};
use parquet::arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder};
use rustc_hash::FxHashSet;

use super::{
    columns::BATCH_ROWS,
    directory::{By, Key},
    footers::Footer,
    manifest::{Segment, unreadable},
    scan::{self, Filter},
    schema,
    verified::VerifiedFile,
};

const COLUMNS: [usize; 8] = [
    schema::KIND,
    schema::TIMESTAMP,
    schema::RECEIVED_AT,
    schema::ORGANIZATION_ID,
    schema::ACCOUNT_ID,
    schema::USER_ID,
    schema::EXTERNAL_ID,
    schema::CUSTOM_OBJECT_ID,
];

/// Calls `visit` for every row that names a wanted record, with the number of its row group.
pub fn heads(
    segment: &Arc<Segment>,
    ids: IdSpace,
    wanted: &dyn Fn(RecordId) -> bool,
    visit: &mut dyn FnMut(usize, record::Names),
) -> Result<(), ReadError> {
    let fail = |error: &dyn std::fmt::Display| unreadable(segment, error);
    let metadata = Footer::read(segment)?.metadata;
    for group in 0..metadata.metadata().num_row_groups() {
        let file = VerifiedFile::new(Arc::clone(segment));
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone())
            .with_row_groups(vec![group])
            .with_projection(ProjectionMask::roots(metadata.parquet_schema(), COLUMNS))
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|error| fail(&error))?;
        for batch in reader {
            let batch = batch.map_err(|error| fail(&error))?;
            visit_batch(&batch, ids, wanted, &mut |head| visit(group, head))
                .ok_or_else(|| fail(&"unexpected columns"))?;
        }
    }
    Ok(())
}

/// The same for the rows alone in which the file's directory tells that a wanted record may be named.
fn heads_within(
    footer: &Footer,
    rows: &[Range<u64>],
    ids: IdSpace,
    wanted: &dyn Fn(RecordId) -> bool,
    visit: &mut dyn FnMut(record::Names),
) -> Result<(), ReadError> {
    scan::read(footer, rows, &COLUMNS, |_, batch| {
        let odd = || unreadable(&footer.segment, &"unexpected columns");
        visit_batch(batch, ids, wanted, visit).ok_or_else(odd)
    })
}

/// The row groups of a file in which a record may be named that is wanted; by the file's directory where that has all of their
/// kinds, and by their names otherwise.
pub fn groups_naming(
    segment: &Arc<Segment>,
    ids: IdSpace,
    wanted: &FxHashSet<Subject>,
) -> Result<Vec<usize>, ReadError> {
    if let Some(filter) = filter(wanted.iter().copied()) {
        let footer = Footer::read(segment)?;
        let rows = scan::chunks(&footer, &filter).ranges();
        return Ok(scan::groups_of(&footer, &rows));
    }
    let wanted: FxHashSet<RecordId> = wanted.iter().map(|(_, id)| *id).collect();
    let mut groups = BTreeSet::new();
    heads(segment, ids, &|id| wanted.contains(&id), &mut |group, _| {
        groups.insert(group);
    })?;
    Ok(groups.into_iter().collect())
}

/// One column of names: for each name in it, the record that it means.
struct Names<'a> {
    column: &'a DictionaryArray<Int32Type>,
    texts: &'a StringArray,
    ids: Vec<RecordId>,
}

impl<'a> Names<'a> {
    fn of(batch: &'a RecordBatch, at: usize, id: impl Fn(&str) -> RecordId) -> Option<Names<'a>> {
        let column = batch.column_by_name(schema::WRITTEN.field(at).name())?;
        let column: &DictionaryArray<Int32Type> = column.as_any().downcast_ref()?;
        let texts: &StringArray = column.values().as_any().downcast_ref()?;
        let ids = texts.iter().map(|text| text.map_or(RecordId(0), &id)).collect();
        Some(Names { column, texts, ids })
    }

    fn id(&self, row: usize) -> Option<RecordId> {
        self.column.key(row).map(|key| self.ids[key])
    }

    fn text(&self, row: usize) -> Option<&'a str> {
        self.column.key(row).map(|key| self.texts.value(key))
    }
}

fn visit_batch(
    batch: &RecordBatch,
    ids: IdSpace,
    wanted: &dyn Fn(RecordId) -> bool,
    visit: &mut dyn FnMut(record::Names),
) -> Option<()> {
    let organizations = Names::of(batch, schema::ORGANIZATION_ID, |name| ids.record(RecordKind::Organization, name))?;
    let accounts = Names::of(batch, schema::ACCOUNT_ID, |name| ids.record(RecordKind::Account, name))?;
    let users = Names::of(batch, schema::USER_ID, |name| ids.record(RecordKind::User, name))?;
    let responses = Names::of(batch, schema::EXTERNAL_ID, |name| ids.record(RecordKind::NpsResponse, name))?;
    let anonymous = Names::of(batch, schema::EXTERNAL_ID, |name| ids.record(RecordKind::Anonymous, name))?;
    let objects = Names::of(batch, schema::CUSTOM_OBJECT_ID, |name| ids.custom_object(name))?;
    let kinds = Names::of(batch, schema::KIND, |_| RecordId(0))?;
    let time = |at: usize| -> Option<&TimestampMicrosecondArray> {
        batch.column_by_name(schema::WRITTEN.field(at).name())?.as_any().downcast_ref()
    };
    let (timestamps, receipts) = (time(schema::TIMESTAMP)?, time(schema::RECEIVED_AT)?);
    for row in 0..batch.num_rows() {
        // What else is named shares a column; what it is follows from the kind.
        let kind = kinds.text(row)?;
        let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind)?;
        let external = match (external_kind(kind), objects.text(row), responses.text(row)) {
            (RecordKind::Instance, Some(object), Some(name)) => {
                Some((RecordKind::Instance, ids.instance(object, name)))
            }
            (RecordKind::NpsResponse, _, Some(_)) => responses.id(row).map(|id| (RecordKind::NpsResponse, id)),
            (RecordKind::Anonymous, _, Some(_)) => anonymous.id(row).map(|id| (RecordKind::Anonymous, id)),
            _ => None,
        };
        let named = |kind, id: Option<RecordId>| id.map(|id| (kind, id));
        let subjects = [
            named(RecordKind::Organization, organizations.id(row)),
            named(RecordKind::Account, accounts.id(row)),
            named(RecordKind::User, users.id(row)),
            named(RecordKind::CustomObject, objects.id(row)),
            external,
        ];
        if subjects.iter().flatten().any(|(_, id)| wanted(*id)) {
            visit(record::Names {
                kind,
                timestamp: Micros(timestamps.value(row)),
                received_at: Micros(receipts.value(row)),
                subjects,
            });
        }
    }
    Some(())
}

/// What finds records in directories of files; nothing if there are kinds among them that no directory has.
pub fn filter(subjects: impl IntoIterator<Item = Subject>) -> Option<Filter> {
    let key = |(kind, id): Subject| By::of(kind).map(|by| (by, Key::of_record(id)));
    let any = subjects.into_iter().map(key).collect::<Option<Vec<_>>>()?;
    Some(Filter { any: Some(any), ..Filter::default() })
}

/// Whether anything in a file may pass a filter, by its directory.
pub fn may_hold(segment: &Arc<Segment>, filter: Option<&Filter>) -> Result<bool, ReadError> {
    let Some(filter) = filter else { return Ok(true) };
    Ok(!scan::chunks(&Footer::read(segment)?, filter).ranges().is_empty())
}

/// Notes what rows of a file that go or change said of records that stay, as far as the file's directory tells that something may
/// pass the filter; whether there are any.
pub fn look_through(
    segment: &Arc<Segment>,
    ids: IdSpace,
    deleted: &Instants,
    filter: Option<&Filter>,
    concerned: &mut Concerned,
) -> Result<bool, ReadError> {
    let mut found = false;
    let wanted = |id| deleted.concerns(id);
    let mut look = |head: record::Names| found |= concerned.look(&head, deleted);
    match filter {
        Some(filter) => {
            let footer = Footer::read(segment)?;
            let rows = scan::chunks(&footer, filter).ranges();
            heads_within(&footer, &rows, ids, &wanted, &mut look)?;
        }
        None => heads(segment, ids, &wanted, &mut |_, head| look(head))?,
    }
    Ok(found)
}
