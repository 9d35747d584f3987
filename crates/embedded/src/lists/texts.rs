//! The texts that searches look through, in memory, within a bound.
//!
//! A table holds the folded texts of one kind of record as they are on disk. It is made when somebody first searches, and
//! kept up by checkpoints; searching it is one pass over its bytes. What it finds may be out of date in either direction
//! only for records that memory knows better at that moment, and whoever searches looks at the records anyway. When
//! there is no table, because it would be too large or is being made, the search follows the order of the list.

use std::sync::Arc;

use fjall::Readable;
use memchr::memmem;
use muster_model::{
    find,
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
};
use muster_store::error::ReadError;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::{
    codec,
    error::{damaged, state_failed},
    keys,
    overlay::Overlay,
    state::State,
};

/// Changed records that a table is made anew from, at least.
const RECENT_MIN: usize = 10_000;
/// Bytes that a changed record takes besides its text, roughly.
const RECENT_BYTES: usize = 64;

type Of = (WorkspaceId, RecordKind);

/// Every table there is.
#[derive(Debug, Default)]
pub struct Texts {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    bytes_max: usize,
    tables: FxHashMap<Of, Kept>,
    /// Counts searches, for telling which table was used last.
    searches: u64,
}

/// A table, and what changed since it was made.
#[derive(Debug)]
struct Kept {
    table: Table,
    recent: FxHashMap<RecordId, Box<str>>,
    recent_bytes: usize,
    used: u64,
    /// Who began to make it.
    maker: u64,
}

#[derive(Clone, Debug)]
enum Table {
    /// Somebody is making it.
    Making,
    Made(Arc<Rows>),
    TooLarge,
}

/// Texts one after the other, each followed by a line break.
#[derive(Debug, Default)]
struct Rows {
    ids: Vec<RecordId>,
    ends: Vec<u32>,
    text: Vec<u8>,
}

impl Rows {
    fn push(&mut self, id: RecordId, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
        self.text.push(b'\n');
        self.ids.push(id);
        self.ends.push(self.text.len() as u32);
    }

    fn bytes(&self) -> usize {
        self.text.len() + self.ids.len() * (size_of::<RecordId>() + size_of::<u32>())
    }

    /// Shows the ids of the rows that hold the needle until it is told to stop.
    fn find(&self, needle: &memmem::Finder<'_>, mut show: impl FnMut(RecordId) -> bool) {
        let mut from = 0;
        while let Some(at) = needle.find(&self.text[from..]) {
            let row = self.ends.partition_point(|end| (*end as usize) <= from + at);
            if !show(self.ids[row]) {
                return;
            }
            from = self.ends[row] as usize;
        }
    }
}

impl Kept {
    fn bytes(&self) -> usize {
        let made = if let Table::Made(rows) = &self.table { rows.bytes() } else { 0 };
        made + self.recent_bytes
    }

    fn note(&mut self, id: RecordId, text: &str) {
        self.recent_bytes += text.len() + RECENT_BYTES;
        if let Some(before) = self.recent.insert(id, text.into()) {
            self.recent_bytes -= before.len() + RECENT_BYTES;
        }
    }

    /// Makes one table of the table and what changed since.
    fn settle(&mut self) {
        let Table::Made(rows) = &self.table else { return };
        if self.recent.len() < RECENT_MIN.max(rows.ids.len() / 8) {
            return;
        }
        let mut settled = Rows::default();
        let mut start = 0;
        for (id, end) in rows.ids.iter().zip(&rows.ends) {
            let text = &rows.text[start..*end as usize - 1];
            start = *end as usize;
            if !self.recent.contains_key(id)
                && let Ok(text) = std::str::from_utf8(text)
            {
                settled.push(*id, text);
            }
        }
        self.recent.drain().for_each(|(id, text)| settled.push(id, &text));
        self.recent_bytes = 0;
        self.table = Table::Made(Arc::new(settled));
    }
}

impl Texts {
    /// Bounds the bytes of all tables together.
    pub fn keep_within(&self, bytes_max: usize) {
        self.held.lock().bytes_max = bytes_max.min(u32::MAX as usize);
    }

    /// Takes in what a checkpoint has brought into place. To be called after its commit and before memory lets go of it.
    pub fn note(&self, overlay: &Overlay) {
        let mut held = self.held.lock();
        if held.tables.is_empty() {
            return;
        }
        for (key, slot) in overlay.profiles.iter() {
            if let Some(kept) = held.tables.get_mut(&(key.workspace, key.kind)) {
                match kept.table {
                    Table::Making | Table::Made(_) => kept.note(key.id, &find::searchable(&slot.profile)),
                    Table::TooLarge => {}
                }
            }
        }
        held.tables.values_mut().for_each(Kept::settle);
        held.keep_bound(None);
    }

    /// Forgets everything about a workspace.
    pub fn forget(&self, workspace: WorkspaceId) {
        self.held.lock().tables.retain(|(of, _), _| *of != workspace);
    }

