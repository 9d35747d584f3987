//! Reading one file, one row group after the other.
//!
//! Rows that the file's directory rules out, and row groups that statistics do, are not read. When names are wanted, a first pass reads only the columns that
//! decide; a second one reads the wanted columns of the rows that are left.

use std::{ops::Range, sync::Arc};

use crate::{
    columns::BATCH_ROWS,
    footers::Footer,
    manifest::{Segment, unreadable},
    schema,
    verified::VerifiedFile,
};
use arrow_array::RecordBatch;
use muster_model::{deletion::Fate, message::ordered_at};
use muster_store::{
    error::ReadError,
    rows::{Column, RowBatch, identity_of_its_own},
    scan::Wanted,
};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection},
    },
    file::{metadata::RowGroupMetaData, statistics::Statistics},
};

use super::{
    Ground,
    candidates::Candidates,
    columns::{Kinds, Texts, instants, message},
    fates::{fates, redacted, shows},
    places::{Places, Track, belongs},
    pruned,
};

use muster_model::time::Micros;

/// What decides about rows, and what is read of them.
pub struct Plan {
    pub wanted: Wanted,
    pub candidates: Candidates,
    /// Whether it matters where a track belongs, and whether more of that than its user.
    pub placed: bool,
    pub attributes: bool,
    /// Columns that decide in the first pass; none when there is no need of one.
    deciding: Vec<usize>,
    /// Columns of the second pass.
    reading: Vec<usize>,
}

impl Plan {
    /// `veiled` when some rows may have been deleted, which their names tell.
    pub fn new(wanted: Wanted, candidates: Candidates, veiled: bool) -> Plan {
        let asks = |column| wanted.columns.contains(&column);
        let shows = |column| !wanted.shown_as_named && asks(column);
        let attributes = wanted.attributed
            && (wanted.accounts.is_some()
                || wanted.organizations.is_some()
                || shows(Column::Account)
                || shows(Column::Organization));
        let placed = attributes || wanted.attributed && (wanted.users.is_some() || shows(Column::User));
        let names = [schema::ORGANIZATION_ID, schema::ACCOUNT_ID, schema::USER_ID, schema::EVENT];
        let mut deciding = Vec::new();
        if !candidates.is_everything() {
            let belonging = candidates.belonging.is_some();
            let used = [
                belonging || candidates.organizations.is_some(),
                belonging || candidates.accounts.is_some(),
                belonging || candidates.users.is_some(),
                candidates.events.is_some(),
            ];
            deciding.extend([schema::KIND, schema::TIMESTAMP]);
            deciding.extend(names.into_iter().zip(used).filter(|(_, used)| *used).map(|(column, _)| column));
            let anonymous = belonging || !candidates.anonymous.is_empty();
            deciding.extend(anonymous.then_some(schema::EXTERNAL_ID));
        }
        let mut reading = vec![schema::KIND, schema::TIMESTAMP, schema::RECEIVED_AT];
        reading.extend(wanted.columns.iter().filter_map(|column| stored(*column)));
        if placed {
            reading.extend(&names[..3]);
            reading.push(schema::EXTERNAL_ID);
        }
        if veiled {
            reading.extend(&names[..3]);
            reading.extend([schema::EXTERNAL_ID, schema::CUSTOM_OBJECT_ID]);
        }
        if asks(Column::Sent) || asks(Column::Identity) {
            reading = (0..schema::WRITTEN.fields().len()).collect();
        }
        Plan { wanted, candidates, placed, attributes, deciding, reading }
    }

    /// Whether a row group may hold anything wanted.
    fn may_hold(&self, group: &RowGroupMetaData) -> bool {
        let within = |column: usize, names: &std::collections::BTreeSet<Box<str>>| {
            let Some(Statistics::ByteArray(texts)) = group.column(column).statistics() else { return true };
            if texts.null_count_opt() == u64::try_from(group.num_rows()).ok() {
                return false;
            }
            let (Some(first), Some(last)) = (texts.min_opt(), texts.max_opt()) else { return true };
            names.iter().any(|name| first.data() <= name.as_bytes() && name.as_bytes() <= last.data())
        };
        let candidates = &self.candidates;
        // A user's track may name an anonymous id instead.
        let users = candidates.users.as_ref().filter(|_| candidates.anonymous.is_empty());
        let named = [
            (schema::ORGANIZATION_ID, candidates.organizations.as_ref()),
            (schema::ACCOUNT_ID, candidates.accounts.as_ref()),
            (schema::USER_ID, users),
            (schema::EVENT, candidates.events.as_ref()),
        ];
        self.may_be_in_time(group)
            && self.may_be_of_kind(group)
            && named.iter().all(|(column, names)| names.is_none_or(|names| within(*column, names)))
            && candidates.belonging.as_ref().is_none_or(|belonging| {
                within(schema::ACCOUNT_ID, &belonging.accounts)
                    || within(schema::USER_ID, &belonging.users)
                    || within(schema::EXTERNAL_ID, &belonging.anonymous)
                    || within(schema::ORGANIZATION_ID, &belonging.organizations)
            })
    }

