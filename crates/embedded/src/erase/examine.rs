//! Looking whether anything is left of what was deleted, and whether the receipts are what they were.
//!
//! Believes no receipt: state, history, journal, messages set aside and what is kept for followers are read whole and compared with every deletion
//! that says it is finished.

use muster_history::{error::not_a_record, find, manifest::Manifest};
use muster_model::{
    deletion::Fate,
    id::{IdSpace, RecordId, WorkspaceId},
    kind::RecordKind,
    time::Micros,
};
use muster_store::{
    batch::{Entry, decode_refused},
    codec,
    deletion::{Deletion, Instants, Stage, mentions, receipt},
    error::ReadError,
    record,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::known;
use crate::{
    credentials,
    error::{damaged, state_failed},
    follow::{frames, letters},
    journal::replay,
    keys::ProfileKey,
    recovery::Layout,
    state::State,
    views::{Latest, read_statements},
};

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    pub finished: u64,
    pub erasing: u64,
    pub scheduled: u64,
    /// What should not be, a sentence each.
    pub faults: Vec<String>,
}

struct Workspace {
    id: WorkspaceId,
    ids: IdSpace,
    deleted: Instants,
}

/// Examines all workspaces.
pub fn examine(state: &State, manifest: &Manifest, layout: &Layout) -> Result<Report, ReadError> {
    let mut report = Report::default();
    let mut workspaces = FxHashMap::default();
    for id in credentials::workspace_ids(state)? {
        let deletions = known::all_on_disk(state, id)?;
        let mut sealed: Vec<&Deletion> = deletions.iter().filter(|deletion| deletion.seal().is_some()).collect();
        sealed.sort_by_key(|deletion| deletion.seal().map(|seal| seal.number));
        if let Err(broken) = receipt::verify(sealed.iter().copied()) {
            report.faults.push(format!("receipts of workspace {}: {broken}", id.0));
        }
        let mut deleted = Instants::default();
        for deletion in &deletions {
            match &deletion.stage {
                Stage::Scheduled => report.scheduled += 1,
                Stage::Cancelled { .. } => {}
                Stage::Erasing(_) => report.erasing += 1,
                Stage::Finished(erasure, _) => {
                    report.finished += 1;
                    deleted.note(&erasure.subjects, &erasure.parts, erasure.at);
                }
            }
        }
        if !deleted.is_empty() {
            let ids = IdSpace::new(&credentials::workspace_name(state, id)?);
            workspaces.insert(id, Workspace { id, ids, deleted });
        }
    }
    for workspace in workspaces.values() {
        workspace.examine_state(state, &mut report)?;
        workspace.examine_refused(state, &mut report)?;
        workspace.examine_history(manifest, &mut report)?;
    }
    examine_journal(layout, state, &workspaces, &mut report)?;
    examine_letters(state, &workspaces, &mut report)?;
    Ok(report)
}

/// Takes the receipts that are on disk, word for word, out of those that somebody kept.
pub fn take_known(state: &State, kept: &mut FxHashSet<&str>) -> Result<(), ReadError> {
    for id in credentials::workspace_ids(state)? {
        for deletion in known::all_on_disk(state, id)? {
            kept.remove(receipt::text(&deletion).as_str());
        }
    }
    Ok(())
}

impl Workspace {
    fn hidden(&self, id: RecordId, at: Micros) -> bool {
        self.deleted.deleted_at(id).is_some_and(|deleted| at <= deleted)
    }

    fn examine_state(&self, state: &State, report: &mut Report) -> Result<(), ReadError> {
        for id in self.deleted.ids() {
            for kind in RecordKind::ALL {
                let key = ProfileKey::new(self.id, kind, id);
                let Some(value) = state.profiles.get(key.bytes()).map_err(|error| state_failed(&error))? else {
                    continue;
                };
                let profile = codec::profile::decode(&value).map_err(|_| damaged("a profile"))?;
                if self.hidden(id, profile.updated_at) {
                    report.faults.push(format!("the {} {id} was deleted and is in the state store", kind.as_str()));
                }
            }
            for parents in [RecordKind::Account, RecordKind::Organization, RecordKind::User] {
                let mut statements = Vec::new();
                read_statements(&Latest, state, (self.id, parents, id), &mut statements)?;
                let left = |at: Micros| self.hidden(id, at);
                if statements.iter().any(|statement| left(statement.stamp.at)) {
                    report.faults.push(format!("statements about the deleted record {id} are in the state store"));
                }
            }
        }
        Ok(())
    }

