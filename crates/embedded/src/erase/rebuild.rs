//! Correcting records that stay, from the messages that are left.
//!
//! A record's own fields are a fold over the messages that name it. Where a removed message may have decided one, the
//! fold is made again from history and overlays; folding a message twice does no harm there. Counts, which follow from
//! other records, were corrected at once and stay as they are.

use std::{collections::BTreeSet, sync::Arc};

use muster_model::{
    association::Statement,
    change::{Ledger, NewProfile, apply},
    deletion::{DeletionId, Fate, Subject},
    id::{IdSpace, RecordId, WorkspaceId},
    kind::RecordKind,
    kinds::fields::named,
    message::Message,
    profile::{Body, Profile, Span},
    time::Micros,
};
use muster_store::{deletion::Delete, error::ReadError, record};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    find::{self, Concerned},
    tombstones::Instants,
    wipe::Wipe,
};
use crate::{
    error::not_a_record,
    history::{
        manifest::{Manifest, Segment},
        restore::{self, Rows},
    },
    keys::ProfileKey,
    overlay::Overlay,
    views::Views,
};

/// Whether a removed message may have decided a field of a record that stays.
pub fn is_needed(profile: &Profile, removed: Option<Span>, redacted: bool) -> bool {
    let own = match &profile.body {
        Body::Instance(_) | Body::NpsResponse(_) => removed.is_some() || redacted,
        Body::Account(_) => redacted,
        Body::Organization(_) | Body::User(_) | Body::CustomObject => false,
    };
    let Some((first, last)) = removed.and_then(|removed| removed.bounds()) else { return own };
    let edge = |span: Span| span.bounds().is_some_and(|(from, until)| first <= from || last >= until);
    let seen = match &profile.body {
        Body::Account(account) => edge(account.seen_named) || edge(account.seen),
        Body::User(user) => edge(user.seen) || edge(user.seen_loose),
        Body::Organization(_) | Body::Instance(_) | Body::NpsResponse(_) | Body::CustomObject => false,
    };
    own || seen || !profile.stated || first <= profile.first_known
}

/// The records to correct, as far as the messages read so far say.
pub struct Rebuild<'v> {
    views: &'v Views,
    workspace: WorkspaceId,
    ids: IdSpace,
    deleted: Arc<Instants>,
    profiles: FxHashMap<Subject, Option<Profile>>,
    /// Children that a message which is left has named, of the records to correct.
    related: FxHashSet<(Subject, Subject)>,
    /// Children that only removed messages may have named, by parent.
    doubtful: FxHashSet<(Subject, Subject)>,
    children: FxHashSet<RecordId>,
    read: FxHashSet<u64>,
}