    fn may_be_in_time(&self, group: &RowGroupMetaData) -> bool {
        let Some(Statistics::Int64(times)) = group.column(schema::TIMESTAMP).statistics() else { return true };
        let (Some(first), Some(last)) = (times.min_opt(), times.max_opt()) else { return true };
        self.wanted.last.is_none_or(|bound| *first <= bound.0) && self.wanted.first.is_none_or(|bound| bound.0 <= *last)
    }

    fn may_be_of_kind(&self, group: &RowGroupMetaData) -> bool {
        let Some(Statistics::ByteArray(kinds)) = group.column(schema::KIND).statistics() else { return true };
        let (Some(first), Some(last)) = (kinds.min_opt(), kinds.max_opt()) else { return true };
        let within = |kind: &&str| first.data() <= kind.as_bytes() && kind.as_bytes() <= last.data();
        self.wanted.kinds.iter().any(|kind| within(&kind.as_str()))
    }

    /// For each row, whether it may be wanted; `None` when the columns are not what they should be.
    fn decide(&self, batch: &RecordBatch) -> Option<Vec<bool>> {
        let rows = batch.num_rows();
        let mut may = Kinds::of(batch)?.among(rows, &self.wanted.kinds);
        let times = instants(batch, schema::TIMESTAMP)?;
        may.iter_mut().enumerate().for_each(|(row, may)| *may &= self.wanted.in_time(Micros(times.value(row))));
        let candidates = &self.candidates;
        if let Some(names) = &candidates.users {
            let mut answers = Texts::of(batch, schema::USER_ID)?.answers(rows, |text| names.contains(text));
            if !candidates.anonymous.is_empty() {
                let named = |text: &str| candidates.anonymous.contains(text);
                let anonymous = Texts::of(batch, schema::EXTERNAL_ID)?.answers(rows, named);
                answers.iter_mut().zip(anonymous).for_each(|(answer, anonymous)| *answer |= anonymous);
            }
            may.iter_mut().zip(answers).for_each(|(may, answer)| *may &= answer);
        }
        let names = [
            (schema::ORGANIZATION_ID, &candidates.organizations),
            (schema::ACCOUNT_ID, &candidates.accounts),
            (schema::EVENT, &candidates.events),
        ];
        for (column, names) in names {
            let Some(names) = names else { continue };
            let answers = Texts::of(batch, column)?.answers(rows, |text| names.contains(text));
            may.iter_mut().zip(answers).for_each(|(may, answer)| *may &= answer);
        }
        if let Some(belonging) = &candidates.belonging {
            let one = |column, names: &std::collections::BTreeSet<Box<str>>| {
                Some(Texts::of(batch, column)?.answers(rows, |text| names.contains(text)))
            };
            let accounts = one(schema::ACCOUNT_ID, &belonging.accounts)?;
            let users = one(schema::USER_ID, &belonging.users)?;
            let anonymous = one(schema::EXTERNAL_ID, &belonging.anonymous)?;
            let organizations = one(schema::ORGANIZATION_ID, &belonging.organizations)?;
            let any = |row: usize| accounts[row] || users[row] || anonymous[row] || organizations[row];
            may.iter_mut().enumerate().for_each(|(row, may)| *may = *may && any(row));
        }
        Some(may)
    }
}

/// The column of a file that a column of a scan comes from.
fn stored(column: Column) -> Option<usize> {
    match column {
        Column::Organization => Some(schema::ORGANIZATION_ID),
        Column::Account => Some(schema::ACCOUNT_ID),
        Column::User => Some(schema::USER_ID),
        Column::External => Some(schema::EXTERNAL_ID),
        Column::CustomObject => Some(schema::CUSTOM_OBJECT_ID),
        Column::Event => Some(schema::EVENT),
        Column::Name => Some(schema::NAME),
        Column::MessageId => Some(schema::MESSAGE_ID),
        Column::Properties => Some(schema::PROPERTIES),
        Column::Traits => Some(schema::TRAITS),
        Column::Sent | Column::Identity => None,
    }
}

/// A file being read.
pub struct FileScan {
    segment: Arc<Segment>,
    footer: Arc<Footer>,
    /// Rows that may be wanted, by the file's directory.
    candidates: Vec<Range<u64>>,
    /// The number of its first row among all rows of the moment.
    base: u64,
    group: usize,
    /// The number of the group's first row within the file.
    group_start: u64,
    rows: Option<GroupRows>,
}

/// The rows of one group that are being read.
struct GroupRows {
    reader: ParquetRecordBatchReader,
    /// Their places in the group; `None` when all of them are read.
    places: Option<Vec<u32>>,
    read: usize,
}

