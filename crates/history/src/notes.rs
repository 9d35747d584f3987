//! What a writer notes of the rows that go by: the file's directory and its daily cells.

use arrow_array::{Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use muster_model::{
    day::Day,
    id::{IdSpace, RecordId},
    kind::{Kind, RecordKind},
    message::ordered_at,
    time::Micros,
};
use muster_store::record::external_kind;
use rustc_hash::FxHashSet;

use super::{
    daily::{Cell, DailyBuilder, UserKey},
    directory::{By, CHUNK_ROWS, DirectoryBuilder, Key, WAYS},
    schema,
};

/// Takes notes of a file's rows, in the order of the file.
#[derive(Debug)]
pub struct Notes {
    ids: IdSpace,
    rows: u64,
    times: (i64, i64),
    keys: [FxHashSet<Key>; WAYS],
    named: [Named; 4],
    directory: DirectoryBuilder,
    daily: DailyBuilder,
}

/// The record named last in a column: neighbours mostly name the same one.
#[derive(Debug, Default)]
struct Named {
    external_id: String,
    id: Option<RecordId>,
}

/// The place of anonymous ids among those; what stands before are the columns of records.
const ANONYMOUS: usize = 3;
/// Nothing yet.
const NEVER: (i64, i64) = (i64::MAX, i64::MIN);

impl Notes {
    /// For a file of a workspace with these ids.
    pub fn new(ids: IdSpace) -> Self {
        let (directory, daily) = (DirectoryBuilder::default(), DailyBuilder::default());
        Notes { ids, rows: 0, times: NEVER, keys: Default::default(), named: Default::default(), directory, daily }
    }

    /// Takes in rows; `None` when the columns are not what they should be.
    pub fn take(&mut self, rows: &RecordBatch) -> Option<()> {
        let text = |column: usize| rows.column(column).as_any().downcast_ref::<StringArray>();
        let times = |column: usize| rows.column(column).as_any().downcast_ref::<TimestampMicrosecondArray>();
        let (timestamps, receipts) = (times(schema::TIMESTAMP)?, times(schema::RECEIVED_AT)?);
        let (kinds, events) = (text(schema::KIND)?, text(schema::EVENT)?);
        let columns = [
            (text(schema::USER_ID)?, RecordKind::User),
            (text(schema::ATTRIBUTED_ACCOUNT_ID)?, RecordKind::Account),
            (text(schema::ORGANIZATION_ID)?, RecordKind::Organization),
        ];
        let (accounts_named, externals) = (text(schema::ACCOUNT_ID)?, text(schema::EXTERNAL_ID)?);
        for row in 0..rows.num_rows() {
            let mut ids = [None; 3];
            for (place, (column, kind)) in columns.iter().enumerate() {
                let name = (!column.is_null(row)).then(|| column.value(row));
                ids[place] = name.map(|name| self.named[place].id(self.ids, *kind, name));
                self.keys[place].extend(ids[place].map(Key::of_record));
            }
            let anonymous = self.anonymous(kinds.value(row), (!externals.is_null(row)).then(|| externals.value(row)));
            let at = timestamps.value(row);
            self.times = (self.times.0.min(at), self.times.1.max(at));
            if kinds.value(row) == Kind::Track.as_str() && !events.is_null(row) {
                self.keys[By::Event as usize].insert(Key::of_event(events.value(row)));
                let ordered_at = ordered_at(Micros(at), Micros(receipts.value(row)));
                let event = self.daily.event(events.value(row), ordered_at);
                let named = !accounts_named.is_null(row);
                let (user, organization) = (ids[By::User as usize], ids[By::Organization as usize]);
                let alone = !named && organization.is_some();
                self.daily.take(Cell {
                    account: ids[By::Account as usize],
                    named,
                    organization,
                    user: user.map(UserKey::of),
                    user_rest: user.filter(|_| alone).map(|user| user.0 as u64),
                    anonymous: anonymous.filter(|_| user.is_none()),
                    day: Day::of(ordered_at),
                    event,
                });
            }
            self.rows += 1;
            if self.rows.is_multiple_of(CHUNK_ROWS) {
                self.end_chunk();
            }
        }
        Some(())
    }

    /// The anonymous id that a row of this kind names.
    fn anonymous(&mut self, kind: &str, external: Option<&str>) -> Option<RecordId> {
        let external = external?;
        if external_kind(Kind::from_name(kind)?) != RecordKind::Anonymous {
            return None;
        }
        let id = self.named[ANONYMOUS].id(self.ids, RecordKind::Anonymous, external);
        self.keys[By::User as usize].insert(Key::of_record(id));
        Some(id)
    }

    fn end_chunk(&mut self) {
        self.directory.end_chunk(self.times, &mut self.keys);
        self.daily.end_chunk();
        self.times = NEVER;
    }

    /// The bytes of the directory, and of the daily cells with their index.
    pub fn finish(mut self) -> (Vec<u8>, (Vec<u8>, Vec<u8>)) {
        if !self.rows.is_multiple_of(CHUNK_ROWS) {
            self.end_chunk();
        }
        (self.directory.finish(self.rows), self.daily.finish())
    }
}

impl Named {
    fn id(&mut self, ids: IdSpace, kind: RecordKind, external_id: &str) -> RecordId {
        match self.id {
            Some(id) if self.external_id == external_id => id,
            _ => {
                external_id.clone_into(&mut self.external_id);
                *self.id.insert(ids.record(kind, external_id))
            }
        }
    }
}
