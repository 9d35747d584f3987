//! Records that a message taken back named, made anew from the messages that are left.
//!
//! What is taken out, what is heard again and what is doubted is worked out beside the seam ([`muster_store::deletion::renewal`]);
//! here the messages are read, from history and overlays, and the live overlay is changed.

use std::sync::Arc;

use muster_history::{
    error::not_a_record,
    find,
    manifest::{Manifest, Segment, unreadable},
    restore::{self, Rows},
};
use muster_model::{
    change,
    deletion::Subject,
    id::{IdSpace, WorkspaceId},
};
use muster_store::{
    deletion::{
        Wipe,
        renewal::{Heard, doubt, taken_out},
    },
    error::ReadError,
    record,
};
use rustc_hash::FxHashSet;

use super::{
    apply::Ready,
    there::{BEGINNINGS_MAX, There, overtaken},
};
use crate::{
    overlay::Overlay,
    records::Standing,
    views::{Current, Views},
    writer::{apply::Places, ledger::OverlayLedger},
};

/// Makes records anew. `false`, with nothing changed, when the messages to hear again are more bytes than may be held.
pub fn renew(views: &Views, workspace: WorkspaceId, subjects: &[Subject], bytes_max: usize) -> Result<bool, ReadError> {
    let ids = views.id_space(workspace)?;
    let wanted = subjects.iter().map(|(_, id)| *id).collect();
    let heard = Heard::new(wanted, views.tombstones.of(workspace).unwrap_or_default());
    let mut reading = Reading { workspace, ids, heard, read: FxHashSet::default(), bytes_max };
    for _ in 0..BEGINNINGS_MAX {
        let deleted = views.tombstones.of(workspace).unwrap_or_default();
        if reading.heard.begin(&deleted) {
            reading.read.clear();
        }
        let there = There::look(views, workspace);
        reading.files(&there.manifest, subjects)?;
        if let Some(frozen) = &there.frozen {
            reading.overlay(frozen, 0)?;
        }
        for row in there.rows.iter() {
            reading.heard.take(record::decode(row).map_err(not_a_record("an overlay"))?);
        }
        if reading.is_too_much() {
            return Ok(false);
        }
        // The writer waits from here on; what it did meanwhile is little.
        let _alone = views.correcting.lock();
        let changes = {
            let current = views.look();
            let now = views.tombstones.of(workspace).unwrap_or_default();
            if current.freezes != there.freezes || *deleted != *now {
                continue;
            }
            reading.overlay(&current.live, there.rows_read)?;
            let records = Standing { workspace, current: &current, state: &views.state };
            Wipe::plan(records, &taken_out(subjects.to_vec()))?
        };
        let changes = Ready::new(workspace, changes);
        return views.change(|current| {
            changes.apply(&mut current.live);
            reading.hear_again(views, current)?;
            let doubted = doubt(Standing { workspace, current, state: &views.state }, subjects)?;
            Ready::new(workspace, doubted).apply(&mut current.live);
            Ok(true)
        });
    }
    Err(overtaken())
}

/// Messages that name one of the records, and what was read for them so far.
struct Reading {
    workspace: WorkspaceId,
    ids: IdSpace,
    heard: Heard,
    /// Files that were read.
    read: FxHashSet<u64>,
    /// How many bytes may be held.
    bytes_max: usize,
}

impl Reading {
    fn is_too_much(&self) -> bool {
        self.heard.bytes() > self.bytes_max
    }

    fn files(&mut self, manifest: &Manifest, subjects: &[Subject]) -> Result<(), ReadError> {
        let filter = find::filter(subjects.iter().copied());
        let segments: Vec<Arc<Segment>> = manifest.of(self.workspace).cloned().collect();
        for segment in segments {
            if !self.read.insert(segment.id) || !find::may_hold(&segment, filter.as_ref())? {
                continue;
            }
            for batch in restore::batches(&segment, None)? {
                if self.is_too_much() {
                    return Ok(());
                }
                let batch = batch?;
                let odd = || unreadable(&segment, &"unexpected columns");
                let rows = Rows::of(&batch).ok_or_else(odd)?;
                for row in 0..batch.num_rows() {
                    if rows.subjects(row, self.ids).iter().flatten().any(|(_, id)| self.heard.wanted().contains(id)) {
                        self.heard.take(rows.message(row, self.ids).ok_or_else(odd)?);
                    }
                }
            }
        }
        Ok(())
    }

    fn overlay(&mut self, overlay: &Overlay, from: usize) -> Result<(), ReadError> {
        let workspace = self.workspace;
        for row in overlay.rows()[from..].iter().filter(|row| row.workspace == workspace) {
            self.heard.take(record::decode(overlay.row_slice(*row)).map_err(not_a_record("an overlay"))?);
        }
        Ok(())
    }

    fn hear_again(self, views: &Views, current: &mut Current) -> Result<(), ReadError> {
        let (workspace, state) = (self.workspace, &views.state);
        for bytes in self.heard.into_records() {
            let message = record::decode(&bytes).map_err(not_a_record("an overlay"))?;
            let (frozen, live) = (current.frozen.as_deref(), &mut current.live);
            let mut ledger = OverlayLedger { workspace, live, frozen, state, places: Places::default() };
            change::apply(&mut ledger, &message)?;
        }
        Ok(())
    }
}