impl FileScan {
    pub fn new(ground: &dyn Ground, plan: &Plan, segment: &Arc<Segment>, base: u64) -> Result<FileScan, ReadError> {
        let footer = ground.footer(segment)?;
        let candidates = pruned::rows(&footer, ground.ids(), plan);
        Ok(FileScan { segment: Arc::clone(segment), footer, candidates, base, group: 0, group_start: 0, rows: None })
    }

    /// Adds the next rows to `batch`; `false` at the end of the file.
    pub fn read(
        &mut self,
        ground: &dyn Ground,
        plan: &Plan,
        places: &mut Places,
        batch: &mut RowBatch,
    ) -> Result<bool, ReadError> {
        let segment = Arc::clone(&self.segment);
        let fail = |error: &dyn std::fmt::Display| unreadable(&segment, error);
        let footer = Arc::clone(&self.footer);
        let groups = footer.metadata.metadata().row_groups();
        let Some(group) = groups.get(self.group) else { return Ok(false) };
        let in_group = u64::try_from(group.num_rows()).map_err(|error| fail(&error))?;
        let Some(rows) = &mut self.rows else {
            let rows = pruned::within(&self.candidates, &(self.group_start..self.group_start + in_group));
            if plan.may_hold(group) && !rows.is_empty() {
                self.rows = self.open(ground, plan, rows, in_group as usize)?;
            } else {
                ground.looked_at(0, in_group);
            }
            if self.rows.is_none() {
                (self.group, self.group_start) = (self.group + 1, self.group_start + in_group);
            }
            return Ok(true);
        };
        match rows.reader.next() {
            Some(stored) => {
                let stored = stored.map_err(|error| fail(&error))?;
                let number = |row: usize| {
                    let at = rows.read + row;
                    let place = rows.places.as_ref().map_or(at as u64, |places| u64::from(places[at]));
                    self.base + self.group_start + place
                };
                copy(ground, plan, places, &stored, number, batch)?.ok_or_else(|| fail(&"unexpected columns"))?;
                if rows.places.is_none() {
                    ground.looked_at(stored.num_rows() as u64, 0);
                }
                rows.read += stored.num_rows();
            }
            None => {
                if rows.places.as_ref().is_some_and(|places| places.len() != rows.read) {
                    return Err(fail(&"fewer rows than its own metadata says"));
                }
                self.rows = None;
                (self.group, self.group_start) = (self.group + 1, self.group_start + in_group);
            }
        }
        Ok(true)
    }

    /// Decides which of these rows of the group to read; `None` when there are none.
    fn open(
        &self,
        ground: &dyn Ground,
        plan: &Plan,
        rows: Vec<Range<usize>>,
        in_group: usize,
    ) -> Result<Option<GroupRows>, ReadError> {
        let fail = |error: &dyn std::fmt::Display| unreadable(&self.segment, error);
        let whole = rows.first() == Some(&(0..in_group));
        if whole && plan.deciding.is_empty() {
            return Ok(Some(GroupRows { reader: self.reader(&plan.reading, None)?, places: None, read: 0 }));
        }
        let mut places: Vec<u32> = Vec::new();
        let mut numbers = rows.iter().cloned().flatten().map(|row| row as u32);
        let count: usize = rows.iter().map(Range::len).sum();
        if plan.deciding.is_empty() {
            places.extend(numbers);
        } else {
            let selection = RowSelection::from_consecutive_ranges(rows.iter().cloned(), in_group);
            for batch in self.reader(&plan.deciding, Some(selection).filter(|_| !whole))? {
                let batch = batch.map_err(|error| fail(&error))?;
                let may = plan.decide(&batch).ok_or_else(|| fail(&"unexpected columns"))?;
                places.extend(may.iter().zip(&mut numbers).filter(|(may, _)| **may).map(|(_, row)| row));
            }
        }
        ground.looked_at(count as u64, 0);
        ground.looked_at(0, (in_group - count) as u64);
        if places.is_empty() {
            return Ok(None);
        }
        let ranges = places.iter().map(|place| *place as usize..*place as usize + 1);
        let selection = RowSelection::from_consecutive_ranges(ranges, in_group);
        let reader = self.reader(&plan.reading, Some(selection))?;
        Ok(Some(GroupRows { reader, places: Some(places), read: 0 }))
    }

    fn reader(
        &self,
        columns: &[usize],
        selection: Option<RowSelection>,
    ) -> Result<ParquetRecordBatchReader, ReadError> {
        let metadata = self.footer.metadata.clone();
        let mask = ProjectionMask::roots(metadata.parquet_schema(), columns.iter().copied());
        let file = VerifiedFile::new(Arc::clone(&self.segment));
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
            .with_row_groups(vec![self.group])
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS);
        let builder = match selection {
            Some(selection) => builder.with_row_selection(selection),
            None => builder,
        };
        builder.build().map_err(|error| unreadable(&self.segment, &error))
    }
}

