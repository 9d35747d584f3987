//! Carrying out a decree.
//!
//! Only the writer does, and a replay. Readers see all of it or none.

use muster_history::{error::not_a_record, restore};
use muster_model::{
    change,
    deletion::Subject,
    id::{IdSpace, RecordId, WorkspaceId},
    kinds::fields::named,
    message::Message,
};
use muster_store::{
    deletion::{Decree, Delete, Deletion, Instants, Wipe},
    error::ReadError,
    record,
};
use rustc_hash::FxHashSet;

use super::{apply::Ready, known::deletion};
use crate::{
    records::Standing,
    views::{Current, Views},
    writer::{apply::Places, ledger::OverlayLedger},
};

/// Carries out a decree; `true` when there are bytes to remove now.
pub fn carry_out(workspace: WorkspaceId, decree: Decree, views: &Views) -> Result<bool, ReadError> {
    let id = decree.id();
    let delete = if let Decree::Delete(delete) = &decree { Some(delete.clone()) } else { None };
    let mut known = deletion(views, workspace, id)?;
    let before = known.clone();
    let deletes = Deletion::take(&mut known, decree);
    let Some(mut deletion) = known else { return Ok(false) };
    let Some(delete) = delete.filter(|_| deletes) else {
        // One that is left as it is must not hide what is counted for it meanwhile.
        if before.as_ref() != Some(&deletion) {
            views.change(|current| current.live.keep_deletion(workspace, deletion));
        }
        return Ok(false);
    };
    let changes = {
        let current = views.look();
        Wipe::plan(Standing { workspace, current: &current, state: &views.state }, &delete)?
    };
    if let Some(erasure) = deletion.erasure_mut() {
        erasure.removed.add(&changes.removed);
    }
    let doubtful = &changes.doubtful;
    let left = if doubtful.is_empty() { Left::default() } else { Left::of(workspace, &delete, doubtful, views)? };
    let changes = Ready::new(workspace, changes);
    views.change(|current| {
        if let Some(erasure) = deletion.erasure() {
            views.tombstones.add(workspace, erasure);
        }
        changes.apply(&mut current.live);
        current.live.keep_deletion(workspace, deletion);
        left.fold_again(workspace, views, current)
    })?;
    Ok(true)
}

/// Messages that name what was deleted and that the deletion does not hide: received and timestamped after it, although
/// they came before it in the journal. They start the records anew.
#[derive(Default)]
struct Left {
    records: Vec<Vec<u8>>,
}

impl Left {
    fn of(
        workspace: WorkspaceId,
        delete: &Delete,
        doubtful: &[(Subject, Box<str>)],
        views: &Views,
    ) -> Result<Left, ReadError> {
        let mut deleted: Instants = views.tombstones.of(workspace).map(|known| (*known).clone()).unwrap_or_default();
        deleted.note(&delete.subjects, &delete.parts, delete.at);
        let names: FxHashSet<RecordId> = doubtful.iter().map(|((_, id), _)| *id).collect();
        let mut left = Left::default();
        let mut take = |message: Message<'_>| {
            if named(&message).any(|(_, id, _)| names.contains(&id)) {
                left.take(message, &deleted);
            }
        };
        let (manifest, frozen) = {
            let current = views.look();
            let live = &current.live;
            for row in live.rows().iter().filter(|row| row.workspace == workspace) {
                take(record::decode(live.row_slice(*row)).map_err(not_a_record("an overlay"))?);
            }
            (std::sync::Arc::clone(&current.manifest), current.frozen.clone())
        };
        if let Some(frozen) = &frozen {
            for row in frozen.rows().iter().filter(|row| row.workspace == workspace) {
                take(record::decode(frozen.row_slice(*row)).map_err(not_a_record("an overlay"))?);
            }
        }
        let ids: IdSpace = views.id_space(workspace)?;
        for segment in manifest.of(workspace).filter(|segment| segment.last > delete.at) {
            restore::messages(segment, ids, &mut |message| {
                take(message);
                Ok(())
            })?;
        }
        Ok(left)
    }

    fn take(&mut self, message: Message<'_>, deleted: &Instants) {
        let Some(message) = message.left(|id, reach| deleted.hides(id, reach)) else { return };
        let mut bytes = Vec::new();
        record::encode(&message, &mut bytes);
        self.records.push(bytes);
    }

    /// What they say about other records stands already and is not changed by hearing it again.
    fn fold_again(self, workspace: WorkspaceId, views: &Views, current: &mut Current) -> Result<(), ReadError> {
        for bytes in &self.records {
            let message = record::decode(bytes).map_err(not_a_record("an overlay"))?;
            let frozen = current.frozen.as_deref();
            let (live, state, places) = (&mut current.live, &views.state, Places::default());
            let mut ledger = OverlayLedger { workspace, live, frozen, state, places };
            change::apply(&mut ledger, &message)?;
        }
        Ok(())
    }
}
