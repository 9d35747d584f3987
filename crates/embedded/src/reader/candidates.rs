//! What may belong to a record: where to look for it.
//!
//! Which tracks may is said beside the seam ([`muster_store::candidates`]); attribution decides which of them do.

use std::sync::Arc;

use muster_history::{
    footers::Footer,
    manifest::{Manifest, Segment},
    wanted::Wanted,
};
use muster_model::{
    id::{IdSpace, RecordId, WorkspaceId},
    kind::RecordKind,
};
use muster_store::{candidates::Candidates, deletion::Veil, error::ReadError};

use crate::{
    engine::Reader,
    error::damaged,
    keys::ProfileKey,
    overlay::{Row, SharedRows},
    records::{Attributor, Now},
};

/// Rows in memory and files on disk, as of one moment.
pub struct Sources {
    /// Rows of the live overlay, and of the frozen one, without those that were deleted.
    pub rows: Vec<SharedRows>,
    pub manifest: Arc<Manifest>,
    /// What was deleted and lies in files still.
    pub veil: Veil,
}

impl Reader {
    /// How a workspace derives the ids of its records.
    pub fn id_space(&self, workspace: WorkspaceId) -> Result<IdSpace, ReadError> {
        let known = self.registry.workspace(workspace).ok_or_else(|| damaged("a workspace's number"))?;
        Ok(IdSpace::new(&known.name))
    }

    /// What a file says of itself.
    pub fn footer(&self, segment: &Arc<Segment>) -> Result<Arc<Footer>, ReadError> {
        self.views.footers.of(segment)
    }

    /// What tracks of this record may name; `None` when nobody ever named it.
    pub fn wanted(
        &self,
        workspace: WorkspaceId,
        (kind, id): (RecordKind, RecordId),
        attributor: &mut Attributor<'_>,
    ) -> Result<Option<Wanted>, ReadError> {
        if attributor.profile(kind, id)?.is_none() {
            return Ok(None);
        }
        let candidates = Candidates::of(Now { views: &self.views, workspace }, (kind, id))?;
        Ok(candidates.map(|candidates| Wanted { candidates, ..Wanted::default() }))
    }

    /// Where to look for tracks: those in memory that name anything wanted, and the files.
    pub fn sources(&self, workspace: WorkspaceId, wanted: &mut Wanted) -> Sources {
        let keys: Vec<ProfileKey> =
            wanted.candidates.subjects().map(|(kind, id)| ProfileKey::new(workspace, kind, id)).collect();
        let sources = self.sources_of(workspace, &keys);
        wanted.veil = sources.veil.clone();
        sources
    }

    /// Where to look for messages about these records: those in memory that name or describe one, and the files.
    pub fn sources_of(&self, workspace: WorkspaceId, keys: &[ProfileKey]) -> Sources {
        let current = self.views.look();
        // Taken with the manifest: as long as a file counts, what it must not show is known.
        let veil = self.views.tombstones.veil(workspace);
        let rows = current.overlays().map(|overlay| {
            let mut rows: Vec<Row> = keys.iter().flat_map(|key| overlay.rows_about(key)).collect();
            if !veil.is_empty() {
                rows.retain(|row| !veil.hides_record(overlay.row_slice(*row)));
            }
            overlay.share(rows)
        });
        Sources { rows: rows.collect(), manifest: Arc::clone(&current.manifest), veil }
    }
}
