//! What deletions and imports that are taken back change in files.
//!
//! A file of which something goes is written anew without it, put into the bucket, and takes the other's place in the
//! transaction that deletes. What was written for a transaction that did not come about is found later.

use std::{cell::RefCell, collections::BTreeSet, sync::Arc};

use muster_history::{
    directory::{By, Key},
    find,
    manifest::{Segment, unreadable},
    restore::{self, Rows},
    rewrite::{self, Place, rewrite},
    scan::{self, Filter, Texts},
    schema,
};
use muster_model::{
    day::Day,
    deletion::Subject,
    id::{IdSpace, Identity, RecordId, WorkspaceId},
    kind::Kind,
    message::{Message, ordered_at},
    time::Micros,
};
use muster_store::{
    deletion::{Concerned, Instants},
    record,
};
use rustc_hash::FxHashSet;

use super::rows::Gone;
use crate::{
    archive::{Archive, manifest},
    fault::Fault,
    fold::rows::EventDays,
    read::book,
    sql::connection::Transaction,
};

/// A workspace's files in a transaction that changes them.
pub struct Files<'t, 'c> {
    pub archive: &'t Archive,
    pub transaction: &'t RefCell<Transaction<'c>>,
    pub workspace: WorkspaceId,
    name: String,
    ids: IdSpace,
}

impl<'t, 'c> Files<'t, 'c> {
    pub fn new(
        archive: &'t Archive,
        transaction: &'t RefCell<Transaction<'c>>,
        workspace: WorkspaceId,
    ) -> Result<Files<'t, 'c>, Fault> {
        let name = book::name(&mut transaction.borrow_mut(), workspace)?;
        let ids = IdSpace::new(&name);
        Ok(Files { archive, transaction, workspace, name, ids })
    }

    fn segments(&self) -> Result<Vec<Arc<Segment>>, Fault> {
        self.archive.segments(&mut self.transaction.borrow_mut(), self.workspace)
    }

    /// Calls `take` with every message that names one of some records: with its number of arrival and its bytes.
    pub fn naming(
        &self,
        wanted: &FxHashSet<Subject>,
        mut take: impl FnMut(i64, &[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if wanted.is_empty() {
            return Ok(());
        }
        let wanted_ids: FxHashSet<RecordId> = wanted.iter().map(|(_, id)| *id).collect();
        for segment in self.segments()? {
            let groups = find::groups_naming(&segment, self.ids, wanted)?;
            if groups.is_empty() {
                continue;
            }
            let odd = || unreadable(&segment, &"unexpected columns");
            for batch in restore::batches(&segment, Some(groups))? {
                let batch = batch?;
                let rows = Rows::of(&batch).ok_or_else(odd)?;
                for row in 0..batch.num_rows() {
                    if rows.subjects(row, self.ids).iter().flatten().any(|(_, id)| wanted_ids.contains(id)) {
                        let mut bytes = Vec::new();
                        record::encode(&rows.message(row, self.ids).ok_or_else(odd)?, &mut bytes);
                        take(rows.arrived(row).ok_or_else(odd)? as i64, &bytes)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes files anew without what a deletion covers, and notes what that said of others; how many messages lost a name.
    pub fn erase(
        &self,
        deleted: &Instants,
        subjects: impl Iterator<Item = Subject>,
        concerned: &mut Concerned,
        gone: &mut Gone,
    ) -> Result<u64, Fault> {
        let filter = find::filter(subjects);
        let mut redacted = 0;
        for segment in self.segments()? {
            if !find::look_through(&segment, self.ids, deleted, filter.as_ref(), concerned)? {
                continue;
            }
            let room = self.archive.room()?;
            let whole = self.archive.fetch(&segment, &room)?;
            let rewritten = rewrite(&whole, self.ids, deleted, &self.place(room.path()), &mut |row| {
                gone.note_filed(row.identity, row.event.map(|event| (event, row.ordered_at)));
                Ok(())
            })?;
            redacted += rewritten.redacted;
            self.replace(&segment, &rewritten.outputs)?;
        }
        Ok(redacted)
    }

    /// Writes files anew without some messages; `note` is told of each that goes.
    pub fn take_out(
        &self,
        identities: &FxHashSet<Identity>,
        mut note: impl FnMut(&Message<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        for segment in self.segments()? {
            let room = self.archive.room()?;
            let whole = self.archive.fetch(&segment, &room)?;
            let odd = || unreadable(&segment, &"unexpected columns");
            let mut failed = Ok(());
            let left = rewrite::keeping(&whole, &self.place(room.path()), &mut |rows, row| {
                if !identities.contains(&rows.identity(row).ok_or_else(odd)?) {
                    return Ok(true);
                }
                if failed.is_ok() {
                    failed = note(&rows.message(row, self.ids).ok_or_else(odd)?);
                }
                Ok(false)
            })?;
            failed?;
            if left.removed > 0 {
                self.replace(&segment, &left.outputs)?;
            }
        }
        Ok(())
    }

    fn place<'p>(&'p self, directory: &'p std::path::Path) -> Place<'p> {
        Place { history_dir: directory, workspace: self.workspace, name: &self.name, next_id: &manifest::new_id }
    }

    /// Has files count in the place of another.
    fn replace(&self, segment: &Arc<Segment>, outputs: &[Arc<Segment>]) -> Result<(), Fault> {
        outputs.iter().try_for_each(|output| self.archive.send(output))?;
        let mut transaction = self.transaction.borrow_mut();
        manifest::remove(&mut transaction, self.workspace, std::slice::from_ref(segment))?;
        outputs.iter().try_for_each(|output| manifest::add(&mut transaction, output))
    }

    /// Counts tracks of these names on these days.
    pub fn count(&self, days: &BTreeSet<(Vec<u8>, Day)>) -> Result<EventDays, Fault> {
        let mut counted = EventDays::default();
        let Some(first) = days.iter().map(|(_, day)| *day).min() else { return Ok(counted) };
        let names: BTreeSet<&str> = days.iter().filter_map(|(event, _)| std::str::from_utf8(event).ok()).collect();
        let any = names.iter().map(|event| (By::Event, Key::of_event(event))).collect();
        // No track takes a place later than its timestamp.
        let filter = Filter { any: Some(any), first: Some(first.start()), ..Filter::default() };
        let columns = [schema::KIND, schema::TIMESTAMP, schema::RECEIVED_AT, schema::EVENT];
        for segment in self.segments()?.iter().filter(|segment| segment.last >= first.start()) {
            let footer = self.archive.footers().of(segment)?;
            let rows = scan::chunks(&footer, &filter).ranges();
            scan::read(&footer, &rows, &columns, |numbers, batch| {
                let odd = || unreadable(segment, &"unexpected columns");
                let tracks = scan::of_kind(batch, Kind::Track).ok_or_else(odd)?;
                let events = Texts::of(batch, schema::EVENT).ok_or_else(odd)?;
                let times = scan::times(batch, schema::TIMESTAMP).ok_or_else(odd)?;
                let receipts = scan::times(batch, schema::RECEIVED_AT).ok_or_else(odd)?;
                for row in (0..numbers.len()).filter(|row| tracks[*row]) {
                    let event = events.get(row).unwrap_or_default();
                    let at = ordered_at(Micros(times.value(row)), Micros(receipts.value(row)));
                    if names.contains(event) && days.contains(&(event.as_bytes().to_vec(), Day::of(at))) {
                        counted.count(event, at);
                    }
                }
                Ok(())
            })?;
        }
        Ok(counted)
    }
}
