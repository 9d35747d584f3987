//! What may belong to a record: which tracks to look for, and where.
//!
//! Candidates are a superset; attribution decides which of them belong. A track that names an account is looked for
//! under that account, one that names none under its user: links that came late may have moved it. So may ties, so one that
//! names no user is looked for under its anonymous id; those of users are noted with users, accounts and organizations.

use std::sync::Arc;

use muster_model::{
    id::{IdSpace, RecordId, WorkspaceId},
    kind::RecordKind,
};
use muster_store::{deletion::Veil, error::ReadError, profiles::Children};
use rustc_hash::FxHashSet;

use crate::{
    engine::Reader,
    error::damaged,
    history::{
        footers::Footer,
        manifest::{Manifest, Segment},
        wanted::Wanted,
    },
    keys::ProfileKey,
    overlay::{HiddenChildren, Row, SharedRows},
    records::Attributor,
    views::children_below,
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
        let key = |kind, id| ProfileKey::new(workspace, kind, id);
        let mut wanted = Wanted::default();
        match kind {
            RecordKind::User => {
                wanted.users.insert(id);
                wanted.anonymous.extend(self.children_of(&[key(kind, id)], RecordKind::Anonymous)?);
            }
            RecordKind::Account => {
                wanted.accounts.insert(id);
                wanted.loose_anonymous.extend(self.children_of(&[key(kind, id)], RecordKind::Anonymous)?);
                wanted.loose_users.extend(self.children_of(&[key(kind, id)], RecordKind::User)?);
            }
            RecordKind::Organization => {
                wanted.organizations.insert(id);
                // Of whatever account: one without an organization leaves the track to its user's.
                wanted.users.extend(self.children_of(&[key(kind, id)], RecordKind::User)?);
                wanted.accounts.extend(self.children_of(&[key(kind, id)], RecordKind::Account)?);
                let accounts: Vec<ProfileKey> =
                    wanted.accounts.iter().map(|account| key(RecordKind::Account, *account)).collect();
                wanted.loose_users.extend(self.children_of(&accounts, RecordKind::User)?);
                wanted.anonymous.extend(self.children_of(&[key(kind, id)], RecordKind::Anonymous)?);
                wanted.loose_anonymous.extend(self.children_of(&accounts, RecordKind::Anonymous)?);
            }
            RecordKind::Instance | RecordKind::CustomObject | RecordKind::NpsResponse | RecordKind::Anonymous => {
                return Ok(None);
            }
        }
        Ok(Some(wanted))
    }

    /// Everyone of a kind who ever named one of these as a parent.
    fn children_of(&self, parents: &[ProfileKey], kind: RecordKind) -> Result<FxHashSet<RecordId>, ReadError> {
        let mut found = Vec::new();
        let (hidden, below) = {
            let current = self.views.look();
            let live = &current.live;
            parents.iter().for_each(|parent| found.extend(live.children_of(parent, kind)));
            let hidden: Vec<HiddenChildren> = parents.iter().map(|parent| live.hidden_children(parent)).collect();
            (hidden, self.views.below(&current))
        };
        let (frozen, disk) = (below.frozen.as_deref(), &below.snapshot);
        for (parent, hidden) in parents.iter().zip(&hidden) {
            let children = (parent.workspace, Children::of((parent.kind, parent.id), kind), usize::MAX);
            children_below(hidden, frozen, disk, &self.views.state, children, &mut found)?;
        }
        Ok(found.into_iter().collect())
    }

    /// Where to look for tracks: those in memory that name anything wanted, and the files.
    pub fn sources(&self, workspace: WorkspaceId, wanted: &mut Wanted) -> Sources {
        let keys: Vec<ProfileKey> = wanted.records().map(|(kind, id)| ProfileKey::new(workspace, kind, id)).collect();
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
