//! Writing a history file anew, without what was deleted.
//!
//! Rows are copied as they stand, in batches; memory is bounded by a batch whatever the file holds. Messages that lost a
//! name are filed elsewhere than before, so they go to small files of their own, sorted like every other.

use std::{path::Path, sync::Arc};

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use muster_model::{
    deletion::Fate,
    id::{IdSpace, Identity, RecordId, WorkspaceId},
    kind::{Kind, RecordKind},
    message::ordered_at,
    time::Micros,
};
use muster_store::{deletion::Instants, error::ReadError};

use super::{
    columns::{BATCH_ROWS, Columns},
    error::not_written,
    manifest::{Segment, unreadable},
    restore::{self, Rows},
    schema,
    segment::SegmentWriter,
};

/// What became of a file.
#[derive(Default)]
pub struct Rewritten {
    /// The files in its place.
    pub outputs: Vec<Arc<Segment>>,
    pub removed: u64,
    pub redacted: u64,
}

/// Where files are written, and how they are called.
pub struct Place<'a> {
    pub history_dir: &'a Path,
    pub workspace: WorkspaceId,
    pub name: &'a str,
    pub next_id: &'a dyn Fn() -> u64,
}

/// A message that goes.
pub struct Dropped<'r> {
    /// The deleted records that it names.
    pub because: &'r [RecordId],
    pub identity: Identity,
    pub received_at: Micros,
    /// Its name if it is a track, and its instant in the order of statements.
    pub event: Option<&'r str>,
    pub ordered_at: Micros,
}

/// Told of every message that goes.
pub type Drop<'a> = dyn FnMut(&Dropped<'_>) -> Result<(), ReadError> + 'a;

/// Writes what is left of a file; nothing counts before the manifest is changed. `drop` is told of every message
/// that goes.
pub fn rewrite(
    segment: &Arc<Segment>,
    ids: IdSpace,
    deleted: &Instants,
    place: &Place<'_>,
    drop: &mut Drop<'_>,
) -> Result<Rewritten, ReadError> {
    let odd = || unreadable(segment, &"unexpected columns");
    let layout = segment.layout();
    let create = || {
        let id = (place.next_id)();
        SegmentWriter::create(place.history_dir, (place.workspace, place.name), id, (segment.month, layout))
    };
    let mut writer = create().map_err(|error| not_written(&error))?;
    let mut rewritten = Rewritten::default();
    let mut aside = Aside::default();
    for batch in restore::batches(segment, None)? {
        let batch = batch?;
        let rows = Rows::of(&batch).ok_or_else(odd)?;
        let mut keep = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let subjects = rows.subjects(row, ids);
            let reach = rows.reach(row);
            let hidden = |id: &RecordId| deleted.hides(*id, reach);
            let because: Vec<RecordId> = subjects.iter().flatten().map(|(_, id)| *id).filter(hidden).collect();
            if because.is_empty() {
                keep.push(true);
                continue;
            }
            let kind = rows.kind(row).ok_or_else(odd)?;
            let names = subjects.into_iter().flatten();
            let fate = muster_model::deletion::fate(kind, names, reach, |id, reach| deleted.hides(id, reach));
            keep.push(fate == Fate::Keep);
            match fate {
                Fate::Keep => {}
                Fate::Redact => {
                    rewritten.redacted += 1;
                    aside.add(&rows, row, ids, deleted).ok_or_else(odd)?.map_err(|error| not_written(&error))?;
                }
                Fate::Drop => {
                    rewritten.removed += 1;
                    drop(&Dropped {
                        because: &because,
                        identity: rows.identity(row).ok_or_else(odd)?,
                        received_at: rows.received_at(row),
                        event: rows.text(schema::EVENT, row).filter(|_| kind == Kind::Track),
                        ordered_at: ordered_at(rows.timestamp(row), rows.received_at(row)),
                    })?;
                }
            }
        }
        if keep.contains(&true) {
            let left = filter_record_batch(&batch, &BooleanArray::from(keep)).map_err(|error| not_written(&error))?;
            writer.write(&left).map_err(|error| not_written(&error))?;
        }
        if aside.rows >= ASIDE_ROWS_MAX {
            rewritten.outputs.extend(aside.write(&create).map_err(|error| not_written(&error))?);
        }
    }
    rewritten.outputs.extend(aside.write(&create).map_err(|error| not_written(&error))?);
    rewritten.outputs.extend(writer.finish().map_err(|error| not_written(&error))?);
    Ok(rewritten)
}

