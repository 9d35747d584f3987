//! Looking at the files that count: each lies in the bucket, and holds what was written. Changes nothing.

use std::sync::Arc;

use muster_history::{manifest::Segment, verified::VerifiedFile};
use muster_model::id::WorkspaceId;
use muster_store::error::ReadError;

use super::{Archive, manifest};
use crate::{
    cluster::Cluster,
    fault::Fault,
    sql::connection::{Connection, Mode},
};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    pub files: u64,
    pub messages: u64,
    /// What is wrong, a sentence for each file.
    pub wrong: Vec<String>,
}

impl Cluster {
    /// Reads every file of the history that counts, and compares it with its checksums; nothing where there is no bucket. It
    /// takes as long as that takes.
    pub fn examine_history(&self) -> Result<Option<Examined>, ReadError> {
        let archive = &self.inner.archive;
        if !archive.is_there() {
            return Ok(None);
        }
        let mut connection = Connection::open(&self.inner.config)?;
        let mut examined = Examined::default();
        for workspace in &self.inner.registry.held().workspaces {
            look(archive, &mut connection, workspace.id, &mut examined)?;
        }
        Ok(Some(examined))
    }
}

fn look(
    archive: &Archive,
    connection: &mut Connection,
    workspace: WorkspaceId,
    examined: &mut Examined,
) -> Result<(), Fault> {
    let segments = archive.segments(&mut connection.begin(Mode::Read, Some(workspace))?, workspace)?;
    for segment in segments {
        let read = VerifiedFile::new(Arc::clone(&segment)).check_all();
        // One that was merged or rewritten meanwhile may be gone.
        if read.is_err() && !counts(connection, &segment)? {
            continue;
        }
        examined.files += 1;
        examined.messages += segment.rows;
        if let Err(error) = read {
            examined.wrong.push(format!("the file {} of the history: {error}", segment.relative_path));
        }
    }
    Ok(())
}

fn counts(connection: &mut Connection, segment: &Segment) -> Result<bool, Fault> {
    let mut transaction = connection.begin(Mode::Read, Some(segment.workspace))?;
    Ok(manifest::ids(&mut transaction, segment.workspace)?.contains(&segment.id))
}