/// Copies what is wanted of stored rows. `None` when the columns are not what they should be.
fn copy(
    ground: &dyn Ground,
    plan: &Plan,
    places: &mut Places,
    stored_rows: &RecordBatch,
    number: impl Fn(usize) -> u64,
    batch: &mut RowBatch,
) -> Result<Option<()>, ReadError> {
    let wanted = &plan.wanted;
    let rows = stored_rows.num_rows();
    let (Some(kinds), Some(times), Some(receipts)) =
        (Kinds::of(stored_rows), instants(stored_rows, schema::TIMESTAMP), instants(stored_rows, schema::RECEIVED_AT))
    else {
        return Ok(None);
    };
    let of_kind = kinds.among(rows, &wanted.kinds);
    let mut chosen: Vec<u32> = (0..rows as u32)
        .filter(|row| of_kind[*row as usize] && wanted.in_time(Micros(times.value(*row as usize))))
        .collect();
    let Some(fates) = fates(ground, stored_rows, &kinds, times, receipts) else { return Ok(None) };
    chosen.retain(|row| fates.get(*row as usize) != Some(&Fate::Drop));
    if plan.placed {
        match placed(ground, plan, places, stored_rows, chosen, batch)? {
            Some(kept) => chosen = kept,
            None => return Ok(None),
        }
    }
    for row in chosen.iter().map(|row| *row as usize) {
        let Some(kind) = kinds.get(row) else { return Ok(None) };
        batch.numbers.push(number(row));
        batch.kinds.push(kind);
        batch.timestamps.push(Micros(times.value(row)));
        batch.received_at.push(Micros(receipts.value(row)));
    }
    for column in &wanted.columns {
        let out = batch.column_mut(*column);
        match (column, stored(*column)) {
            (Column::User | Column::Account | Column::Organization, _) if plan.placed && !wanted.shown_as_named => {}
            (_, Some(at)) => {
                let Some(texts) = Texts::of(stored_rows, at) else { return Ok(None) };
                let shown = |row: usize, text: &str| shows(ground, *column, (kinds.get(row), fates.get(row)), text);
                for row in chosen.iter().map(|row| *row as usize) {
                    out.push(texts.get(row).filter(|text| shown(row, text)));
                }
            }
            (_, None) => {
                for row in &chosen {
                    let Some(mut message) = message(stored_rows, *row as usize) else { return Ok(None) };
                    if fates.get(*row as usize) == Some(&Fate::Redact) {
                        message = redacted(ground, message);
                    }
                    match column {
                        Column::Identity => out.push(identity_of_its_own(&message).as_deref()),
                        _ => out.push(Some(&message.as_sent())),
                    }
                }
            }
        }
    }
    Ok(Some(()))
}

/// Of rows that may be wanted those that are, by where they belong; and where that is, as far as it is asked for. `None`
/// when the columns are not what they should be.
fn placed(
    ground: &dyn Ground,
    plan: &Plan,
    places: &mut Places,
    stored_rows: &RecordBatch,
    chosen: Vec<u32>,
    batch: &mut RowBatch,
) -> Result<Option<Vec<u32>>, ReadError> {
    let wanted = &plan.wanted;
    let named = [schema::ORGANIZATION_ID, schema::ACCOUNT_ID, schema::USER_ID, schema::EXTERNAL_ID];
    let named = named.map(|column| Texts::of(stored_rows, column));
    let [Some(organizations), Some(accounts), Some(users), Some(anonymous)] = named else { return Ok(None) };
    let (Some(times), Some(receipts)) =
        (instants(stored_rows, schema::TIMESTAMP), instants(stored_rows, schema::RECEIVED_AT))
    else {
        return Ok(None);
    };
    let mut kept = Vec::with_capacity(chosen.len());
    for row in chosen {
        let at = row as usize;
        let ordered = ordered_at(Micros(times.value(at)), Micros(receipts.value(at)));
        let (organization, account, user) = (organizations.get(at), accounts.get(at), users.get(at));
        let track = Track { organization, account, user, anonymous: anonymous.get(at), at: ordered };
        let keeps = places.of(ground, track, plan.attributes, |place| {
            let keeps = belongs(wanted, &place);
            let shows = keeps && !wanted.shown_as_named;
            let texts = [
                (Column::User, place.user),
                (Column::Account, place.account),
                (Column::Organization, place.organization),
            ];
            for (column, text) in texts.into_iter().filter(|(column, _)| shows && wanted.columns.contains(column)) {
                batch.column_mut(column).push(text);
            }
            keeps
        })?;
        if keeps {
            kept.push(row);
        }
    }
    Ok(Some(kept))
}