    fn examine_refused(&self, state: &State, report: &mut Report) -> Result<(), ReadError> {
        for entry in state.refused.prefix(self.id.0.to_be_bytes()) {
            let value = entry.value().map_err(|error| state_failed(&error))?;
            let refused = decode_refused(&value).map_err(not_a_record("the state store"))?;
            if mentions(&refused.body, self.ids, |id| self.hidden(id, refused.received_at)) {
                report.faults.push(format!("the message set aside {} names a deleted record", refused.id));
            }
        }
        Ok(())
    }

    fn examine_history(&self, manifest: &Manifest, report: &mut Report) -> Result<(), ReadError> {
        let hides = |id, reach| self.deleted.hides(id, reach);
        for segment in manifest.of(self.id) {
            let mut left = 0u64;
            find::heads(segment, self.ids, &|id| self.deleted.concerns(id), &mut |_, head| {
                left += u64::from(head.fate(head.reach(), hides) != Fate::Keep);
            })?;
            if left > 0 {
                let path = &segment.relative_path;
                report.faults.push(format!("{left} messages in history file {path} name deleted records"));
            }
        }
        Ok(())
    }
}

fn examine_journal(
    layout: &Layout,
    state: &State,
    workspaces: &FxHashMap<WorkspaceId, Workspace>,
    report: &mut Report,
) -> Result<(), ReadError> {
    let committed = state.position().map_err(|error| ReadError::Failed { what: error.to_string() })?;
    let mut left = 0u64;
    let mut look = |batch: &muster_store::batch::Batch| {
        let Some(workspace) = workspaces.get(&batch.workspace()) else { return };
        for entry in batch.entries() {
            match entry {
                Entry::Message(bytes) => {
                    let hides = |id, reach| workspace.deleted.hides(id, reach);
                    let fate = record::names(bytes).map(|names| names.fate(names.reach(), hides));
                    left += u64::from(fate != Ok(Fate::Keep));
                }
                Entry::Refused(bytes) => {
                    let named = decode_refused(bytes).is_ok_and(|refused| {
                        mentions(&refused.body, workspace.ids, |id| workspace.hidden(id, refused.received_at))
                    });
                    left += u64::from(named);
                }
                Entry::Forget(_) | Entry::Decree(_) | Entry::Import(_) | Entry::Owners(_) | Entry::TakeBack(_) => {}
            }
        }
    };
    // Also what a checkpoint has covered, in files that were not removed.
    let replayed = replay::everything(&layout.journal, committed, |batches| {
        batches.iter().for_each(&mut look);
        Ok(())
    });
    // And what is kept for followers.
    let kept = frames::each(&layout.forward, &mut || {}, &mut |batch| look(batch));
    // A journal that cannot be read is reported by whoever examines the journal.
    if replayed.is_ok() && kept.is_ok() && left > 0 {
        report.faults.push(format!("{left} messages in the journal name deleted records"));
    }
    Ok(())
}

fn examine_letters(
    state: &State,
    workspaces: &FxHashMap<WorkspaceId, Workspace>,
    report: &mut Report,
) -> Result<(), ReadError> {
    let mut left = 0u64;
    letters::each(state, &mut |workspace, letter| {
        let Some(workspace) = workspaces.get(&workspace) else { return };
        let hides = |id, reach| workspace.deleted.hides(id, reach);
        let fate = record::names(&letter.record).map(|names| names.fate(names.reach(), hides));
        left += u64::from(fate != Ok(Fate::Keep));
    })?;
    if left > 0 {
        report.faults.push(format!("{left} dead letters name deleted records"));
    }
    Ok(())
}