    /// The records on disk whose texts hold a folded needle, if a table can tell and there are at most so many.
    pub fn find(&self, state: &State, of: Of, needle: &str, most: usize) -> Result<Option<Vec<RecordId>>, ReadError> {
        if needle.is_empty() || needle.contains('\n') {
            return Ok(None);
        }
        if let Some(maker) = self.begin(of) {
            let bytes_max = self.held.lock().bytes_max;
            match make(state, of, bytes_max) {
                Ok(made) => self.keep(of, maker, made),
                Err(fault) => {
                    self.held.lock().tables.remove(&of);
                    return Err(fault);
                }
            }
        }
        let finder = memmem::Finder::new(needle);
        let mut found = Vec::new();
        let rows = {
            let mut held = self.held.lock();
            let searches = held.searches;
            let Some(kept) = held.tables.get_mut(&of) else { return Ok(None) };
            let Table::Made(rows) = &kept.table else { return Ok(None) };
            let rows = Arc::clone(rows);
            kept.used = searches;
            let recent = kept.recent.iter().filter(|(_, text)| finder.find(text.as_bytes()).is_some());
            found.extend(recent.map(|(id, _)| *id).take(most + 1));
            rows
        };
        rows.find(&finder, |id| {
            found.push(id);
            found.len() <= most
        });
        Ok((found.len() <= most).then_some(found))
    }

    /// Begins to make a table that there is not; what changes from now on is noted for it.
    fn begin(&self, of: Of) -> Option<u64> {
        let mut held = self.held.lock();
        held.searches += 1;
        let maker = held.searches;
        if held.tables.contains_key(&of) {
            return None;
        }
        let (table, recent) = (Table::Making, FxHashMap::default());
        held.tables.insert(of, Kept { table, recent, recent_bytes: 0, used: maker, maker });
        Some(maker)
    }

    /// Keeps a table, unless it was let go of since it was begun.
    fn keep(&self, of: Of, maker: u64, made: Option<Rows>) {
        let mut held = self.held.lock();
        let Some(kept) = held.tables.get_mut(&of).filter(|kept| kept.maker == maker) else { return };
        kept.table = made.map_or(Table::TooLarge, |rows| Table::Made(Arc::new(rows)));
        kept.settle();
        held.keep_bound(Some(of));
    }
}

impl Held {
    /// Lets go of tables until the bound is kept, that one last and as being too large.
    fn keep_bound(&mut self, last: Option<Of>) {
        while self.tables.values().map(Kept::bytes).sum::<usize>() > self.bytes_max {
            let others = self.tables.iter().filter(|(of, kept)| Some(**of) != last && kept.bytes() > 0);
            match others.min_by_key(|(_, kept)| kept.used).map(|(of, _)| *of) {
                Some(oldest) => {
                    self.tables.remove(&oldest);
                }
                None => {
                    for kept in self.tables.values_mut() {
                        (kept.table, kept.recent, kept.recent_bytes) = (Table::TooLarge, FxHashMap::default(), 0);
                    }
                }
            }
        }
    }
}

/// Reads a table, unless it has more bytes than that.
fn make(state: &State, (workspace, kind): Of, bytes_max: usize) -> Result<Option<Rows>, ReadError> {
    let mut rows = Rows::default();
    let prefix = keys::list_prefix(workspace, kind);
    for entry in state.database.snapshot().prefix(&state.profiles, prefix) {
        let value = entry.value().map_err(|error| state_failed(&error))?;
        let profile = codec::profile::decode(&value).map_err(|_| damaged("a profile"))?;
        rows.push(profile.id, &find::searchable(&profile));
        if rows.bytes() > bytes_max {
            return Ok(None);
        }
    }
    Ok(Some(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rows: &Rows, needle: &str) -> Vec<u128> {
        let mut found = Vec::new();
        rows.find(&memmem::Finder::new(needle), |id| {
            found.push(id.0);
            true
        });
        found
    }

    #[test]
    fn rows_are_found_by_any_part_of_them() {
        let mut rows = Rows::default();
        for (id, text) in [(7, "ada\nada@example.com\nu-1"), (3, "bea bea"), (9, ""), (1, "cid")] {
            rows.push(RecordId(id), text);
        }
        assert_eq!(found(&rows, "a"), [7, 3]);
        assert_eq!(found(&rows, "bea"), [3]);
        assert_eq!(found(&rows, "u-1"), [7]);
        assert_eq!(found(&rows, "cid"), [1]);
        assert_eq!(found(&rows, "dada"), [0; 0]);
    }

    #[test]
    fn a_table_takes_changes_in() {
        let mut rows = Rows::default();
        (0..20_000).for_each(|id| rows.push(RecordId(id), "old"));
        let table = Table::Made(Arc::new(rows));
        let mut kept = Kept { table, recent: FxHashMap::default(), recent_bytes: 0, used: 0, maker: 0 };
        (10_000..30_000).for_each(|id| kept.note(RecordId(id), "new"));
        kept.settle();
        assert_eq!((kept.recent.len(), kept.recent_bytes), (0, 0));
        let Table::Made(rows) = &kept.table else { panic!("a table was made") };
        let mut new = found(rows, "new");
        new.sort_unstable();
        assert!(new.into_iter().eq(10_000..30_000));
        assert!(found(rows, "old").into_iter().eq(0..10_000));
    }

    #[test]
    fn the_bound_is_kept() {
        let texts = Texts::default();
        texts.keep_within(1_000);
        let of = |workspace| (WorkspaceId(workspace), RecordKind::User);
        for (workspace, rows, tables) in [(1, 20, 1), (2, 20, 2), (3, 20, 2), (4, 60, 1)] {
            let maker = texts.begin(of(workspace)).unwrap();
            let mut made = Rows::default();
            (0..rows).for_each(|id| made.push(RecordId(id), "x"));
            texts.keep(of(workspace), maker, Some(made));
            let held = texts.held.lock();
            assert_eq!(held.tables.len(), tables, "after {workspace}");
            assert!(held.tables.values().map(Kept::bytes).sum::<usize>() <= 1_000);
        }
    }
}
