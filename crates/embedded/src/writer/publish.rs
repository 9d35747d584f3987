//! Folding a group in, so that every later read sees it.
//!
//! The whole group becomes visible at once. The rules of folding are the model's; this file is the `Ledger` they see.

use std::sync::Arc;

use muster_model::{
    association::Statement,
    change::{Ledger, NewProfile, apply},
    id::{RecordId, WorkspaceId},
    kind::{Kind, RecordKind},
    kinds::fields::named,
    message::Message,
    profile::Profile,
    rejection::Code,
};
use muster_store::{error::ReadError, refused::Refused};
use rustc_hash::FxHashMap;

use super::apply::{Change, Prepared, load_slot};
use crate::{
    counters::Counters,
    error::state_failed,
    keys::{self, ProfileKey},
    overlay::{Overlay, Slot},
    state::State,
    views::{self, Current, Latest, Views},
};

/// Bytes that a statement and a child take in memory, roughly.
const STATEMENT_BYTES: usize = 64;
const CHILD_BYTES: usize = 48;

/// Folds a prepared group into the live overlay.
pub fn publish(prepared: Prepared<'_>, views: &Views, counters: &Counters) -> Result<(), ReadError> {
    let Prepared { batches, changes, mut loaded } = prepared;
    let mut set_aside = 0;
    views.change(|current| {
        let buffers: Vec<u32> = batches.iter().map(|batch| current.live.keep_buffer(batch.bytes())).collect();
        for (place, change) in changes {
            let workspace = batches[place].workspace();
            match change {
                Change::Fold(message, bytes) => {
                    fold(current, &views.state, &mut loaded, workspace, &message)?;
                    keep_row(&mut current.live, workspace, buffers[place], &message, bytes);
                }
                Change::SetAside(refused) => {
                    set_aside += u64::from(refused.code != Code::Conflict);
                    keep_refused(current, &views.state, workspace, refused)?;
                }
                Change::Forget(id) => current.live.forget_refused(workspace, id),
            }
        }
        Ok(())
    })?;
    counters.set_aside(set_aside);
    Ok(())
}

fn fold(
    current: &mut Current,
    state: &State,
    loaded: &mut FxHashMap<ProfileKey, Option<Slot>>,
    workspace: WorkspaceId,
    message: &Message<'_>,
) -> Result<(), ReadError> {
    let mut ledger =
        OverlayLedger { workspace, live: &mut current.live, frozen: current.frozen.as_deref(), state, loaded };
    apply(&mut ledger, message)
}

fn keep_row(live: &mut Overlay, workspace: WorkspaceId, buffer: u32, message: &Message<'_>, bytes: &[u8]) {
    let row = live.keep_row(workspace, buffer, bytes);
    if message.kind != Kind::Track {
        return;
    }
    for (kind, id, _) in named(message) {
        if let Some(slot) = live.profiles.get_mut(&ProfileKey::new(workspace, kind, id)) {
            slot.tracks.push(row);
        }
    }
}

/// The same message set aside again is kept once, also when the first one is below the live overlay.
fn keep_refused(
    current: &mut Current,
    state: &State,
    workspace: WorkspaceId,
    refused: Refused<'_>,
) -> Result<(), ReadError> {
    let id = (workspace, refused.id);
    let frozen = current.frozen.as_deref();
    if !current.live.forgotten.contains(&id) {
        let in_frozen = frozen.is_some_and(|frozen| frozen.refused_ids.contains_key(&id));
        let on_disk = || {
            let forgotten = frozen.is_some_and(|frozen| frozen.forgotten.contains(&id));
            let key = keys::refused_id_key(workspace, refused.id);
            Ok(!forgotten && state.refused_ids.contains_key(key).map_err(|error| state_failed(&error))?)
        };
        if in_frozen || on_disk()? {
            return Ok(());
        }
    }
    current.live.keep_refused(workspace, refused.into_owned());
    Ok(())
}

struct OverlayLedger<'a> {
    workspace: WorkspaceId,
    live: &'a mut Overlay,
    frozen: Option<&'a Overlay>,
    state: &'a State,
    loaded: &'a mut FxHashMap<ProfileKey, Option<Slot>>,
}

impl Ledger for OverlayLedger<'_> {
    type Error = ReadError;

    fn profile(&mut self, new: NewProfile<'_>) -> Result<&mut Profile, ReadError> {
        let key = ProfileKey::new(self.workspace, new.kind, new.id);
        if !self.live.profiles.contains_key(&key) {
            let slot = match self.loaded.remove(&key) {
                Some(slot) => slot,
                None => load_slot(&key, self.frozen, self.state)?,
            };
            let slot = slot.unwrap_or_else(|| Slot {
                profile: Arc::new(Profile::new(new.kind, new.id, new.external_id, new.received_at)),
                below: None,
                tracks: Vec::new(),
            });
            self.live.grow(slot.profile.weight_bytes());
            self.live.profiles.insert(key, slot);
        }
        let slot = self.live.profiles.get_mut(&key).expect("inserted above when it was missing");
        // Copies only while a reader still holds the version before.
        Ok(Arc::make_mut(&mut slot.profile))
    }

    fn statements(&mut self, user: RecordId, parents: RecordKind) -> Result<Vec<Statement>, ReadError> {
        let key = (self.workspace, parents, user);
        let mut statements = self.live.statements.get(&key).cloned().unwrap_or_default();
        if let Some(found) = self.frozen.and_then(|frozen| frozen.statements.get(&key)) {
            statements.extend_from_slice(found);
        }
        views::read_statements(&Latest, self.state, key, &mut statements)?;
        Ok(statements)
    }

    fn keep_statement(&mut self, user: RecordId, parents: RecordKind, statement: Statement) {
        self.live.grow(STATEMENT_BYTES);
        self.live.statements.entry((self.workspace, parents, user)).or_default().push(statement);
    }

    fn children(&mut self, parent: (RecordKind, RecordId), kind: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        let key = ProfileKey::new(self.workspace, parent.0, parent.1);
        let mut children = Vec::new();
        for overlay in [Some(&*self.live), self.frozen].into_iter().flatten() {
            let found = overlay.children.get(&key).into_iter().flatten();
            children.extend(found.filter(|(child, _)| *child == kind).map(|(_, id)| *id));
        }
        views::read_children(&Latest, self.state, &key, kind, &mut children)?;
        children.sort_unstable();
        children.dedup();
        Ok(children)
    }

    fn look<T>(
        &mut self,
        kind: RecordKind,
        id: RecordId,
        look: impl FnOnce(&Profile) -> T,
    ) -> Result<Option<T>, ReadError> {
        let key = ProfileKey::new(self.workspace, kind, id);
        if let Some(slot) = self.live.profiles.get(&key) {
            return Ok(Some(look(&slot.profile)));
        }
        if let Some(Some(slot)) = self.loaded.get(&key) {
            return Ok(Some(look(&slot.profile)));
        }
        match self.frozen.and_then(|frozen| frozen.profiles.get(&key)) {
            Some(slot) => Ok(Some(look(&slot.profile))),
            None => Ok(views::read_profile(&Latest, self.state, &key)?.as_ref().map(look)),
        }
    }

    fn relate(&mut self, parent: (RecordKind, RecordId), child: (RecordKind, RecordId)) {
        self.live.grow(CHILD_BYTES);
        self.live.children.entry(ProfileKey::new(self.workspace, parent.0, parent.1)).or_default().insert(child);
    }
}
