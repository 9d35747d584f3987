//! What may belong to a record: the names to look for, and the rows and files to look in.
//!
//! Candidates are a superset; attribution decides which of them belong.

use std::sync::Arc;

use muster_model::{
    deletion::reach,
    id::{IdSpace, RecordId, WorkspaceId},
    kind::RecordKind,
};
use muster_store::error::ReadError;
use rustc_hash::FxHashSet;

use super::attribution::Attributor;
use crate::{
    engine::Reader,
    erase::tombstones::Veil,
    error::damaged,
    history::{
        manifest::Manifest,
        scan::{TrackHead, Wanted},
    },
    keys::ProfileKey,
    overlay::RowBytes,
};

/// Rows in memory and files on disk, as of one moment.
pub struct Sources {
    pub rows: Vec<RowBytes>,
    pub manifest: Arc<Manifest>,
    veil: Veil,
    ids: IdSpace,
}

impl Sources {
    /// Whether a track was deleted and only its bytes are left.
    pub fn hides(&self, head: &TrackHead<'_>) -> bool {
        if self.veil.is_empty() {
            return false;
        }
        let of = |kind, name: Option<&str>| name.map(|name| (kind, self.ids.record(kind, name)));
        let names = [
            of(RecordKind::Organization, head.organization),
            of(RecordKind::Account, head.account),
            of(RecordKind::User, head.user),
        ];
        self.veil.hides_track(names.into_iter().flatten(), reach(head.timestamp, head.received_at))
    }
}

impl Reader {
    /// How a workspace derives the ids of its records.
    pub fn id_space(&self, workspace: WorkspaceId) -> Result<IdSpace, ReadError> {
        let known = self.registry.workspace(workspace).ok_or_else(|| damaged("a workspace's number"))?;
        Ok(IdSpace::new(&known.name))
    }

    /// The names that events of this record may carry; `None` when nobody ever named it.
    pub fn wanted(
        &self,
        workspace: WorkspaceId,
        (kind, id): (RecordKind, RecordId),
        attributor: &mut Attributor<'_>,
    ) -> Result<Option<Wanted>, ReadError> {
        let Some(profile) = attributor.profile(kind, id)? else { return Ok(None) };
        let mut wanted = Wanted::default();
        let name = profile.external_id.clone();
        match kind {
            RecordKind::User => drop(wanted.users.insert(name)),
            RecordKind::Account => {
                wanted.accounts.insert(name);
                self.add_users(workspace, (kind, id), attributor, &mut wanted.users)?;
            }
            RecordKind::Organization => {
                wanted.organizations.insert(name);
                self.add_users(workspace, (kind, id), attributor, &mut wanted.users)?;
                for account in self.children(&ProfileKey::new(workspace, kind, id), RecordKind::Account)? {
                    let Some(profile) = attributor.profile(RecordKind::Account, account)? else { continue };
                    wanted.accounts.insert(profile.external_id.clone());
                    self.add_users(workspace, (RecordKind::Account, account), attributor, &mut wanted.users)?;
                }
            }
            RecordKind::Instance | RecordKind::CustomObject | RecordKind::NpsResponse => return Ok(None),
        }
        Ok(Some(wanted))
    }

    fn add_users(
        &self,
        workspace: WorkspaceId,
        parent: (RecordKind, RecordId),
        attributor: &mut Attributor<'_>,
        names: &mut FxHashSet<Box<str>>,
    ) -> Result<(), ReadError> {
        for user in self.children(&ProfileKey::new(workspace, parent.0, parent.1), RecordKind::User)? {
            if let Some(profile) = attributor.profile(RecordKind::User, user)? {
                names.insert(profile.external_id.clone());
            }
        }
        Ok(())
    }

    /// Where to look: the tracks in memory that name anything wanted, and the files.
    pub fn sources(&self, workspace: WorkspaceId, wanted: &Wanted) -> Result<Sources, ReadError> {
        let ids = self.id_space(workspace)?;
        let of = |kind, names: &FxHashSet<Box<str>>| {
            names.iter().map(|name| ProfileKey::new(workspace, kind, ids.record(kind, name))).collect::<Vec<_>>()
        };
        let keys = [
            of(RecordKind::User, &wanted.users),
            of(RecordKind::Account, &wanted.accounts),
            of(RecordKind::Organization, &wanted.organizations),
        ]
        .concat();
        let current = self.views.look();
        let mut rows = Vec::new();
        for overlay in std::iter::once(&current.live).chain(current.frozen.as_deref()) {
            let mut found: Vec<_> = keys.iter().flat_map(|key| overlay.tracks_of(key)).collect();
            found.sort_unstable();
            found.dedup();
            rows.extend(found.into_iter().map(|row| overlay.row_bytes(row)));
        }
        let veil = self.views.tombstones.veil(workspace);
        Ok(Sources { rows, manifest: Arc::clone(&current.manifest), veil, ids })
    }
}
