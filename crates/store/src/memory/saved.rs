//! Views and queries.

use muster_model::id::WorkspaceId;

use super::MemoryStore;
use crate::{
    Answer,
    credentials::Credentials,
    error::AdminError,
    saved::{NewSaved, Saved, SavedChange, SavedViews, changed, check_new, in_order, unknown},
};

impl SavedViews for MemoryStore {
    fn saved(&self, workspace: WorkspaceId) -> Vec<Saved> {
        self.registry(|registry| {
            let of = registry.saved.iter().filter(|(owner, _)| *owner == workspace);
            in_order(of.map(|(_, one)| one.clone()).collect())
        })
    }

    fn save(&self, workspace: WorkspaceId, new: NewSaved) -> Answer<'_, Saved, AdminError> {
        Box::pin(async move {
            let known = self.saved(workspace);
            if !self.workspaces().iter().any(|known| known.id == workspace) {
                return Err(AdminError::NotFound("there is no such workspace".to_owned()));
            }
            check_new(&known, &new)?;
            self.registry(|registry| {
                let last = registry.last_saved.entry(workspace.0).or_default();
                *last += 1;
                let NewSaved { kind, name, text, saved_by, saved_at } = new;
                let saved = Saved { id: *last, kind, name, text, saved_by, saved_at };
                registry.saved.push((workspace, saved.clone()));
                Ok(saved)
            })
        })
    }

    fn change_saved(&self, workspace: WorkspaceId, id: u64, change: SavedChange) -> Answer<'_, Saved, AdminError> {
        Box::pin(async move {
            let changed = changed(&self.saved(workspace), id, change)?;
            self.registry(|registry| {
                let of = registry.saved.iter_mut().filter(|(owner, one)| *owner == workspace && one.id == id);
                of.for_each(|(_, one)| one.clone_from(&changed));
            });
            Ok(changed)
        })
    }

    fn remove_saved(&self, workspace: WorkspaceId, id: u64) -> Answer<'_, Saved, AdminError> {
        Box::pin(async move {
            self.registry(|registry| {
                let is = |(owner, one): &(WorkspaceId, Saved)| *owner == workspace && one.id == id;
                let at = registry.saved.iter().position(is).ok_or_else(unknown)?;
                Ok(registry.saved.remove(at).1)
            })
        })
    }
}
