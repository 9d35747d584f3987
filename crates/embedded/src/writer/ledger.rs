//! The overlay as the model's folding sees it.

use std::sync::Arc;

use muster_model::{
    association::Statement,
    change::{Ledger, NewProfile},
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::Profile,
};
use muster_store::error::ReadError;
use rustc_hash::FxHashSet;

use super::apply::{Places, fetch_slot};
use crate::{
    keys::ProfileKey,
    overlay::Overlay,
    slots::{Slot, SlotNumber},
    state::State,
    views::{self, Latest},
};

/// Bytes that a child takes in memory, about; and the first one of a record besides, in tables that are three quarters full.
const CHILD_BYTES: usize = size_of::<(RecordKind, RecordId)>() * 4 / 3;
const CHILDREN_BYTES: usize = size_of::<(ProfileKey, FxHashSet<(RecordKind, RecordId)>)>() * 4 / 3 + 128;

/// Adds a profile that the overlay does not have yet; or has no more, and then with the rows from before it was deleted, of which
/// some may have started it anew.
pub fn add(live: &mut Overlay, key: ProfileKey, slot: Slot) -> SlotNumber {
    live.grow(slot.weight_bytes());
    let number = live.profiles.insert(key, slot);
    if let Some(gone) = live.gone.get(&key) {
        gone.rows.iter().for_each(|row| live.profiles.note(number, *row));
    }
    number
}

/// The live overlay and what lies below it.
pub struct OverlayLedger<'a> {
    pub workspace: WorkspaceId,
    pub live: &'a mut Overlay,
    pub frozen: Option<&'a Overlay>,
    pub state: &'a State,
    /// The slots of what the message names, as far as they are known.
    pub places: Places,
}

impl OverlayLedger<'_> {
    /// The slot of a record that the message does not name itself, such as the account of a track's user.
    fn slot_of(&mut self, new: NewProfile<'_>) -> Result<SlotNumber, ReadError> {
        let key = ProfileKey::new(self.workspace, new.kind, new.id);
        if let Some(number) = self.live.profiles.number(&key) {
            return Ok(number);
        }
        let new = || Profile::new(new.kind, new.id, new.external_id, new.received_at);
        let slot = fetch_slot(&key, self.live, self.frozen, self.state, new)?;
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
        views::statements_now(self.live, self.frozen, self.state, (self.workspace, parents, user))
    }

    fn keep_statement(&mut self, user: RecordId, parents: RecordKind, statement: Statement) {
        self.live.keep_statement((self.workspace, parents, user), statement);
    }

    fn children(&mut self, parent: (RecordKind, RecordId), kind: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        let key = ProfileKey::new(self.workspace, parent.0, parent.1);
        views::children_now(self.live, self.frozen, self.state, &key, kind)
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
        if self.live.gone.contains_key(&key) {
            return Ok(None);
        }
        match self.frozen.and_then(|frozen| frozen.profiles.get(&key)) {
            Some(slot) => Ok(Some(look(&slot.profile))),
            None if self.frozen.is_some_and(|frozen| frozen.gone.contains_key(&key)) => Ok(None),
            None => Ok(views::read_profile(&Latest, self.state, &key)?.as_ref().map(look)),
        }
    }

    fn relate(&mut self, parent: (RecordKind, RecordId), child: (RecordKind, RecordId)) {
        let children = self.live.children.entry(ProfileKey::new(self.workspace, parent.0, parent.1)).or_default();
        let first = children.is_empty();
        children.insert(child);
        self.live.grow(CHILD_BYTES + if first { CHILDREN_BYTES } else { 0 });
    }
}
