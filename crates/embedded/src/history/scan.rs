//! Finding the rows of some records in a file.
//!
//! A first pass reads only the columns that decide whether a track may be wanted; a second one reads whole rows, and
//! only those that are. Row groups whose times do not fit are not read at all.

use std::sync::Arc;

use arrow_array::{
    Array, DictionaryArray, FixedSizeBinaryArray, RecordBatch, StringArray, TimestampMicrosecondArray, types::Int32Type,
};
use muster_model::{
    id::{Identity, IdentityParts},
    kind::Kind,
    time::Micros,
};
use muster_store::error::ReadError;
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
            RowSelection,
        },
    },
    file::{metadata::RowGroupMetaData, statistics::Statistics},
};
use rustc_hash::FxHashSet;

use super::{
    manifest::{Segment, unreadable},
    rows::BATCH_ROWS,
    schema,
    verified::VerifiedFile,
};

/// What a track must have to be looked at: one of these records, this name, a time in these bounds (both included).
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub users: FxHashSet<Box<str>>,
    pub accounts: FxHashSet<Box<str>>,
    pub organizations: FxHashSet<Box<str>>,
    pub event: Option<Box<str>>,
    pub first: Option<Micros>,
    pub last: Option<Micros>,
}

impl Wanted {
    /// Whether a track with these members may be wanted.
    pub fn matches(&self, head: &TrackHead<'_>, event: Option<&str>) -> bool {
        let named = |names: &FxHashSet<Box<str>>, name: Option<&str>| name.is_some_and(|name| names.contains(name));
        (named(&self.users, head.user)
            || named(&self.accounts, head.account)
            || named(&self.organizations, head.organization))
            && self.in_time(head.timestamp)
            && (self.event.is_none() || self.event.as_deref() == event)
    }

    fn in_time(&self, at: Micros) -> bool {
        self.first.is_none_or(|first| first <= at) && self.last.is_none_or(|last| at <= last)
    }
}

/// What the first pass reads of a track.
#[derive(Clone, Copy, Debug)]
pub struct TrackHead<'a> {
    pub timestamp: Micros,
    pub received_at: Micros,
    pub user: Option<&'a str>,
    pub account: Option<&'a str>,
    pub organization: Option<&'a str>,
}

/// One row, whole.
#[derive(Clone, Debug)]
pub struct StoredTrack {
    pub identity: Identity,
    pub timestamp: Micros,
    pub received_at: Micros,
    pub user: Option<String>,
    pub account: Option<String>,
    pub organization: Option<String>,
    pub event: String,
    pub message_id: Option<String>,
    pub properties: String,
}

/// Calls `visit` with the number and the head of every track in the file that may be wanted.
pub fn heads(
    segment: &Arc<Segment>,
    wanted: &Wanted,
    mut visit: impl FnMut(u64, TrackHead<'_>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let fail = |error: &dyn std::fmt::Display| unreadable(segment, error);
    let metadata = metadata(segment)?;
    let mut columns = vec![
        schema::KIND,
        schema::TIMESTAMP,
        schema::RECEIVED_AT,
        schema::ORGANIZATION_ID,
        schema::ACCOUNT_ID,
        schema::USER_ID,
    ];
    columns.extend(wanted.event.is_some().then_some(schema::EVENT));
    let mut first_row = 0u64;
    for (number, group) in metadata.metadata().row_groups().iter().enumerate() {
        let rows = u64::try_from(group.num_rows()).map_err(|error| fail(&error))?;
        if !may_hold(group, wanted) {
            first_row += rows;
            continue;
        }
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(
            VerifiedFile::new(Arc::clone(segment)),
            metadata.clone(),
        )
        .with_row_groups(vec![number])
        .with_projection(ProjectionMask::roots(metadata.parquet_schema(), columns.iter().copied()))
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|error| fail(&error))?;
        for batch in reader {
            let batch = batch.map_err(|error| fail(&error))?;
            visit_batch(&batch, first_row, wanted, &mut visit).ok_or_else(|| fail(&"unexpected columns"))??;
            first_row += batch.num_rows() as u64;
        }
    }
    Ok(())
}

/// The tracks with these row numbers, which are sorted.
pub fn tracks(segment: &Arc<Segment>, numbers: &[u64]) -> Result<Vec<StoredTrack>, ReadError> {
    let fail = |error: &dyn std::fmt::Display| unreadable(segment, error);
    let metadata = metadata(segment)?;
    let ranges = numbers.iter().map(|number| *number as usize..*number as usize + 1);
    let total = usize::try_from(segment.rows).map_err(|error| fail(&error))?;
    let reader: ParquetRecordBatchReader =
        ParquetRecordBatchReaderBuilder::new_with_metadata(VerifiedFile::new(Arc::clone(segment)), metadata)
            .with_row_selection(RowSelection::from_consecutive_ranges(ranges, total))
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|error| fail(&error))?;
    let mut tracks = Vec::with_capacity(numbers.len());
    for batch in reader {
        let batch = batch.map_err(|error| fail(&error))?;
        for row in 0..batch.num_rows() {
            tracks.push(stored_track(&batch, row).ok_or_else(|| fail(&"unexpected columns"))?);
        }
    }
    if tracks.len() == numbers.len() { Ok(tracks) } else { Err(fail(&"fewer rows than the manifest says")) }
}

