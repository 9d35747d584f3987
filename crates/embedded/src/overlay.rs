//! What has been applied since the last checkpoint, in memory.
//!
//! One overlay is live and takes changes; at a checkpoint it is frozen and a new one takes its place. Readers look
//! into the live one, then the frozen one, then the disk. An overlay's size is bounded by the checkpoint settings.

use std::collections::BTreeMap;

use bytes::Bytes;
use muster_model::{
    association::Statement,
    deletion::DeletionId,
    id::{Identity, ImportId, RecordId, WorkspaceId},
    kind::RecordKind,
    message::Message,
    time::Micros,
};
use muster_store::{
    deletion::Deletion,
    import::{Import, TakenBack},
    record::{self, NotARecord},
    records,
    refused::{Refused, RefusedCursor, RefusedId},
};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    keys::ProfileKey,
    slots::{LINK_BYTES, SlotNumber, Slots},
    writer::known::{IdentityKey, Known},
};

/// A profile that was deleted; whatever lies below this overlay of it does not count.
#[derive(Clone, Debug, Default)]
pub struct Gone {
    /// Rows that named the record before it was deleted; some may start it anew.
    pub rows: Vec<u32>,
}

/// Children below an overlay that do not count any more.
#[derive(Clone, Debug)]
pub enum HiddenChildren {
    All,
    These(FxHashSet<(RecordKind, RecordId)>),
}

/// Where the bytes of one applied message lie, and what it is sorted by later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub workspace: WorkspaceId,
    buffer: u32,
    start: u32,
    end: u32,
    pub timestamp: Micros,
    /// The account and the user that it names.
    pub account: Option<SlotNumber>,
    pub user: Option<SlotNumber>,
}

/// Bytes that a row takes besides its message: its place, half as much again while the list of them grows, its number
/// with a record or two, and its identity among those that are not on disk yet.
const ROW_BYTES: usize = size_of::<Row>() * 3 / 2 + 2 * LINK_BYTES + size_of::<(IdentityKey, Known)>() + 8;

/// What a row is sorted by, besides its workspace.
#[derive(Clone, Copy, Debug)]
pub struct RowPlace {
    pub timestamp: Micros,
    pub account: Option<SlotNumber>,
    pub user: Option<SlotNumber>,
}

/// Some rows of an overlay, with the buffers that they lie in; good without the overlay.
#[derive(Clone, Debug, Default)]
pub struct SharedRows {
    rows: Vec<(Micros, usize, std::ops::Range<usize>)>,
    buffers: Vec<Bytes>,
}

impl SharedRows {
    /// The bytes of each row's message, in the order applied.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.rows.len()).map(|number| self.get(number))
    }

    /// The bytes of one row's message.
    pub fn get(&self, number: usize) -> &[u8] {
        let (_, buffer, place) = &self.rows[number];
        &self.buffers[*buffer][place.clone()]
    }

    /// The timestamp of each row.
    pub fn timestamps(&self) -> impl Iterator<Item = Micros> {
        self.rows.iter().map(|(at, _, _)| *at)
    }
}

/// The rows of one workspace, with the buffers they lie in: what a reader keeps after letting go of the lock.
#[derive(Clone, Debug, Default)]
pub struct KeptRows {
    rows: Vec<Row>,
    buffers: Vec<Bytes>,
}

impl KeptRows {
    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// A row's message.
    pub fn message(&self, row: usize) -> Result<Message<'_>, NotARecord> {
        let row = self.rows[row];
        record::decode(&self.buffers[row.buffer as usize][row.start as usize..row.end as usize])
    }
}

/// The user a statement is about, in a workspace, with the kind of the parents; where those are users, an anonymous id.
pub type StatementsKey = (WorkspaceId, RecordKind, RecordId);

/// Bytes that a statement takes in memory, about; and the first one of a record besides, in tables that are three quarters
/// full.
const STATEMENT_BYTES: usize = size_of::<Statement>();
const STATEMENTS_BYTES: usize = size_of::<(StatementsKey, Vec<Statement>)>() * 4 / 3 + 32;

/// The record that statements are about.
pub fn told_of((workspace, parents, id): StatementsKey) -> ProfileKey {
    let (kind, id) = records::told_of(id, parents);
    ProfileKey::new(workspace, kind, id)
}

/// Bytes that an import takes in memory, at the most roughly.
const IMPORT_BYTES: usize = 2_048;
/// The same for a message that was taken back.
const TAKEN_BYTES: usize = 64;

