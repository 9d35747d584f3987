//! From rows of a file back to messages.
//!
//! What a message lost by being written is its place in a batch and the digest of its content; everything that folding
//! needs is there. Columns are read as they were written, plain.

use std::{borrow::Cow, sync::Arc};

use arrow_array::{
    Array, BooleanArray, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use muster_model::{
    deletion::{Reach, Subject, reach},
    id::{IdSpace, Identity, IdentityParts},
    json::{self, Walk},
    kind::{Kind, RecordKind},
    message::{Message, Named, Trait},
    time::Micros,
};
use muster_store::{error::ReadError, record::external_kind};
use parquet::{
    arrow::arrow_reader::{
        ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
        RowSelection,
    },
    file::metadata::PageIndexPolicy,
};

use super::{
    columns::BATCH_ROWS,
    manifest::{Segment, unreadable},
    schema::{self, Layout},
    verified::VerifiedFile,
};

/// Reads a file in batches of rows, in its order; only these row groups if they are given.
pub fn batches(
    segment: &Arc<Segment>,
    row_groups: Option<Vec<usize>>,
) -> Result<impl Iterator<Item = Result<RecordBatch, ReadError>> + use<>, ReadError> {
    let file = VerifiedFile::new(Arc::clone(segment));
    let options = ArrowReaderOptions::new().with_schema(segment.layout().written().clone());
    let metadata = ArrowReaderMetadata::load(&file, options).map_err(|error| unreadable(segment, &error))?;
    let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata).with_batch_size(BATCH_ROWS);
    if let Some(row_groups) = row_groups {
        builder = builder.with_row_groups(row_groups);
    }
    let reader: ParquetRecordBatchReader = builder.build().map_err(|error| unreadable(segment, &error))?;
    let segment = Arc::clone(segment);
    Ok(reader.map(move |batch| batch.map_err(|error| unreadable(&segment, &error))))
}

/// Reads some rows of a file, given as sorted numbers, in batches and in its order.
pub fn some(
    segment: &Arc<Segment>,
    numbers: &[u64],
) -> Result<impl Iterator<Item = Result<RecordBatch, ReadError>> + use<>, ReadError> {
    let file = VerifiedFile::new(Arc::clone(segment));
    let options = ArrowReaderOptions::new()
        .with_schema(segment.layout().written().clone())
        .with_offset_index_policy(PageIndexPolicy::Required);
    let metadata = ArrowReaderMetadata::load(&file, options).map_err(|error| unreadable(segment, &error))?;
    let ranges = numbers.iter().map(|number| *number as usize..*number as usize + 1);
    let selection = RowSelection::from_consecutive_ranges(ranges, segment.rows as usize);
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
        .with_batch_size(BATCH_ROWS)
        .with_row_selection(selection)
        .build()
        .map_err(|error| unreadable(segment, &error))?;
    let segment = Arc::clone(segment);
    Ok(reader.map(move |batch| batch.map_err(|error| unreadable(&segment, &error))))
}