/// The file's own metadata, with columns typed as this engine reads them.
pub fn metadata(segment: &Arc<Segment>) -> Result<ArrowReaderMetadata, ReadError> {
    segment.metadata(|| {
        let options = ArrowReaderOptions::new().with_schema(schema::READ.clone());
        ArrowReaderMetadata::load(&VerifiedFile::new(Arc::clone(segment)), options)
            .map_err(|error| unreadable(segment, &error))
    })
}

fn may_hold(group: &RowGroupMetaData, wanted: &Wanted) -> bool {
    let Some(Statistics::Int64(times)) = group.column(schema::TIMESTAMP).statistics() else { return true };
    let (Some(first), Some(last)) = (times.min_opt(), times.max_opt()) else { return true };
    wanted.last.is_none_or(|bound| *first <= bound.0) && wanted.first.is_none_or(|bound| bound.0 <= *last)
}

/// A text column whose values are looked at once a batch.
struct Texts<'a> {
    keys: &'a DictionaryArray<Int32Type>,
    values: &'a StringArray,
}

impl<'a> Texts<'a> {
    fn of(batch: &'a RecordBatch, column: usize) -> Option<Self> {
        let name = schema::WRITTEN.field(column).name();
        let keys = batch.column_by_name(name)?.as_any().downcast_ref::<DictionaryArray<Int32Type>>()?;
        Some(Texts { keys, values: keys.values().as_any().downcast_ref()? })
    }

    fn get(&self, row: usize) -> Option<&'a str> {
        self.keys.key(row).map(|key| self.values.value(key))
    }

    /// For each row, whether its value is among the wanted ones.
    fn among(&self, names: &FxHashSet<Box<str>>) -> Vec<bool> {
        let wanted: Vec<bool> =
            self.values.iter().map(|value| value.is_some_and(|value| names.contains(value))).collect();
        let key = |row| self.keys.key(row).is_some_and(|key| wanted.get(key).copied().unwrap_or(false));
        if wanted.contains(&true) { (0..self.keys.len()).map(key).collect() } else { Vec::new() }
    }
}

fn times(batch: &RecordBatch, column: usize) -> Option<&TimestampMicrosecondArray> {
    batch.column_by_name(schema::WRITTEN.field(column).name())?.as_any().downcast_ref()
}

/// `None` when the columns are not what they should be.
fn visit_batch(
    batch: &RecordBatch,
    first_row: u64,
    wanted: &Wanted,
    visit: &mut impl FnMut(u64, TrackHead<'_>) -> Result<(), ReadError>,
) -> Option<Result<(), ReadError>> {
    let (kinds, users) = (Texts::of(batch, schema::KIND)?, Texts::of(batch, schema::USER_ID)?);
    let (accounts, organizations) = (Texts::of(batch, schema::ACCOUNT_ID)?, Texts::of(batch, schema::ORGANIZATION_ID)?);
    let events = if wanted.event.is_some() { Some(Texts::of(batch, schema::EVENT)?) } else { None };
    let (timestamps, receipts) = (times(batch, schema::TIMESTAMP)?, times(batch, schema::RECEIVED_AT)?);
    let candidates =
        [users.among(&wanted.users), accounts.among(&wanted.accounts), organizations.among(&wanted.organizations)];
    if candidates.iter().all(Vec::is_empty) {
        return Some(Ok(()));
    }
    for row in 0..batch.num_rows() {
        if !candidates.iter().any(|rows| rows.get(row).copied().unwrap_or(false)) {
            continue;
        }
        if kinds.get(row) != Some(Kind::Track.as_str()) {
            continue;
        }
        let head = TrackHead {
            timestamp: Micros(timestamps.value(row)),
            received_at: Micros(receipts.value(row)),
            user: users.get(row),
            account: accounts.get(row),
            organization: organizations.get(row),
        };
        if wanted.matches(&head, events.as_ref().and_then(|events| events.get(row)))
            && let Err(error) = visit(first_row + row as u64, head)
        {
            return Some(Err(error));
        }
    }
    Some(Ok(()))
}

fn stored_track(batch: &RecordBatch, row: usize) -> Option<StoredTrack> {
    let text = |column| Some(Texts::of(batch, column)?.get(row).map(str::to_owned));
    let plain = |column: usize| {
        let array = batch.column(column).as_any().downcast_ref::<StringArray>()?;
        Some((!array.is_null(row)).then(|| array.value(row).to_owned()))
    };
    let user = text(schema::USER_ID)?;
    let account = text(schema::ACCOUNT_ID)?;
    let organization = text(schema::ORGANIZATION_ID)?;
    let message_id = plain(schema::MESSAGE_ID)?;
    let identities = batch.column(schema::IDENTITY).as_any().downcast_ref::<FixedSizeBinaryArray>()?;
    let identity = if identities.is_null(row) {
        let parts = IdentityParts {
            kind: Kind::Track,
            organization_id: organization.as_deref(),
            account_id: account.as_deref(),
            user_id: user.as_deref(),
            external_id: None,
            custom_object_id: None,
            message_id: Some(message_id.as_deref()?),
            content: 0,
        };
        parts.identity()
    } else {
        Identity(u128::from_be_bytes(identities.value(row).try_into().ok()?))
    };
    Some(StoredTrack {
        identity,
        timestamp: Micros(times(batch, schema::TIMESTAMP)?.value(row)),
        received_at: Micros(times(batch, schema::RECEIVED_AT)?.value(row)),
        user,
        account,
        organization,
        event: text(schema::EVENT)?.unwrap_or_default(),
        message_id,
        properties: plain(schema::PROPERTIES)?.unwrap_or_default(),
    })
}
