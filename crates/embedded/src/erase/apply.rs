//! Making the changes that a deletion or a correction worked out, in the live overlay.
//!
//! Only the writer does, or whoever holds it up. All that takes time is done before the overlay is locked for the change: where
//! the versions below it stand in lists.

use std::sync::Arc;

use muster_model::{deletion::Subject, id::WorkspaceId, profile::Profile};
use muster_store::{deletion::Changes, records::parents_of};

use crate::{keys::ProfileKey, lists::entries::Listed, overlay::Overlay, slots::Slot};

/// Changes that are ready to be made.
pub struct Ready {
    workspace: WorkspaceId,
    changes: Changes,
    /// Of each record that is changed, where it stood in lists before.
    below: Vec<Listed>,
}

impl Ready {
    /// Makes changes of a workspace's records ready.
    pub fn new(workspace: WorkspaceId, changes: Changes) -> Ready {
        let below = changes.changed.iter().map(|(_, changed)| Listed::of(&changed.before)).collect();
        Ready { workspace, changes, below }
    }

    /// What is changed.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Makes the changes. Takes no longer than they are many; reads nothing.
    pub fn apply(self, live: &mut Overlay) {
        let workspace = self.workspace;
        let key = |(kind, id): Subject| ProfileKey::new(workspace, kind, id);
        let Changes { gone, changed, unrelated, unsaid, said, removed: _, doubtful: _ } = self.changes;
        gone.into_iter().for_each(|subject| remove(live, key(subject)));
        for ((subject, changed), below) in changed.into_iter().zip(self.below) {
            replace(live, key(subject), changed.after, below);
        }
        for (parent, child) in unrelated {
            let parent = key(parent);
            if let Some(children) = live.children.get_mut(&parent) {
                children.remove(&child);
            }
            live.unrelated.entry(parent).or_default().insert(child);
            live.grow(64);
        }
        for (about, (parents, parent)) in unsaid {
            let key = (workspace, parents, about);
            if let Some(statements) = live.statements.get_mut(&key) {
                statements.retain(|statement| statement.parent != parent);
            }
            live.unsaid.entry(key).or_default().insert(parent);
            live.grow(64);
        }
        for (about, parents, statement) in said {
            live.keep_statement((workspace, parents, about), statement);
        }
    }
}

fn remove(live: &mut Overlay, key: ProfileKey) {
    let rows = live.profiles.detach(&key);
    live.gone.entry(key).or_default().rows.extend(rows);
    live.children.remove(&key);
    for parents in parents_of(key.kind) {
        live.statements.remove(&(key.workspace, *parents, key.id));
    }
    live.grow(256);
}

/// The present version of a record takes the place of the one in the overlay, or of the one below.
fn replace(live: &mut Overlay, key: ProfileKey, profile: Arc<Profile>, below: Listed) {
    match live.profiles.number(&key) {
        Some(number) => live.profiles.at_mut(number).profile = profile,
        None => {
            let slot = Slot::new(profile, Some(below));
            live.grow(slot.weight_bytes());
            live.profiles.insert(key, slot);
        }
    }
}
