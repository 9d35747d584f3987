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

use super::apply::{Change, Places, Prepared, load_slot, new_slot};
use crate::{
    counters::Counters,
    error::state_failed,
    keys::{self, ProfileKey},
    overlay::{Overlay, RowPlace},
    slots::{Slot, SlotNumber},
    state::State,
    views::{self, Current, Latest, Views},
};

/// Bytes that a statement and a child take in memory, roughly.
const STATEMENT_BYTES: usize = 64;
const CHILD_BYTES: usize = 48;

/// Folds a prepared group into the live overlay.
pub fn publish(prepared: Prepared<'_>, views: &Views, counters: &Counters) -> Result<(), ReadError> {
    let Prepared { batches, changes, loaded } = prepared;
    let mut set_aside = 0;
    views.change(|current| {
        for (key, slot) in loaded {
            add(&mut current.live, key, slot);
        }
        let buffers: Vec<u32> = batches.iter().map(|batch| current.live.keep_buffer(batch.bytes())).collect();
        for (place, change) in &changes {
            let workspace = batches[*place].workspace();
            match change {
                Change::Fold(message, bytes, places) => {
                    fold(current, &views.state, *places, workspace, message)?;
                    keep_row(&mut current.live, workspace, buffers[*place], message, bytes, *places);
                }
                Change::SetAside(refused) => {
                    set_aside += u64::from(refused.code != Code::Conflict);
                    keep_refused(current, &views.state, workspace, refused)?;
                }
                Change::Forget(id) => current.live.forget_refused(workspace, *id),
            }
        }
        Ok(())
    })?;
    counters.set_aside(set_aside);
    Ok(())
}

fn add(live: &mut Overlay, key: ProfileKey, slot: Slot) -> SlotNumber {
    live.grow(slot.profile.weight_bytes());
    live.profiles.insert(key, slot)
}

fn fold(
    current: &mut Current,
    state: &State,
    places: Places,
    workspace: WorkspaceId,
    message: &Message<'_>,
) -> Result<(), ReadError> {
    let mut ledger =
        OverlayLedger { workspace, live: &mut current.live, frozen: current.frozen.as_deref(), state, places };
    apply(&mut ledger, message)
}

fn keep_row(
    live: &mut Overlay,
    workspace: WorkspaceId,
    buffer: u32,
    message: &Message<'_>,
    bytes: &[u8],
    places: Places,
) {
    let find = |live: &Overlay, kind, id| {
        places.find(kind, id).or_else(|| live.profiles.number(&ProfileKey::new(workspace, kind, id)))
    };
    let account = message.account.as_ref().and_then(|named| find(live, RecordKind::Account, named.id));
    let user = message.user.as_ref().and_then(|named| find(live, RecordKind::User, named.id));
    let row = live.keep_row(workspace, buffer, bytes, RowPlace { timestamp: message.timestamp, account, user });
    let mut note = |kind, id| {
        if let Some(number) = find(live, kind, id) {
            live.profiles.at_mut(number).rows.push(row);
        }
    };
    match message.kind {
        Kind::Track => named(message).for_each(|(kind, id, _)| note(kind, id)),
        _ => message.tells_of().into_iter().for_each(|(kind, id)| note(kind, id)),
    }
}

/// The same message set aside again is kept once, also when the first one is below the live overlay.
fn keep_refused(
    current: &mut Current,
    state: &State,
    workspace: WorkspaceId,
    refused: &Refused<'_>,
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
    current.live.keep_refused(workspace, refused.clone().into_owned());
    Ok(())
}

struct OverlayLedger<'a> {
    workspace: WorkspaceId,
    live: &'a mut Overlay,
    frozen: Option<&'a Overlay>,
    state: &'a State,
    places: Places,
}

impl OverlayLedger<'_> {
    /// The slot of a record that the message does not name itself, such as the account of a track's user.
    fn slot_of(&mut self, new: NewProfile<'_>) -> Result<SlotNumber, ReadError> {
        let key = ProfileKey::new(self.workspace, new.kind, new.id);
        if let Some(number) = self.live.profiles.number(&key) {
            return Ok(number);
        }
        let slot = load_slot(&key, self.frozen, self.state)?
            .unwrap_or_else(|| new_slot(Profile::new(new.kind, new.id, new.external_id, new.received_at)));
        Ok(add(self.live, key, slot))
    }
}

impl Ledger for OverlayLedger<'_> {
    type Error = ReadError;

    fn profile(&mut self, new: NewProfile<'_>) -> Result<&mut Profile, ReadError> {
        let number = match self.places.find(new.kind, new.id) {
            Some(number) => number,
            None => self.slot_of(new)?,
        };
        // Copies only while a reader still holds the version before.
        Ok(Arc::make_mut(&mut self.live.profiles.at_mut(number).profile))
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