/// Told of each row whether it is kept.
pub type Keep<'a> = dyn FnMut(&Rows<'_>, usize) -> Result<bool, ReadError> + 'a;

/// Writes those rows of a file that are to be kept; nothing counts before the manifest is changed.
pub fn keeping(segment: &Arc<Segment>, place: &Place<'_>, keep: &mut Keep<'_>) -> Result<Rewritten, ReadError> {
    let failed = |error: &dyn std::fmt::Display| not_written(error);
    let odd = || unreadable(segment, &"unexpected columns");
    let (id, layout) = ((place.next_id)(), (segment.month, segment.layout()));
    let mut writer = SegmentWriter::create(place.history_dir, (place.workspace, place.name), id, layout)
        .map_err(|error| failed(&error))?;
    let mut rewritten = Rewritten::default();
    for batch in restore::batches(segment, None)? {
        let batch = batch?;
        let rows = Rows::of(&batch).ok_or_else(odd)?;
        let kept = (0..batch.num_rows()).map(|row| keep(&rows, row)).collect::<Result<Vec<bool>, ReadError>>()?;
        rewritten.removed += kept.iter().filter(|kept| !**kept).count() as u64;
        if kept.contains(&true) {
            let left = filter_record_batch(&batch, &BooleanArray::from(kept)).map_err(|error| failed(&error))?;
            writer.write(&left).map_err(|error| failed(&error))?;
        }
    }
    rewritten.outputs.extend(writer.finish().map_err(|error| failed(&error))?);
    Ok(rewritten)
}

/// Redacted rows that are held before they are written.
const ASIDE_ROWS_MAX: usize = 8 * BATCH_ROWS;

/// What rows are sorted by: account, user, time.
type SortKey = (Option<String>, Option<String>, i64);

/// Redacted rows, waiting to be sorted and written.
#[derive(Default)]
struct Aside {
    batches: Vec<(SortKey, RecordBatch)>,
    rows: usize,
}

impl Aside {
    fn add(
        &mut self,
        rows: &Rows<'_>,
        row: usize,
        ids: IdSpace,
        deleted: &Instants,
    ) -> Option<Result<(), arrow_schema::ArrowError>> {
        let message = rows.message(row, ids)?.redacted(|id, reach| deleted.hides(id, reach));
        let filed = rows.text(schema::ATTRIBUTED_ACCOUNT_ID, row);
        let filed = filed.filter(|name| deleted.deleted_at(ids.record(RecordKind::Account, name)).is_none());
        let user = message.user.as_ref().map(|user| user.external_id.clone().into_owned());
        let key = (filed.map(str::to_owned), user, message.timestamp.0);
        let mut columns = Columns::new(1, rows.layout());
        let written = columns.push(&message, filed, rows.arrived(row)).and_then(|()| columns.finish());
        Some(written.map(|batch| {
            self.rows += 1;
            self.batches.push((key, batch));
        }))
    }

    fn write(
        &mut self,
        create: &dyn Fn() -> Result<SegmentWriter, parquet::errors::ParquetError>,
    ) -> Result<Option<Arc<Segment>>, parquet::errors::ParquetError> {
        if self.batches.is_empty() {
            return Ok(None);
        }
        let mut batches = std::mem::take(&mut self.batches);
        self.rows = 0;
        let Some(schema) = batches.first().map(|(_, batch)| batch.schema()) else { return Ok(None) };
        batches.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut writer = create()?;
        for part in batches.chunks(BATCH_ROWS) {
            let part = part.iter().map(|(_, batch)| batch);
            writer.write(&arrow_select::concat::concat_batches(&schema, part)?)?;
        }
        writer.finish()
    }
}
