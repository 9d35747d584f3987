//! Tables of texts, within a bound in bytes, and what searches found in them.
//!
//! A table that is too large by itself is none; one that has no room beside others takes it from the one that was searched
//! longest ago. Each change of a text gives its table another number. Never reads a record itself.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
};

use muster_model::id::RecordId;
use rustc_hash::FxHashMap;

use super::{
    finds::{Finds, Of},
    folded::{Recent, Rows, Times},
};

/// Changed records that a table is made anew from, at least.
const RECENT_MIN: usize = 10_000;
/// The part of a table's records that may have changed before it is made anew, if that is more.
const RECENT_PART: usize = 32;
/// Bytes that a changed record takes besides its text, roughly.
const RECENT_BYTES: usize = 64;

/// A table, and what changed since it was made.
pub type Unsettled = (Arc<Rows>, Arc<Recent>);

/// All of them.
#[derive(Debug, Default)]
pub struct Held {
    pub bytes_max: usize,
    pub tables: FxHashMap<Of, Kept>,
    /// Counts searches, tables and changes of texts, for telling them apart and which table was used last.
    pub count: u64,
    pub finds: Arc<Finds>,
    pub makers: Vec<JoinHandle<()>>,
    /// Searches that wait for a table.
    pub waiting: usize,
}

/// A table, and what changed since it was made.
#[derive(Debug)]
pub struct Kept {
    pub table: Table,
    pub recent: Arc<Recent>,
    pub recent_bytes: usize,
    /// The number of the last change of its texts, or of the rows that they stand in.
    pub change: u64,
    /// Zero if nobody has searched it yet.
    pub used: u64,
    /// Whether somebody waits for it.
    pub hurried: bool,
    /// Who began to make it.
    pub maker: u64,
}

#[derive(Clone, Debug)]
pub enum Table {
    /// Somebody is making it.
    Making,
    Made(Arc<Rows>),
    TooLarge,
}

impl Kept {
    pub fn bytes(&self) -> usize {
        let made = if let Table::Made(rows) = &self.table { rows.bytes() } else { 0 };
        made + self.recent_bytes
    }

    /// Notes the times that a record has now, and its text if it is another one; whether it is.
    pub fn note(&mut self, id: RecordId, text: &str, times: Times) -> bool {
        let known = match (self.recent.get(&id), &self.table) {
            (_, Table::TooLarge) => return false,
            (Some((known, _)), _) => Some(known.as_bytes()),
            (None, Table::Made(rows)) => rows.renew(id, times),
            (None, Table::Making) => None,
        };
        let is_new = known != Some(text.as_bytes());
        if !is_new && !self.recent.contains_key(&id) {
            return false;
        }
        self.recent_bytes += text.len() + RECENT_BYTES;
        if let Some((before, _)) = Arc::make_mut(&mut self.recent).insert(id, (text.into(), times)) {
            self.recent_bytes -= before.len() + RECENT_BYTES;
        }
        is_new
    }

    /// The table, if so much has changed since that one is to be made of both.
    pub fn unsettled(&self) -> Option<Unsettled> {
        let Table::Made(rows) = &self.table else { return None };
        let much = self.recent.len() >= RECENT_MIN.max(rows.count() / RECENT_PART);
        much.then(|| (Arc::clone(rows), Arc::clone(&self.recent)))
    }
}

impl Held {
    /// A number that was not there before.
    pub fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    pub fn bytes(&self) -> usize {
        self.tables.values().map(Kept::bytes).sum()
    }

    pub fn begin(&mut self, of: Of, maker: u64, used: u64) {
        let (table, recent) = (Table::Making, Arc::default());
        self.tables.insert(of, Kept { table, recent, recent_bytes: 0, change: maker, used, hurried: false, maker });
    }

    /// Keeps a table that was read, unless it was let go of since it was begun.
    pub fn keep(&mut self, of: Of, maker: u64, made: Option<Rows>) {
        if let Some(kept) = self.tables.get_mut(&of).filter(|kept| kept.maker == maker) {
            kept.table = made.map_or(Table::TooLarge, |rows| Table::Made(Arc::new(rows)));
            self.keep_bound(Some(of));
        }
    }

    /// Lets go of a table that was begun.
    pub fn drop_begun(&mut self, maker: u64) {
        self.tables.retain(|_, kept| kept.maker != maker);
    }

    /// Begins a thread that reads; whether there is one.
    pub fn spawn(&mut self, work: impl FnOnce() + Send + 'static) -> bool {
        self.makers.retain(|maker| !maker.is_finished());
        match thread::Builder::new().name("muster-texts".to_owned()).spawn(work) {
            Ok(maker) => {
                self.makers.push(maker);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "no thread to read the texts of searches; they follow the order of lists");
                false
            }
        }
    }

    /// Notes texts that may have changed.
    pub fn note(&mut self, some: &[(Of, RecordId, String, Times)]) {
        let now = self.next();
        for (of, id, text, times) in some {
            let Some(kept) = self.tables.get_mut(of) else { continue };
            if kept.note(*id, text, *times) && kept.change != now {
                kept.change = now;
                self.finds.forget(*of);
            }
        }
    }

    /// Lets go of tables until the bound is kept, that one last and as being too large.
    pub fn keep_bound(&mut self, last: Option<Of>) {
        while self.bytes() > self.bytes_max {
            let others = self.tables.iter().filter(|(of, kept)| Some(**of) != last && kept.bytes() > 0);
            match others.min_by_key(|(_, kept)| kept.used).map(|(of, _)| *of) {
                Some(oldest) => {
                    self.tables.remove(&oldest);
                }
                None => {
                    for kept in self.tables.values_mut() {
                        (kept.table, kept.recent, kept.recent_bytes) = (Table::TooLarge, Arc::default(), 0);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_model::{id::WorkspaceId, kind::RecordKind};

    use super::*;

    #[test]
    fn the_bound_is_kept() {
        let mut held = Held { bytes_max: 1_000, ..Held::default() };
        for (workspace, count, tables) in [(1, 10, 1), (2, 10, 2), (3, 10, 2), (4, 30, 1)] {
            let of = (WorkspaceId(workspace), RecordKind::User);
            held.begin(of, u64::from(workspace), u64::from(workspace));
            held.keep(of, u64::from(workspace), Some(Rows::of_texts((0..count).map(|id| (id, "x")))));
            assert_eq!(held.tables.len(), tables, "after {workspace}");
            assert!(held.bytes() <= 1_000);
        }
    }
}
