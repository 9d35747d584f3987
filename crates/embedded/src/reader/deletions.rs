//! Deletions: asked for, under way, done.

use std::collections::BTreeMap;

use fjall::Readable;
use muster_model::{deletion::DeletionId, id::WorkspaceId};
use muster_store::{
    Answer,
    deletion::{Deletion, DeletionPage, Deletions, Stage},
    error::ReadError,
};

use crate::{
    engine::{Embedded, Reader},
    erase::known,
    error::{damaged, state_failed},
    keys,
};

impl Deletions for Embedded {
    fn deletions(
        &self,
        workspace: WorkspaceId,
        from: Option<DeletionId>,
        limit: usize,
    ) -> Answer<'_, DeletionPage, ReadError> {
        self.blocking(move |reader| reader.deletions(workspace, from, limit.max(1)))
    }

    fn deletion(&self, workspace: WorkspaceId, id: DeletionId) -> Answer<'_, Option<Deletion>, ReadError> {
        self.blocking(move |reader| known::deletion(&reader.views, workspace, id))
    }

    fn scheduled(&self) -> Answer<'_, Vec<(WorkspaceId, Deletion)>, ReadError> {
        self.blocking(Reader::scheduled)
    }
}

impl Reader {
    fn deletions(
        &self,
        workspace: WorkspaceId,
        from: Option<DeletionId>,
        limit: usize,
    ) -> Result<DeletionPage, ReadError> {
        let older = |id: DeletionId| from.is_none_or(|from| id < from);
        let (mut found, below) = {
            let current = self.views.look();
            let mut found: BTreeMap<DeletionId, Deletion> = BTreeMap::new();
            for overlay in current.frozen.as_deref().into_iter().chain([&current.live]) {
                let of = overlay.deletions.iter().filter(|((of, id), _)| *of == workspace && older(*id));
                found.extend(of.map(|((_, id), deletion)| (*id, deletion.clone())));
            }
            (found, self.views.below(&current))
        };
        let start = from
            .map_or_else(|| workspace.0.to_be_bytes().to_vec(), |from| keys::deletion_key(workspace, from).to_vec());
        let mut on_disk = 0;
        for entry in below.snapshot.range::<Vec<u8>, _>(&self.views.state.deletions, start..) {
            let (key, value) = entry.into_inner().map_err(|error| state_failed(&error))?;
            let (of, id) = keys::parse_deletion_key(&key).ok_or_else(|| damaged("a deletion's key"))?;
            if of != workspace || on_disk > limit {
                break;
            }
            if older(id) {
                on_disk += 1;
                if let std::collections::btree_map::Entry::Vacant(vacant) = found.entry(id) {
                    vacant.insert(known::decode(&value)?);
                }
            }
        }
        let mut deletions: Vec<Deletion> = found.into_values().rev().collect();
        let more = deletions.len() > limit;
        deletions.truncate(limit);
        let next = deletions.last().filter(|_| more).map(|deletion| deletion.id);
        Ok(DeletionPage { deletions, next })
    }

    fn scheduled(&self) -> Result<Vec<(WorkspaceId, Deletion)>, ReadError> {
        let mut found = Vec::new();
        for workspace in self.registry.workspace_ids() {
            let mut from = None;
            loop {
                let page = self.deletions(workspace, from, 1_000)?;
                let waiting = page.deletions.into_iter().filter(|deletion| deletion.stage == Stage::Scheduled);
                found.extend(waiting.map(|deletion| (workspace, deletion)));
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
        }
        Ok(found)
    }
}
