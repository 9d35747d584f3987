//! An engine over a directory with a workspace in it, for a benchmark.

use std::path::Path;

use muster_embedded::{Embedded, Options};
use muster_model::{id::WorkspaceId, time::Micros};
use muster_store::credentials::{Credentials, NewKey, Scopes};

/// Opens the directory; makes it and the workspace where they are not there.
pub async fn open(dir: &Path) -> (Embedded, WorkspaceId) {
    let (engine, _) = Embedded::open(Options::new(dir), Micros(0)).expect("an engine");
    if let Some(workspace) = engine.workspaces().into_iter().find(|workspace| workspace.name == "default") {
        return (engine, workspace.id);
    }
    let new = NewKey {
        workspace_name: "default".to_owned(),
        name: "bench".to_owned(),
        scopes: Scopes::ALL,
        token_hash: [1; 32],
        created_at: Micros(0),
    };
    let workspace = engine.create_key(new).await.expect("a key").workspace.id;
    (engine, workspace)
}