impl<'v> Rebuild<'v> {
    /// Starts with the records that need it.
    pub fn new(
        views: &'v Views,
        workspace: WorkspaceId,
        deleted: Arc<Instants>,
        concerned: &Concerned,
    ) -> Result<Rebuild<'v>, ReadError> {
        let ids = views.id_space(workspace)?;
        let mut profiles = FxHashMap::default();
        let subjects: FxHashSet<Subject> = concerned.spans.keys().chain(&concerned.redacted).copied().collect();
        for subject in subjects {
            let Some(profile) = views.profile(&ProfileKey::new(workspace, subject.0, subject.1))? else { continue };
            let removed = concerned.spans.get(&subject).copied();
            if is_needed(&profile, removed, concerned.redacted.contains(&subject)) {
                profiles.insert(subject, None);
            }
        }
        let (related, read) = (FxHashSet::default(), FxHashSet::default());
        let doubtful = concerned.relations.clone();
        let children = doubtful.iter().map(|(_, (_, id))| *id).collect();
        Ok(Rebuild { views, workspace, ids, deleted, profiles, related, doubtful, children, read })
    }

    /// Whether nothing needs to be corrected.
    pub fn is_empty(&self) -> bool {
        self.profiles.is_empty() && self.doubtful.is_empty()
    }

    fn wanted(&self) -> FxHashSet<RecordId> {
        self.profiles.keys().map(|(_, id)| *id).chain(self.children.iter().copied()).collect()
    }

    /// Reads what there is and corrects the live overlay.
    pub fn correct(mut self) -> Result<(), ReadError> {
        let views = self.views;
        loop {
            let (manifest, frozen, rows, rows_read, generation) = {
                let current = views.look();
                let live = &current.live;
                let rows = live.rows().iter().filter(|row| row.workspace == self.workspace);
                let rows: Vec<_> = rows.map(|row| live.row_bytes(*row)).collect();
                (Arc::clone(&current.manifest), current.frozen.clone(), rows, live.rows().len(), current.generation)
            };
            self.read_files(&manifest)?;
            if let Some(frozen) = &frozen {
                self.read_overlay(frozen, 0)?;
            }
            for row in &rows {
                self.take(row.message().map_err(not_a_record("an overlay"))?)?;
            }
            // The writer waits from here on; what it did meanwhile is little.
            let _alone = views.correcting.lock();
            let mut changes = {
                let current = views.look();
                if current.generation != generation {
                    continue;
                }
                self.read_overlay(&current.live, rows_read)?;
                Wipe::plan(self.workspace, &self.vanished(), &current, &views.state)?
            };
            for (parent, child) in self.doubtful.iter().filter(|pair| !self.related.contains(pair)) {
                changes.unrelate(ProfileKey::new(self.workspace, parent.0, parent.1), *child);
            }
            return views.change(|current| {
                changes.apply(&mut current.live);
                self.corrected(current)?.apply(&mut current.live);
                Ok(())
            });
        }
    }

    /// Records that no message names any more.
    fn vanished(&self) -> Delete {
        let gone = self.profiles.iter().filter(|(_, left)| left.is_none()).map(|(subject, _)| *subject);
        let root = (RecordKind::User, RecordId(0));
        let never = Micros::MAX;
        Delete { id: DeletionId(0), root, requested_at: never, key_id: 0, at: never, subjects: gone.collect() }
    }

    /// The present version of each record that is left, with its own fields as the messages that are left say.
    fn corrected(&self, current: &crate::views::Current) -> Result<super::wipe::Changes, ReadError> {
        let mut changes = super::wipe::Changes::default();
        for (subject, rebuilt) in &self.profiles {
            let Some(rebuilt) = rebuilt else { continue };
            let key = ProfileKey::new(self.workspace, subject.0, subject.1);
            if let Some((mut known, below)) = super::wipe::known(current, &self.views.state, &key)? {
                adopt(Arc::make_mut(&mut known), rebuilt);
                changes.change(key, (known, below));
            }
        }
        Ok(changes)
    }

    fn read_files(&mut self, manifest: &Manifest) -> Result<(), ReadError> {
        let segments: Vec<Arc<Segment>> = manifest.of(self.workspace).cloned().collect();
        for segment in segments {
            if !self.read.insert(segment.id) {
                continue;
            }
            let mut groups: BTreeSet<usize> = BTreeSet::new();
            let wanted = self.wanted();
            find::heads(&segment, self.ids, &|id| wanted.contains(&id), &mut |group, _| {
                groups.insert(group);
            })?;
            if groups.is_empty() {
                continue;
            }
            for batch in restore::batches(&segment, Some(groups.into_iter().collect()))? {
                let batch = batch?;
                let odd = || crate::history::manifest::unreadable(&segment, &"unexpected columns");
                let rows = Rows::of(&batch).ok_or_else(odd)?;
                for row in 0..batch.num_rows() {
                    if rows.subjects(row, self.ids).iter().flatten().any(|(_, id)| wanted.contains(id)) {
                        self.take(rows.message(row, self.ids).ok_or_else(odd)?)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn read_overlay(&mut self, overlay: &Overlay, from: usize) -> Result<(), ReadError> {
        let workspace = self.workspace;
        for row in overlay.rows()[from..].iter().filter(|row| row.workspace == workspace) {
            self.take(record::decode(overlay.row_slice(*row)).map_err(not_a_record("an overlay"))?)?;
        }
        Ok(())
    }

    fn take(&mut self, message: Message<'_>) -> Result<(), ReadError> {
        let deleted = Arc::clone(&self.deleted);
        let deleted_at = |id| deleted.get(&id).copied();
        let message = match message.fate(deleted_at) {
            Fate::Keep => message,
            Fate::Redact => message.redacted(deleted_at),
            Fate::Drop => return Ok(()),
        };
        let mut wanted = false;
        for (kind, id, name) in named(&message) {
            if let Some(profile) = self.profiles.get_mut(&(kind, id)) {
                profile.get_or_insert_with(|| Profile::new(kind, id, name, message.received_at));
                wanted = true;
            }
            wanted |= self.children.contains(&id);
        }
        if wanted {
            let (profiles, related) = (&mut self.profiles, &mut self.related);
            let mut ledger =
                Own { profiles, related, other: Profile::new(RecordKind::User, RecordId(0), "", Micros(0)) };
            apply(&mut ledger, &message)?;
        }
        Ok(())
    }
}

/// Takes over what only the messages that name a record decide.
fn adopt(known: &mut Profile, rebuilt: &Profile) {
    known.stated = rebuilt.stated;
    known.first_known = rebuilt.first_known;
    known.traits = rebuilt.traits.clone();
    match (&mut known.body, &rebuilt.body) {
        (Body::Account(known), Body::Account(rebuilt)) => {
            known.organization = rebuilt.organization.clone();
            known.seen_named = rebuilt.seen_named;
            // Its first or last track may have gone; which one follows is in its users' tracks.
            known.seen_stale = true;
        }
        (Body::User(known), Body::User(rebuilt)) => {
            known.seen = rebuilt.seen;
            known.seen_loose = rebuilt.seen_loose;
        }
        (Body::Instance(known), Body::Instance(rebuilt)) => known.clone_from(rebuilt),
        (Body::NpsResponse(known), Body::NpsResponse(rebuilt)) => known.clone_from(rebuilt),
        _ => {}
    }
}

/// Lets a message change the records to correct, and nothing else.
struct Own<'a> {
    profiles: &'a mut FxHashMap<Subject, Option<Profile>>,
    related: &'a mut FxHashSet<(Subject, Subject)>,
    other: Profile,
}

impl Ledger for Own<'_> {
    type Error = ReadError;

    fn profile(&mut self, new: NewProfile<'_>) -> Result<&mut Profile, ReadError> {
        if let Some(Some(profile)) = self.profiles.get_mut(&(new.kind, new.id)) {
            return Ok(profile);
        }
        self.other = Profile::new(new.kind, new.id, new.external_id, new.received_at);
        Ok(&mut self.other)
    }

    fn statements(&mut self, _: RecordId, _: RecordKind) -> Result<Vec<Statement>, ReadError> {
        Ok(Vec::new())
    }

    fn keep_statement(&mut self, _: RecordId, _: RecordKind, _: Statement) {}

    fn children(&mut self, _: Subject, _: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        Ok(Vec::new())
    }

    fn relate(&mut self, parent: Subject, child: Subject) {
        self.related.insert((parent, child));
    }
}
