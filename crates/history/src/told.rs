//! Which rows of a file tell of a record: describe it, or begin or end a membership of it.

use std::ops::Range;

use arrow_array::RecordBatch;
use muster_model::{
    deletion::{Reach, reach},
    id::{IdSpace, RecordId},
    kind::{Kind, RecordKind},
    message::ordered_at,
    time::Micros,
};
use muster_store::error::ReadError;

use super::{
    directory::{By, Key},
    footers::Footer,
    manifest::unreadable,
    scan::{self, Filter, Texts, times},
    schema,
};

/// A row that tells of a record.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    pub number: u64,
    pub kind: Kind,
    /// The instant in the order of statements.
    pub ordered_at: Micros,
    /// What of its times decides whether a deletion covers it.
    pub reach: Reach,
}

/// Where in files rows that tell of a record are found; `None` for kinds of record that have no past of their own.
pub fn way(kind: RecordKind) -> Option<By> {
    By::of(kind).filter(|by| by.kind() == Some(kind))
}

/// Calls `visit` with every row of a file that tells of the record. Returns how many rows were looked at.
pub fn told(
    footer: &Footer,
    ids: IdSpace,
    (kind, id): (RecordKind, RecordId),
    mut visit: impl FnMut(Told) -> Result<(), ReadError>,
) -> Result<u64, ReadError> {
    let Some(by) = way(kind) else { return Ok(0) };
    let filter = Filter { any: Some(vec![(by, Key::of_record(id))]), ..Filter::default() };
    let columns = [
        schema::KIND,
        schema::TIMESTAMP,
        schema::RECEIVED_AT,
        schema::ORGANIZATION_ID,
        schema::ACCOUNT_ID,
        schema::USER_ID,
        schema::EXTERNAL_ID,
    ];
    let rows: Vec<Range<u64>> = scan::chunks(footer, &filter).ranges();
    scan::read(footer, &rows, &columns, |numbers, batch| {
        let unexpected = || unreadable(&footer.segment, &"unexpected columns");
        let kinds = kinds(batch, ids, (kind, id)).ok_or_else(unexpected)?;
        let timestamps = times(batch, schema::TIMESTAMP).ok_or_else(unexpected)?;
        let receipts = times(batch, schema::RECEIVED_AT).ok_or_else(unexpected)?;
        for (row, number) in numbers.iter().enumerate() {
            if let Some(kind) = kinds[row] {
                let (timestamp, received_at) = (Micros(timestamps.value(row)), Micros(receipts.value(row)));
                let ordered_at = ordered_at(timestamp, received_at);
                visit(Told { number: *number, kind, ordered_at, reach: reach(timestamp, received_at) })?;
            }
        }
        Ok(())
    })?;
    Ok(rows.iter().map(|range| range.end - range.start).sum())
}

/// For each row its kind if it tells of the record; `None` when the columns are not what they should be.
fn kinds(batch: &RecordBatch, ids: IdSpace, (record, id): (RecordKind, RecordId)) -> Option<Vec<Option<Kind>>> {
    let kinds = Texts::of(batch, schema::KIND)?.map(None, Kind::from_name);
    let (users, externals) = (Texts::of(batch, schema::USER_ID)?, Texts::of(batch, schema::EXTERNAL_ID)?);
    let named = |column| Some(Texts::of(batch, column)?.map(false, |name| ids.record(record, name) == id));
    let named = match record {
        RecordKind::Organization => named(schema::ORGANIZATION_ID)?,
        RecordKind::Account => named(schema::ACCOUNT_ID)?,
        RecordKind::User => named(schema::USER_ID)?,
        RecordKind::Instance | RecordKind::CustomObject | RecordKind::NpsResponse | RecordKind::Anonymous => {
            vec![false; batch.num_rows()]
        }
    };
    let of_row = |row: usize| {
        kinds[row].filter(|kind| {
            let alone = users.get(row).is_none() && externals.get(row).is_none();
            named[row]
                && match (record, kind) {
                    (RecordKind::Organization, Kind::Organization) => true,
                    (RecordKind::Account, Kind::Account) => true,
                    (RecordKind::Account, Kind::Leave) => alone,
                    (RecordKind::User, Kind::User | Kind::Unlink) => true,
                    (RecordKind::User, Kind::Leave) => externals.get(row).is_none(),
                    _ => false,
                }
        })
    };
    Some((0..batch.num_rows()).map(of_row).collect())
}
