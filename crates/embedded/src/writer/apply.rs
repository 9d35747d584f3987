//! Decoding a durable group and fetching the profiles it will change.
//!
//! All that may touch the disk happens here, before the shared view is locked for the change.

use std::sync::Arc;

use muster_model::{id::WorkspaceId, kinds::fields::named, message::Message};
use muster_store::{
    batch::{Batch, Entry, decode_refused},
    error::ReadError,
    profiles::ListCursor,
    record,
    refused::{Refused, RefusedId},
};
use rustc_hash::FxHashMap;

use crate::{
    error::not_a_record,
    keys::ProfileKey,
    overlay::{Overlay, Slot},
    state::State,
    views::{self, Latest, Views},
};

/// A group, decoded, with everything it needs from below.
pub struct Prepared<'a> {
    pub batches: &'a [Batch],
    /// Changes in order; the number is the batch's place in `batches`.
    pub changes: Vec<(usize, Change<'a>)>,
    /// Profiles that were not in the live overlay; `None` when there is none anywhere.
    pub loaded: FxHashMap<ProfileKey, Option<Slot>>,
}

/// One thing to do.
#[expect(clippy::large_enum_variant, reason = "nearly every change is the large one; a box each would cost more")]
pub enum Change<'a> {
    /// Fold a message in; with its bytes.
    Fold(Message<'a>, &'a [u8]),
    SetAside(Refused<'a>),
    Forget(RefusedId),
}

/// Prepares the batches of a group.
pub fn prepare<'a>(batches: &'a [Batch], views: &Views) -> Result<Prepared<'a>, ReadError> {
    let mut changes = Vec::with_capacity(batches.iter().map(Batch::messages).sum());
    for (place, batch) in batches.iter().enumerate() {
        for entry in batch.entries() {
            let change = match entry {
                Entry::Message(bytes) => Change::Fold(record::decode(bytes).map_err(not_a_record("a batch"))?, bytes),
                Entry::Refused(bytes) => Change::SetAside(decode_refused(bytes).map_err(not_a_record("a batch"))?),
                Entry::Forget(id) => Change::Forget(id),
            };
            changes.push((place, change));
        }
    }
    let mut prepared = Prepared { batches, changes, loaded: FxHashMap::default() };
    load(&mut prepared, views)?;
    Ok(prepared)
}

/// Fetches what the messages name. The guard keeps the frozen overlay and the disk in step; readers are not hindered.
fn load(prepared: &mut Prepared<'_>, views: &Views) -> Result<(), ReadError> {
    let current = views.look();
    for (place, change) in &prepared.changes {
        let Change::Fold(message, _) = change else { continue };
        let workspace: WorkspaceId = prepared.batches[*place].workspace();
        for (kind, id, _) in named(message) {
            let key = ProfileKey::new(workspace, kind, id);
            if !current.live.profiles.contains_key(&key) && !prepared.loaded.contains_key(&key) {
                let slot = load_slot(&key, current.frozen.as_deref(), &views.state)?;
                prepared.loaded.insert(key, slot);
            }
        }
    }
    Ok(())
}

/// A profile from below the live overlay, ready to be changed.
pub fn load_slot(key: &ProfileKey, frozen: Option<&Overlay>, state: &State) -> Result<Option<Slot>, ReadError> {
    let found = match frozen.and_then(|frozen| frozen.profiles.get(key)) {
        Some(slot) => Some(Arc::clone(&slot.profile)),
        None => views::read_profile(&Latest, state, key)?.map(Arc::new),
    };
    Ok(found.map(|profile| {
        let place = |at| ListCursor { at, id: profile.id };
        let below = Some((place(profile.created_at), place(profile.updated_at)));
        Slot { profile, below, tracks: Vec::new() }
    }))
}