/// Changes since the last checkpoint.
#[derive(Debug, Default)]
pub struct Overlay {
    pub profiles: Slots,
    pub statements: FxHashMap<StatementsKey, Vec<Statement>>,
    /// Children by parent.
    pub children: FxHashMap<ProfileKey, FxHashSet<(RecordKind, RecordId)>>,
    pub refused: BTreeMap<(WorkspaceId, std::cmp::Reverse<RefusedCursor>), Refused<'static>>,
    pub refused_ids: FxHashMap<(WorkspaceId, RefusedId), RefusedCursor>,
    /// Messages set aside below this overlay that were resent or dropped.
    pub forgotten: FxHashSet<(WorkspaceId, RefusedId)>,
    /// Records deleted since this overlay began; whatever lies below of them does not count. A record that was named
    /// again since is in `profiles` as well.
    pub gone: FxHashMap<ProfileKey, Gone>,
    /// Children below this overlay that do not count any more, by parent.
    pub unrelated: FxHashMap<ProfileKey, FxHashSet<(RecordKind, RecordId)>>,
    /// Parents about whom nothing below this overlay counts any more, by whom it was said of.
    pub unsaid: FxHashMap<StatementsKey, FxHashSet<RecordId>>,
    /// Deletions that were made or went on.
    pub deletions: FxHashMap<(WorkspaceId, DeletionId), Deletion>,
    /// Imports that were begun or went on; nothing of one that is forgotten.
    pub imports: FxHashMap<(WorkspaceId, ImportId), Option<Import>>,
    /// Messages taken back with an import; the rows of them that are to go lie in files.
    pub taken: FxHashSet<(WorkspaceId, ImportId, Identity)>,
    /// Some of it was in the journal at the start: a checkpoint may have begun to bring that into place.
    pub brought_back: bool,
    rows: Vec<Row>,
    buffers: Vec<Bytes>,
    bytes: usize,
}

