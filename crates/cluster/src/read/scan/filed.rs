//! Messages in files, after those of the table: how the history's files are read is [`muster_history::filescan`]; what it asks of
//! the workspace, the moment's transaction answers.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
};

use muster_history::{
    filescan::{
        Ground, NamedChildren,
        candidates::{Candidates, NAMES_MAX},
        file::{FileScan, Plan},
        places::Places,
    },
    footers::Footer,
    manifest::Segment,
};
use muster_model::{
    association::Statement,
    id::{IdSpace, RecordId},
    kind::{Kind, RecordKind},
    profile::Profile,
};
use muster_store::{deletion::Veil, error::ReadError, profiles::Children, rows::RowBatch, scan::Wanted};

use super::held::Held;
use crate::{
    fault::Fault,
    read::{book::Book, profiles},
};

/// Rows of a file are numbered from a multiple of this on; a workspace has fewer messages in its table.
const FILE_ROWS: u64 = 1 << 40;

/// A moment as whoever reads files asks it.
struct Floor<'f, 't, 'c> {
    book: &'f Book<'t, 'c>,
    held: &'f Held,
    /// What is deleted lies in no file that counts.
    veil: Veil,
}

impl Ground for Floor<'_, '_, '_> {
    fn ids(&self) -> IdSpace {
        self.held.ids
    }

    fn veil(&self) -> &Veil {
        &self.veil
    }

    fn footer(&self, segment: &Arc<Segment>) -> Result<Arc<Footer>, ReadError> {
        self.book.archive().footers().of(segment)
    }

    fn find(&self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Profile>>, ReadError> {
        Ok(self.book.profile_of((kind, id))?)
    }

    fn statements(&self, parents: RecordKind, about: RecordId) -> Result<Vec<Statement>, ReadError> {
        Ok(self.book.statements_about(about, parents)?)
    }

    fn named_children(&self, children: Children, limit: usize) -> Result<NamedChildren, ReadError> {
        let page = profiles::children(&mut self.book.transaction(), self.book.of(), children, limit)?;
        let subjects: Vec<(RecordKind, RecordId)> = page.iter().map(|id| (children.kind, *id)).collect();
        let found = self.book.profiles(&subjects)?;
        Ok((page, found.iter().map(|profile| profile.external_id.clone()).collect()))
    }

    fn looked_at(&self, rows: u64, passed_over: u64) {
        self.held.rows.fetch_add(rows, Ordering::Relaxed);
        self.held.rows_skipped.fetch_add(passed_over, Ordering::Relaxed);
    }
}

/// The files that are still to be read.
pub struct Filed {
    plan: Plan,
    places: Places,
    segments: VecDeque<Arc<Segment>>,
    open: Option<FileScan>,
    /// Files that are done with: numbers of rows are the same in every scan of a moment.
    done: u64,
}

impl Filed {
    /// Those of a moment; nothing when there are none.
    pub fn new(held: &Held, book: &Book<'_, '_>, wanted: &Wanted) -> Result<Option<Filed>, Fault> {
        let segments = book.segments()?;
        if segments.is_empty() {
            return Ok(None);
        }
        let mut wanted = wanted.clone();
        if wanted.attributed {
            wanted.kinds = vec![Kind::Track];
        }
        wanted.columns.sort_unstable();
        wanted.columns.dedup();
        let floor = Floor { book, held, veil: Veil::default() };
        let candidates = Candidates::of(&floor, &wanted, NAMES_MAX)?;
        let plan = Plan::new(wanted, candidates, false);
        Ok(Some(Filed { plan, places: Places::default(), segments: segments.into(), open: None, done: 0 }))
    }

    /// Adds the next rows to a batch, which may be none; `false` at the end.
    pub fn read(&mut self, held: &Held, book: &Book<'_, '_>, batch: &mut RowBatch) -> Result<bool, Fault> {
        let floor = Floor { book, held, veil: Veil::default() };
        let Filed { plan, places, segments, open, done } = self;
        let Some(segment) = segments.front() else { return Ok(false) };
        let outside = plan.wanted.first.is_some_and(|first| segment.last < first)
            || plan.wanted.last.is_some_and(|last| segment.first > last);
        let more = if outside {
            floor.looked_at(0, segment.rows);
            false
        } else {
            let scan = match open {
                Some(scan) => scan,
                None => open.insert(FileScan::new(&floor, plan, segment, (*done + 1) * FILE_ROWS)?),
            };
            scan.read(&floor, plan, places, batch)?
        };
        if !more {
            segments.pop_front();
            *done += 1;
            *open = None;
        }
        Ok(true)
    }
}