/// Every message of a file.
pub fn messages(
    segment: &Arc<Segment>,
    ids: IdSpace,
    visit: &mut dyn FnMut(Message<'_>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let odd = || unreadable(segment, &"unexpected columns");
    for batch in batches(segment, None)? {
        let batch = batch?;
        let rows = Rows::of(&batch).ok_or_else(odd)?;
        for row in 0..batch.num_rows() {
            visit(rows.message(row, ids).ok_or_else(odd)?)?;
        }
    }
    Ok(())
}

/// How many messages had arrived with each row, in files that have that.
pub fn arrivals(batch: &RecordBatch) -> Option<&Int64Array> {
    batch.columns().get(schema::ARRIVED)?.as_any().downcast_ref()
}

/// The columns of one batch.
pub struct Rows<'a> {
    texts: [&'a StringArray; TEXTS],
    kinds: &'a StringArray,
    timestamps: &'a TimestampMicrosecondArray,
    receipts: &'a TimestampMicrosecondArray,
    timestamps_given: &'a BooleanArray,
    identities: &'a FixedSizeBinaryArray,
    arrivals: Option<&'a Int64Array>,
}

const TEXTS: usize = schema::OTHER - schema::ATTRIBUTED_ACCOUNT_ID + 1;

impl<'a> Rows<'a> {
    /// `None` when the columns are not those of a file.
    pub fn of(batch: &'a RecordBatch) -> Option<Rows<'a>> {
        fn column<T: 'static>(batch: &RecordBatch, at: usize) -> Option<&T> {
            batch.columns().get(at)?.as_any().downcast_ref()
        }
        let kinds = column::<StringArray>(batch, schema::KIND)?;
        let mut texts = [kinds; TEXTS];
        for (at, text) in (schema::ATTRIBUTED_ACCOUNT_ID..).zip(&mut texts) {
            *text = column(batch, at)?;
        }
        Some(Rows {
            texts,
            kinds,
            timestamps: column(batch, schema::TIMESTAMP)?,
            receipts: column(batch, schema::RECEIVED_AT)?,
            timestamps_given: column(batch, schema::TIMESTAMP_GIVEN)?,
            identities: column(batch, schema::IDENTITY)?,
            arrivals: arrivals(batch),
        })
    }

    /// The text of a column.
    pub fn text(&self, column: usize, row: usize) -> Option<&'a str> {
        let texts = self.texts[column - schema::ATTRIBUTED_ACCOUNT_ID];
        (!texts.is_null(row)).then(|| texts.value(row))
    }

    /// Which columns there are.
    pub fn layout(&self) -> Layout {
        if self.arrivals.is_some() { Layout::Numbered } else { Layout::Plain }
    }

    /// How many messages had arrived with a row, if the file has that.
    pub fn arrived(&self, row: usize) -> Option<u64> {
        self.arrivals.map(|numbers| numbers.value(row) as u64)
    }

    /// The kind of a row's message.
    pub fn kind(&self, row: usize) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == self.kinds.value(row))
    }

    /// When a row's message happened.
    pub fn timestamp(&self, row: usize) -> Micros {
        Micros(self.timestamps.value(row))
    }

    /// When a row's message was received.
    pub fn received_at(&self, row: usize) -> Micros {
        Micros(self.receipts.value(row))
    }

    /// What of a row's times decides whether a deletion covers it.
    pub fn reach(&self, row: usize) -> Reach {
        reach(self.timestamp(row), self.received_at(row))
    }

    /// Every record that a row's message names.
    pub fn subjects(&self, row: usize, ids: IdSpace) -> [Option<Subject>; 5] {
        let of = |kind, column| self.text(column, row).map(|name| (kind, ids.record(kind, name)));
        let object = self.text(schema::CUSTOM_OBJECT_ID, row).map(|name| ids.custom_object(name));
        [
            of(RecordKind::Organization, schema::ORGANIZATION_ID),
            of(RecordKind::Account, schema::ACCOUNT_ID),
            of(RecordKind::User, schema::USER_ID),
            object.map(|id| (RecordKind::CustomObject, id)),
            self.external(row, ids),
        ]
    }

    /// What else it names; its kind says what that is.
    fn external(&self, row: usize, ids: IdSpace) -> Option<Subject> {
        let name = self.text(schema::EXTERNAL_ID, row)?;
        match external_kind(self.kind(row)?) {
            RecordKind::Instance => {
                Some((RecordKind::Instance, ids.instance(self.text(schema::CUSTOM_OBJECT_ID, row)?, name)))
            }
            kind => Some((kind, ids.record(kind, name))),
        }
    }

    /// The identity of a row's message; `None` when the columns are not those of a message.
    pub fn identity(&self, row: usize) -> Option<Identity> {
        if !self.identities.is_null(row) {
            return Some(Identity(u128::from_be_bytes(self.identities.value(row).try_into().ok()?)));
        }
        let parts = IdentityParts {
            kind: self.kind(row)?,
            organization_id: self.text(schema::ORGANIZATION_ID, row),
            account_id: self.text(schema::ACCOUNT_ID, row),
            user_id: self.text(schema::USER_ID, row),
            external_id: self.text(schema::EXTERNAL_ID, row).filter(|_| !names_anonymous(self.kind(row))),
            custom_object_id: self.text(schema::CUSTOM_OBJECT_ID, row),
            message_id: Some(self.text(schema::MESSAGE_ID, row)?),
            content: 0,
        };
        Some(parts.identity())
    }

    /// A row's message; `None` when the columns are not those of a message.
    pub fn message(&self, row: usize, ids: IdSpace) -> Option<Message<'a>> {
        let kind = self.kind(row)?;
        let named = |kind, column| {
            let name = self.text(column, row)?;
            Some(Named { id: ids.record(kind, name), external_id: Cow::Borrowed(name) })
        };
        let external = self.external(row, ids).zip(self.text(schema::EXTERNAL_ID, row));
        let of_kind = |wanted| {
            let ((_, id), name) = external.filter(|((kind, _), _)| *kind == wanted)?;
            Some(Named { id, external_id: Cow::Borrowed(name) })
        };
        let custom_object = self.text(schema::CUSTOM_OBJECT_ID, row);
        let custom_object =
            custom_object.map(|name| Named { id: ids.custom_object(name), external_id: Cow::Borrowed(name) });
        let track = kind == Kind::Track;
        let data = self.text(if track { schema::PROPERTIES } else { schema::TRAITS }, row).unwrap_or_default();
        Some(Message {
            kind,
            identity: self.identity(row)?,
            content: 0,
            timestamp: self.timestamp(row),
            timestamp_given: self.timestamps_given.value(row),
            received_at: self.received_at(row),
            organization: named(RecordKind::Organization, schema::ORGANIZATION_ID),
            account: named(RecordKind::Account, schema::ACCOUNT_ID),
            user: named(RecordKind::User, schema::USER_ID),
            custom_object,
            instance: of_kind(RecordKind::Instance),
            response: of_kind(RecordKind::NpsResponse),
            anonymous: of_kind(RecordKind::Anonymous),
            message_id: self.text(schema::MESSAGE_ID, row).map(Cow::Borrowed),
            name: self.text(if track { schema::EVENT } else { schema::NAME }, row).map(Cow::Borrowed),
            data,
            traits: if track { Vec::new() } else { traits(data) },
            rest: Cow::Borrowed(self.text(schema::OTHER, row).unwrap_or_default()),
        })
    }
}

/// Whether what messages of a kind name besides is someone anonymous, who is no part of an identity.
fn names_anonymous(kind: Option<Kind>) -> bool {
    kind.is_some_and(|kind| external_kind(kind) == RecordKind::Anonymous)
}

/// Sorted by key, each key once: of keys given twice the last one counts.
fn traits(data: &str) -> Vec<Trait<'_>> {
    let mut traits = Vec::new();
    if !data.is_empty() {
        Walk::new(data, 0).members(0, |_, member| {
            let key = json::unescape(member.raw_key).unwrap_or_else(Cow::Owned);
            traits.push(Trait { key, value: member.value });
        });
    }
    traits.reverse();
    traits.sort_by(|one, other| one.key.cmp(&other.key));
    traits.dedup_by(|later, kept| later.key == kept.key);
    traits
}