impl Overlay {
    /// An overlay to come after another, with room for about as much.
    pub fn after(before: &Overlay) -> Overlay {
        Overlay {
            profiles: Slots::after(&before.profiles),
            rows: Vec::with_capacity(before.rows.len()),
            ..Overlay::default()
        }
    }

    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.refused.is_empty()
            && self.forgotten.is_empty()
            && self.deletions.is_empty()
            && self.imports.is_empty()
            && self.taken.is_empty()
            && self.profiles.is_empty()
            && self.gone.is_empty()
            && self.unrelated.is_empty()
            && self.unsaid.is_empty()
    }

    /// Keeps the present state of a deletion.
    pub fn keep_deletion(&mut self, workspace: WorkspaceId, deletion: Deletion) {
        self.bytes += 512 + deletion.erasure().map_or(0, |erasure| 17 * erasure.subjects.len());
        self.deletions.insert((workspace, deletion.id), deletion);
    }

    /// Keeps which messages were taken back.
    pub fn keep_taken(&mut self, workspace: WorkspaceId, taken: &TakenBack<'_>) {
        let before = self.taken.len();
        self.taken.extend(taken.identities().map(|identity| (workspace, taken.id, identity)));
        self.bytes += (self.taken.len() - before) * TAKEN_BYTES;
    }

    /// Keeps the present state of an import, or that there is none.
    pub fn keep_import(&mut self, workspace: WorkspaceId, id: ImportId, import: Option<Import>) {
        if self.imports.insert((workspace, id), import).is_none() {
            self.bytes += IMPORT_BYTES;
        }
    }

    /// Children of one kind that this overlay adds.
    pub fn children_of(&self, parent: &ProfileKey, kind: RecordKind) -> Vec<RecordId> {
        let children = self.children.get(parent).into_iter().flatten();
        children.filter(|(child, _)| *child == kind).map(|(_, id)| *id).collect()
    }

    /// Which children of a record below this overlay do not count any more.
    pub fn hidden_children(&self, parent: &ProfileKey) -> HiddenChildren {
        match self.gone.contains_key(parent) {
            true => HiddenChildren::All,
            false => HiddenChildren::These(self.unrelated.get(parent).cloned().unwrap_or_default()),
        }
    }

    /// Whether a child below this overlay does not count any more.
    pub fn hides_child(&self, parent: &ProfileKey, child: (RecordKind, RecordId)) -> bool {
        self.gone.contains_key(parent) || self.unrelated.get(parent).is_some_and(|children| children.contains(&child))
    }

    /// Keeps what was said about a record and a parent.
    pub fn keep_statement(&mut self, key: StatementsKey, statement: Statement) {
        let kept = self.statements.entry(key).or_default();
        let first = kept.is_empty();
        if first {
            kept.reserve_exact(1);
        }
        kept.push(statement);
        self.bytes += STATEMENT_BYTES + if first { STATEMENTS_BYTES } else { 0 };
    }

    /// Whether a statement below this overlay does not count any more.
    pub fn hides_statement(&self, key: &StatementsKey, parent: RecordId) -> bool {
        self.gone.contains_key(&told_of(*key)) || self.unsaid.get(key).is_some_and(|parents| parents.contains(&parent))
    }

    /// Rows applied.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// A rough count of the bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Counts bytes that a change added.
    pub fn grow(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// Keeps a buffer that rows will lie in.
    pub fn keep_buffer(&mut self, buffer: &Bytes) -> u32 {
        self.bytes += buffer.len();
        self.buffers.push(buffer.clone());
        (self.buffers.len() - 1) as u32
    }

    /// Keeps a message whose bytes lie in a kept buffer.
    pub fn keep_row(&mut self, workspace: WorkspaceId, buffer: u32, record: &[u8], place: RowPlace) -> u32 {
        let base = self.buffers[buffer as usize].as_ptr() as usize;
        let start = record.as_ptr() as usize - base;
        let (start, end) = (start as u32, (start + record.len()) as u32);
        let RowPlace { timestamp, account, user } = place;
        let row = Row { workspace, buffer, start, end, timestamp, account, user };
        debug_assert!(row.end as usize <= self.buffers[buffer as usize].len());
        self.bytes += ROW_BYTES;
        self.rows.push(row);
        (self.rows.len() - 1) as u32
    }

    /// Rows to be read without the overlay. Their buffers are shared, not copied.
    pub fn share(&self, mut rows: Vec<Row>) -> SharedRows {
        rows.sort_unstable_by_key(|row| (row.buffer, row.start));
        rows.dedup_by_key(|row| (row.buffer, row.start));
        let mut shared = SharedRows { rows: Vec::with_capacity(rows.len()), buffers: Vec::new() };
        let mut last = None;
        for row in rows {
            if last != Some(row.buffer) {
                shared.buffers.push(self.buffers[row.buffer as usize].clone());
                last = Some(row.buffer);
            }
            let place = row.start as usize..row.end as usize;
            shared.rows.push((row.timestamp, shared.buffers.len() - 1, place));
        }
        shared
    }

    /// The rows of one workspace.
    pub fn rows_of(&self, workspace: WorkspaceId) -> KeptRows {
        let rows = self.rows.iter().filter(|row| row.workspace == workspace).copied().collect();
        KeptRows { rows, buffers: self.buffers.clone() }
    }

    /// The bytes of a row's message, borrowed.
    pub fn row_slice(&self, row: Row) -> &[u8] {
        &self.buffers[row.buffer as usize][row.start as usize..row.end as usize]
    }

    /// Counts what profiles grew by.
    pub fn weigh(&mut self, numbers: impl Iterator<Item = SlotNumber>) {
        self.bytes += numbers.map(|number| self.profiles.at_mut(number).grown_bytes()).sum::<usize>();
    }

    /// The tracks that name a record, and the messages that tell of it.
    pub fn rows_about(&self, key: &ProfileKey) -> impl Iterator<Item = Row> {
        let rows = self.profiles.get(key).map(|slot| self.profiles.rows(slot));
        rows.into_iter().flatten().map(|row| self.rows[row as usize])
    }

    /// Sets a message aside. The same one again is kept once.
    pub fn keep_refused(&mut self, workspace: WorkspaceId, refused: Refused<'static>) {
        let cursor = RefusedCursor { received_at: refused.received_at, id: refused.id };
        if self.refused_ids.contains_key(&(workspace, refused.id)) {
            return;
        }
        self.bytes += refused.body.len() + refused.reason.len() + 256;
        self.refused_ids.insert((workspace, refused.id), cursor);
        self.refused.insert((workspace, std::cmp::Reverse(cursor)), refused);
    }

    /// Takes a message back out of those set aside.
    pub fn forget_refused(&mut self, workspace: WorkspaceId, id: RefusedId) {
        if let Some(cursor) = self.refused_ids.remove(&(workspace, id)) {
            self.refused.remove(&(workspace, std::cmp::Reverse(cursor)));
        }
        self.forgotten.insert((workspace, id));
        self.bytes += 64;
    }
}
