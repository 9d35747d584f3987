//! Correcting records that stay, from the messages that are left.
//!
//! What needs it, and what follows from which messages, is worked out beside the seam ([`muster_store::deletion::correction`]); here
//! the messages are read, from history and overlays, and the changes made in the live overlay.

use std::sync::Arc;

use muster_history::{
    error::not_a_record,
    find,
    manifest::{Manifest, Segment},
    restore::{self, Rows},
};
use muster_model::{
    change::apply,
    id::{IdSpace, WorkspaceId},
};
use muster_store::{
    deletion::{Concerned, Correction, Instants},
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
    records::{Now, Standing},
    views::{Current, Views},
    writer::{apply::Places, ledger::OverlayLedger},
};

/// A correction, and what was read for it so far.
pub struct Rebuild<'v> {
    views: &'v Views,
    workspace: WorkspaceId,
    ids: IdSpace,
    correction: Correction,
    read: FxHashSet<u64>,
}

impl<'v> Rebuild<'v> {
    /// Starts with the records that need it.
    pub fn new(
        views: &'v Views,
        workspace: WorkspaceId,
        deleted: Arc<Instants>,
        concerned: &Concerned,
    ) -> Result<Rebuild<'v>, ReadError> {
        let ids = views.id_space(workspace)?;
        let correction = Correction::new(Now { views, workspace }, deleted, concerned)?;
        Ok(Rebuild { views, workspace, ids, correction, read: FxHashSet::default() })
    }

    /// Whether nothing needs to be corrected.
    pub fn is_empty(&self) -> bool {
        self.correction.is_empty()
    }

    /// Reads what there is and corrects the live overlay.
    pub fn correct(mut self) -> Result<(), ReadError> {
        let (views, workspace) = (self.views, self.workspace);
        for _ in 0..BEGINNINGS_MAX {
            let deleted = views.tombstones.of(workspace).unwrap_or_default();
            if self.correction.begin(&deleted) {
                self.read.clear();
            }
            let there = There::look(views, workspace);
            self.read_files(&there.manifest)?;
            if let Some(frozen) = &there.frozen {
                self.read_overlay(frozen, 0)?;
            }
            for row in there.rows.iter() {
                self.correction.take(record::decode(row).map_err(not_a_record("an overlay"))?);
            }
            // The writer waits from here on; what it did meanwhile is little.
            let _alone = views.correcting.lock();
            let changes = {
                let current = views.look();
                let now = views.tombstones.of(workspace).unwrap_or_default();
                if current.freezes != there.freezes || !Arc::ptr_eq(&deleted, &now) {
                    continue;
                }
                self.read_overlay(&current.live, there.rows_read)?;
                self.correction.changes(Standing { workspace, current: &current, state: &views.state })?
            };
            let changes = Ready::new(workspace, changes);
            let mut correction = self.correction;
            return views.change(|current| {
                changes.apply(&mut current.live);
                let follows = correction.corrected(Standing { workspace, current, state: &views.state })?;
                Ready::new(workspace, follows).apply(&mut current.live);
                correction.into_heard_again().try_for_each(|record| hear_again(workspace, views, current, &record))
            });
        }
        Err(overtaken())
    }

    fn read_files(&mut self, manifest: &Manifest) -> Result<(), ReadError> {
        let segments: Vec<Arc<Segment>> = manifest.of(self.workspace).cloned().collect();
        let (subjects, wanted) = (self.correction.subjects(), self.correction.wanted());
        for segment in segments {
            if !self.read.insert(segment.id) {
                continue;
            }
            let groups = find::groups_naming(&segment, self.ids, &subjects)?;
            if groups.is_empty() {
                continue;
            }
            for batch in restore::batches(&segment, Some(groups))? {
                let batch = batch?;
                let odd = || muster_history::manifest::unreadable(&segment, &"unexpected columns");
                let rows = Rows::of(&batch).ok_or_else(odd)?;
                for row in 0..batch.num_rows() {
                    if rows.subjects(row, self.ids).iter().flatten().any(|(_, id)| wanted.contains(id)) {
                        self.correction.take(rows.message(row, self.ids).ok_or_else(odd)?);
                    }
                }
            }
        }
        Ok(())
    }

    fn read_overlay(&mut self, overlay: &Overlay, from: usize) -> Result<(), ReadError> {
        let workspace = self.workspace;
        for row in overlay.rows()[from..].iter().filter(|row| row.workspace == workspace) {
            self.correction.take(record::decode(overlay.row_slice(*row)).map_err(not_a_record("an overlay"))?);
        }
        Ok(())
    }
}

/// Hears a message again whose effects on others were taken back.
fn hear_again(workspace: WorkspaceId, views: &Views, current: &mut Current, bytes: &[u8]) -> Result<(), ReadError> {
    // More may have been deleted since it was read.
    let deleted = views.tombstones.of(workspace).unwrap_or_default();
    let message = record::decode(bytes).map_err(not_a_record("an overlay"))?;
    let Some(message) = message.left(|id, reach| deleted.hides(id, reach)) else { return Ok(()) };
    let (frozen, live) = (current.frozen.as_deref(), &mut current.live);
    let mut ledger = OverlayLedger { workspace, live, frozen, state: &views.state, places: Places::default() };
    apply(&mut ledger, &message)
}
