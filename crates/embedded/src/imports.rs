//! Imports: what the journal said of them, in memory since the last checkpoint and on disk before.
//!
//! Only the writer changes them, and a replay; a checkpoint brings them into their place with everything else of its overlay.

use std::{cmp::Reverse, collections::BTreeMap};

use fjall::{OwnedWriteBatch, Readable};
use muster_model::id::{ImportId, WorkspaceId};
use muster_store::{
    Answer, codec,
    error::ReadError,
    import::{Import, Imports, Note, Stage},
};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::{
    engine::{Embedded, Reader},
    error::{damaged, state_failed},
    keys,
    overlay::Overlay,
    state::State,
    views::Views,
};

/// Imports of which nothing more is taken. Bounded: a workspace keeps a bounded number of imports.
#[derive(Debug, Default)]
pub struct ClosedImports(Mutex<FxHashMap<(WorkspaceId, ImportId), bool>>);

impl ClosedImports {
    /// As the disk has them.
    pub fn load(state: &State) -> Result<ClosedImports, ReadError> {
        let closed = ClosedImports::default();
        for entry in state.imports.iter() {
            let (key, value) = entry.into_inner().map_err(|error| state_failed(&error))?;
            let workspace = key.get(..4).and_then(|bytes| bytes.try_into().ok());
            let workspace = workspace.map(u32::from_be_bytes).ok_or_else(|| damaged("an import's key"))?;
            let import = decode(&value)?;
            closed.note((WorkspaceId(workspace), import.id), Some(&import));
        }
        Ok(closed)
    }

    /// Takes in how an import stands, or that it is forgotten.
    fn note(&self, key: (WorkspaceId, ImportId), import: Option<&Import>) {
        match import.filter(|import| import.is_closed()) {
            Some(import) => drop(self.0.lock().insert(key, matches!(import.stage, Stage::Undoing { .. }))),
            None => drop(self.0.lock().remove(&key)),
        }
    }

    /// Whether nothing more is taken of an import.
    pub fn has(&self, workspace: WorkspaceId, id: ImportId) -> bool {
        self.0.lock().contains_key(&(workspace, id))
    }

    /// Whether any is being taken back.
    pub fn is_undoing(&self) -> bool {
        self.0.lock().values().any(|is_undoing| *is_undoing)
    }
}

/// Every import of a workspace on disk.
pub fn all_on_disk(state: &State, workspace: WorkspaceId) -> Result<Vec<Import>, ReadError> {
    let entries = state.imports.prefix(workspace.0.to_be_bytes());
    entries.map(|entry| decode(&entry.value().map_err(|error| state_failed(&error))?)).collect()
}

/// An import as the disk has it.
pub fn on_disk(state: &State, workspace: WorkspaceId, id: ImportId) -> Result<Option<Import>, ReadError> {
    let value = state.imports.get(keys::import_key(workspace, id));
    value.map_err(|error| state_failed(&error))?.map(|value| decode(&value)).transpose()
}

/// Takes in what the journal says of an import.
pub fn take(workspace: WorkspaceId, note: Note, views: &Views) -> Result<(), ReadError> {
    let id = note.id();
    let mut known = import(views, workspace, id)?;
    Import::take(&mut known, note);
    views.closed_imports.note((workspace, id), known.as_ref());
    views.change(|current| current.live.keep_import(workspace, id, known));
    Ok(())
}

/// One import, as of now.
fn import(views: &Views, workspace: WorkspaceId, id: ImportId) -> Result<Option<Import>, ReadError> {
    let current = views.look();
    for overlay in current.overlays() {
        if let Some(import) = overlay.imports.get(&(workspace, id)) {
            return Ok(import.clone());
        }
    }
    on_disk(&views.state, workspace, id)
}

/// Adds the present state of imports to a commit.
pub fn put(batch: &mut OwnedWriteBatch, overlay: &Overlay, state: &State) {
    let mut value = Vec::new();
    for ((workspace, id), import) in &overlay.imports {
        let key = keys::import_key(*workspace, *id);
        match import {
            Some(import) => {
                value.clear();
                codec::import::encode(import, &mut value);
                batch.insert(&state.imports, key, value.as_slice());
            }
            None => batch.remove(&state.imports, key),
        }
    }
    for (workspace, id, identity) in &overlay.taken {
        batch.insert(&state.taken, keys::taken_key(*workspace, *id, *identity), []);
    }
}

impl Imports for Embedded {
    fn imports(&self, workspace: WorkspaceId) -> Answer<'_, Vec<Import>, ReadError> {
        self.blocking(move |reader| reader.imports(workspace))
    }

    fn import(&self, workspace: WorkspaceId, id: ImportId) -> Answer<'_, Option<Import>, ReadError> {
        self.blocking(move |reader| import(&reader.views, workspace, id))
    }
}

impl Reader {
    fn imports(&self, workspace: WorkspaceId) -> Result<Vec<Import>, ReadError> {
        let mut found: BTreeMap<Reverse<ImportId>, Option<Import>> = BTreeMap::new();
        let below = {
            let current = self.views.look();
            for overlay in current.frozen.as_deref().into_iter().chain([&current.live]) {
                let of = overlay.imports.iter().filter(|((of, _), _)| *of == workspace);
                found.extend(of.map(|((_, id), import)| (Reverse(*id), import.clone())));
            }
            self.views.below(&current)
        };
        for entry in below.snapshot.prefix(&self.views.state.imports, workspace.0.to_be_bytes()) {
            let import = decode(&entry.value().map_err(|error| state_failed(&error))?)?;
            found.entry(Reverse(import.id)).or_insert(Some(import));
        }
        Ok(found.into_values().flatten().collect())
    }
}

/// Reads a stored import.
pub fn decode(value: &[u8]) -> Result<Import, ReadError> {
    codec::import::decode(value).map_err(|_| damaged("an import"))
}

#[cfg(test)]
mod tests {
    use muster_model::time::Micros;
    use muster_store::import::Source;

    use super::*;

    /// What is kept of closed imports goes with them, so that it is bounded as they are.
    #[test]
    fn a_forgotten_import_is_not_remembered_as_closed() {
        let (closed, id, at) = (ClosedImports::default(), ImportId(1), Micros(5));
        let key = (WorkspaceId(1), id);
        let mut known = None;
        let source = Source { name: "a".into(), form: "muster".into(), bytes: None, fingerprint: None };
        let undone = Note::Undone { id, at, messages: 0 };
        let begin = Note::Begin { id, at, key_id: 0, source };
        for (note, expected) in [
            (begin, (false, false)),
            (Note::Undo { id, at, by: None }, (true, true)),
            (undone, (true, false)),
            (Note::Forget { id }, (false, false)),
        ] {
            Import::take(&mut known, note);
            closed.note(key, known.as_ref());
            assert_eq!((closed.has(key.0, id), closed.is_undoing()), expected, "{known:?}");
        }
        assert!(closed.0.lock().is_empty());
    }
}
