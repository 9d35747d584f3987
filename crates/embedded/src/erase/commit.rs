//! What a checkpoint removes from the state store for deletions.
//!
//! Part of the checkpoint's one commit. One commit cannot hold two changes of one key, so what is written anew by the
//! same overlay is left out here.

use fjall::OwnedWriteBatch;
use muster_model::{id::RecordId, kind::RecordKind};
use muster_store::{codec, error::ReadError, records::parents_of};
use rustc_hash::FxHashSet;

use crate::{
    error::{damaged, state_failed},
    keys::{self, ProfileKey, TimePlace},
    lists::entries,
    overlay::{Overlay, StatementsKey, told_of},
    state::State,
    views::{Latest, read_profile, read_statements},
};

/// Adds the removals, and the present state of the deletions, to a commit.
pub fn remove(batch: &mut OwnedWriteBatch, overlay: &Overlay, state: &State) -> Result<(), ReadError> {
    for key in overlay.gone.keys() {
        remove_record(batch, overlay, state, key)?;
        remove_children(batch, overlay, state, key)?;
        for parents in parents_of(key.kind) {
            remove_statements(batch, overlay, state, (key.workspace, *parents, key.id), |_| true)?;
        }
    }
    for (parent, children) in &overlay.unrelated {
        let left = overlay.children.get(parent);
        for child in children.iter().filter(|child| left.is_none_or(|left| !left.contains(child))) {
            let key = keys::child_key(parent.workspace, (parent.kind, parent.id), *child);
            batch.remove(&state.children, key);
        }
    }
    for (key, parents) in &overlay.unsaid {
        if !overlay.gone.contains_key(&told_of(*key)) {
            remove_statements(batch, overlay, state, *key, |parent| parents.contains(&parent))?;
        }
    }
    let mut value = Vec::new();
    for ((workspace, id), deletion) in &overlay.deletions {
        value.clear();
        codec::deletion::encode(deletion, &mut value);
        batch.insert(&state.deletions, keys::deletion_key(*workspace, *id), value.as_slice());
    }
    Ok(())
}

/// The record, its places in lists and its entries in the index.
fn remove_record(
    batch: &mut OwnedWriteBatch,
    overlay: &Overlay,
    state: &State,
    key: &ProfileKey,
) -> Result<(), ReadError> {
    // What the disk has by now, whichever overlay brought it there.
    let Some(below) = read_profile(&Latest, state, key)? else { return Ok(()) };
    let anew = overlay.profiles.get(key);
    if anew.is_none() {
        batch.remove(&state.profiles, key.bytes());
        entries::remove(batch, state, key, &below);
    }
    if key.kind == RecordKind::Anonymous {
        return Ok(());
    }
    let place = |at| keys::list_key(key.workspace, key.kind, TimePlace { at, id: key.id });
    if anew.is_none_or(|slot| slot.profile.created_at != below.created_at) {
        batch.remove(&state.by_created, place(below.created_at));
    }
    if anew.is_none_or(|slot| slot.profile.updated_at != below.updated_at) {
        batch.remove(&state.by_updated, place(below.updated_at));
    }
    Ok(())
}

fn remove_children(
    batch: &mut OwnedWriteBatch,
    overlay: &Overlay,
    state: &State,
    parent: &ProfileKey,
) -> Result<(), ReadError> {
    let anew = overlay.children.get(parent);
    let unrelated = overlay.unrelated.get(parent);
    for kind in RecordKind::ALL {
        let prefix = keys::children_prefix(parent.workspace, (parent.kind, parent.id), kind);
        for entry in state.children.prefix(prefix) {
            let key = entry.key().map_err(|error| state_failed(&error))?;
            let child = (kind, keys::parse_child_key(&key).ok_or_else(|| damaged("a child's key"))?);
            let left = anew.is_some_and(|anew| anew.contains(&child));
            if !left && !unrelated.is_some_and(|unrelated| unrelated.contains(&child)) {
                batch.remove(&state.children, key);
            }
        }
    }
    Ok(())
}

fn remove_statements(
    batch: &mut OwnedWriteBatch,
    overlay: &Overlay,
    state: &State,
    key: StatementsKey,
    about: impl Fn(RecordId) -> bool,
) -> Result<(), ReadError> {
    let anew: FxHashSet<_> =
        overlay.statements.get(&key).into_iter().flatten().map(|statement| statement.stamp).collect();
    let (workspace, parents, user) = key;
    let mut on_disk = Vec::new();
    read_statements(&Latest, state, key, &mut on_disk)?;
    for statement in on_disk.iter().filter(|said| about(said.parent) && !anew.contains(&said.stamp)) {
        batch.remove(&state.statements, keys::statement_key(workspace, user, parents, statement.stamp));
    }
    Ok(())
}
