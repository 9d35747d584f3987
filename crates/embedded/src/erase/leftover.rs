//! What a crash left of imports that were taken back.
//!
//! Which messages are taken back is written down until the import is undone, and struck out then. A crash between the two
//! leaves notes that nobody asks for any more; they are struck out at the next start, or with the next pass. Never touches
//! those of an import that is still being taken back.

use fjall::Keyspace;
use muster_model::id::{ImportId, WorkspaceId};
use muster_store::{error::ReadError, import::Stage};

use super::eraser::{Ended, Eraser};
use crate::{
    error::{damaged, state_failed},
    imports, keys,
    state::State,
};

/// Notes that are struck out in one commit.
const STRUCK_MAX: usize = 10_000;

/// Whether any message is written down as taken back.
pub fn is_any(state: &State) -> Result<bool, ReadError> {
    Ok(first(&state.taken, &[])?.is_some())
}

/// The first key that is not less.
fn first(keyspace: &Keyspace, from: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
    let entry = keyspace.range(from..).next();
    entry.map(|entry| entry.key().map(|key| key.to_vec()).map_err(|error| state_failed(&error))).transpose()
}

impl Eraser {
    /// Strikes out what is written down for imports that are not being taken back any more.
    pub(super) fn strike_leftovers(&self) -> Result<(), Ended> {
        let state = &self.views.state;
        let mut from = Vec::new();
        while let Some(key) = first(&state.taken, &from)? {
            let (workspace, id) = keys::parse_import_key(&key).ok_or_else(|| damaged("a message taken back"))?;
            let import = imports::on_disk(state, workspace, id)?;
            if !import.is_some_and(|import| matches!(import.stage, Stage::Undoing { .. })) {
                self.strike_all(workspace, id)?;
            }
            let Some(next) = u64::from_be_bytes(keys::import_key(workspace, id)).checked_add(1) else { break };
            from = next.to_be_bytes().to_vec();
        }
        Ok(())
    }

    /// Strikes out all that is written down for an import.
    pub(super) fn strike_all(&self, workspace: WorkspaceId, id: ImportId) -> Result<(), Ended> {
        let state = &self.views.state;
        loop {
            self.go_on()?;
            let some = state.taken.prefix(keys::import_key(workspace, id)).take(STRUCK_MAX);
            let some: Vec<_> =
                some.map(|entry| entry.key().map_err(|error| state_failed(&error))).collect::<Result<_, _>>()?;
            if some.is_empty() {
                return Ok(());
            }
            let _committing = self.views.committing.lock();
            let mut batch = state.batch();
            some.into_iter().for_each(|key| batch.remove(&state.taken, key));
            batch.commit().map_err(|error| Ended::Failed(state_failed(&error)))?;
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_model::{id::Identity, time::Micros};
    use muster_store::{
        batch::BatchBuilder,
        credentials::{Credentials, NewKey, Scopes},
        import::{Note, Source},
        journal::Journal,
        status::Status,
    };

    use super::*;
    use crate::{Embedded, Options};

    const NOW: Micros = Micros(1_700_000_000_000_000);

    async fn note(engine: &Embedded, workspace: WorkspaceId, note: Note) {
        let mut batch = BatchBuilder::new(workspace, 64);
        batch.import(&note);
        engine.append(batch.build()).await.unwrap();
    }

    fn written_down(engine: &Embedded) -> Vec<Option<(WorkspaceId, ImportId)>> {
        let keys = engine.views.state.taken.iter().map(|entry| keys::parse_import_key(&entry.key().unwrap()));
        keys.collect()
    }

    /// A crash came after the word that an import is undone, and before what was written down for it was struck out.
    #[tokio::test]
    async fn what_a_crash_left_goes_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Embedded::open(Options::new(dir.path()), NOW).unwrap().0;
        let engine = open();
        let (workspace_name, name) = ("default".to_owned(), "test".to_owned());
        let key = NewKey { workspace_name, name, scopes: Scopes::ALL, token_hash: [7; 32], created_at: NOW };
        let workspace = engine.create_key(key).await.unwrap().workspace.id;
        let undone = ImportId(3);
        let source = Source { name: "a".into(), form: "muster".into(), bytes: None, fingerprint: None };
        note(&engine, workspace, Note::Begin { id: undone, at: NOW, key_id: 0, source }).await;
        note(&engine, workspace, Note::Undo { id: undone, at: NOW, by: None }).await;
        engine.checkpoint().await;
        let import = imports::on_disk(&engine.views.state, workspace, undone).unwrap().unwrap();
        assert!(matches!(import.stage, Stage::Undone { .. }), "{import:?}");
        // Of one that is undone, of one that is forgotten, of another workspace.
        for (workspace, id) in [(workspace, undone), (workspace, ImportId(1)), (WorkspaceId(workspace.0 + 1), undone)] {
            for identity in 0..3 {
                engine.views.state.taken.insert(keys::taken_key(workspace, id, Identity(identity)), []).unwrap();
            }
        }
        engine.close().await.unwrap();
        drop(engine);
        let engine = open();
        engine.checkpoint().await;
        assert_eq!(written_down(&engine), []);
    }
}
