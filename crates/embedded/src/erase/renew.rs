//! Records that a message taken back named, made anew from the messages that are left.
//!
//! Everything known of them goes, as if they were deleted, and all messages that name one are heard again, in one change that
//! readers see whole. What these messages say of other records stands already and is not changed by hearing it again. Of
//! tracks, which may be very many, only those are heard that can decide something.

use std::{collections::BTreeMap, sync::Arc};

use muster_model::{
    change,
    deletion::{DeletionId, Subject},
    id::{IdSpace, RecordId, WorkspaceId},
    kind::{Kind, RecordKind},
    kinds::fields::named,
    message::{Message, Named},
    profile::Body,
    time::Micros,
};
use muster_store::{
    deletion::{Delete, Instants},
    error::ReadError,
    record,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    find,
    there::{BEGINNINGS_MAX, There, overtaken},
    wipe::{self, Changes, Wipe},
};
use crate::{
    error::not_a_record,
    history::{
        manifest::{Manifest, Segment, unreadable},
        restore::{self, Rows},
    },
    keys::ProfileKey,
    overlay::Overlay,
    views::{Current, Views},
    writer::{apply::Places, ledger::OverlayLedger},
};

/// Makes records anew. `false`, with nothing changed, when the messages to hear again are more bytes than may be held.
pub fn renew(views: &Views, workspace: WorkspaceId, subjects: &[Subject], bytes_max: usize) -> Result<bool, ReadError> {
    let ids = views.id_space(workspace)?;
    let wanted = subjects.iter().map(|(_, id)| *id).collect();
    let deleted = views.tombstones.of(workspace).unwrap_or_default();
    let mut heard = Heard::new((workspace, ids), wanted, deleted, bytes_max);
    for _ in 0..BEGINNINGS_MAX {
        let deleted = views.tombstones.of(workspace).unwrap_or_default();
        if !Arc::ptr_eq(&heard.deleted, &deleted) && *heard.deleted != *deleted {
            let wanted = std::mem::take(&mut heard.wanted);
            heard = Heard::new((workspace, ids), wanted, Arc::clone(&deleted), bytes_max);
        }
        let there = There::look(views, workspace);
        heard.read_files(&there.manifest, subjects)?;
        if let Some(frozen) = &there.frozen {
            heard.read_overlay(frozen, 0)?;
        }
        for row in there.rows.iter() {
            heard.take(record::decode(row).map_err(not_a_record("an overlay"))?);
        }
        if heard.is_too_much() {
            return Ok(false);
        }
        // The writer waits from here on; what it did meanwhile is little.
        let _alone = views.correcting.lock();
        let changes = {
            let current = views.look();
            let now = views.tombstones.of(workspace).unwrap_or_default();
            if current.freezes != there.freezes || *deleted != *now {
                continue;
            }
            heard.read_overlay(&current.live, there.rows_read)?;
            Wipe::plan(workspace, &all_of(subjects), &current, &views.state)?
        };
        return views.change(|current| {
            changes.apply(&mut current.live);
            heard.hear_again(views, current)?;
            doubt_accounts(workspace, views, current, subjects)?;
            Ok(true)
        });
    }
    Err(overtaken())
}

/// The records, to be taken out as if they were deleted, at no instant.
fn all_of(subjects: &[Subject]) -> Delete {
    let (root, never) = ((RecordKind::User, RecordId(0)), Micros::MAX);
    let subjects = subjects.to_vec();
    Delete { id: DeletionId(0), root, requested_at: never, key_id: 0, at: never, subjects, parts: Vec::new() }
}

/// Of the tracks of users that name no account only the first and the last are heard again. Where a user had several accounts,
/// others may have been the first or the last of one of these: when those were seen is looked up. So it is with an anonymous
/// id that was several users.
fn doubt_accounts(
    workspace: WorkspaceId,
    views: &Views,
    current: &mut Current,
    subjects: &[Subject],
) -> Result<(), ReadError> {
    let key = |kind, id| ProfileKey::new(workspace, kind, id);
    let mut accounts: FxHashSet<RecordId> = FxHashSet::default();
    for (kind, id) in subjects.iter().filter(|(kind, _)| *kind == RecordKind::User) {
        let Some((user, _)) = wipe::known(current, &views.state, &key(*kind, *id))? else { continue };
        let Some(user) = user.as_user().filter(|user| user.seen_loose.bounds().is_some()) else { continue };
        if user.accounts.links().len() > 1 {
            accounts.extend(user.accounts.links().iter().map(|link| link.parent));
        }
    }
    let mut changes = Changes::default();
    for user in users_of_several(workspace, views, current, subjects)? {
        let key = key(RecordKind::User, user);
        let Some((mut known, below)) = wipe::known(current, &views.state, &key)? else { continue };
        if let Body::User(body) = &mut Arc::make_mut(&mut known).body {
            (body.seen_stale, body.loose_stale) = (true, true);
            accounts.extend(body.accounts.links().iter().map(|link| link.parent));
        }
        changes.change(key, (known, below));
    }
    for account in accounts {
        let key = key(RecordKind::Account, account);
        let Some((mut known, below)) = wipe::known(current, &views.state, &key)? else { continue };
        if let Body::Account(body) = &mut Arc::make_mut(&mut known).body {
            body.seen_stale = true;
        }
        changes.change(key, (known, below));
    }
    changes.apply(&mut current.live);
    Ok(())
}

/// The users that those of the records were which are anonymous ids of several.
fn users_of_several(
    workspace: WorkspaceId,
    views: &Views,
    current: &Current,
    subjects: &[Subject],
) -> Result<FxHashSet<RecordId>, ReadError> {
    let mut users: FxHashSet<RecordId> = FxHashSet::default();
    for (kind, id) in subjects.iter().filter(|(kind, _)| *kind == RecordKind::Anonymous) {
        let key = ProfileKey::new(workspace, *kind, *id);
        let Some((profile, _)) = wipe::known(current, &views.state, &key)? else { continue };
        let links = profile.as_anonymous().map_or(&[][..], |anonymous| anonymous.users.links());
        users.extend(links.iter().filter(|_| links.len() > 1).map(|link| link.parent));
    }
    Ok(users)
}

/// Messages that name one of the records.
struct Heard {
    workspace: WorkspaceId,
    ids: IdSpace,
    wanted: FxHashSet<RecordId>,
    deleted: Arc<Instants>,
    /// Files that were read.
    read: FxHashSet<u64>,
    /// In the order of receipt, in which they are heard again.
    others: BTreeMap<(Micros, u128), Vec<u8>>,
    tracks: FxHashMap<[Option<RecordId>; 4], Extremes>,
    /// Bytes held, and how many may be.
    bytes: usize,
    bytes_max: usize,
}

/// Of the tracks of the same records those that happened or were received first and last.
struct Extremes([(Micros, Vec<u8>); 4]);

impl Heard {
    fn new(
        (workspace, ids): (WorkspaceId, IdSpace),
        wanted: FxHashSet<RecordId>,
        deleted: Arc<Instants>,
        bytes_max: usize,
    ) -> Heard {
        let (read, others, tracks) = (FxHashSet::default(), BTreeMap::new(), FxHashMap::default());
        Heard { workspace, ids, wanted, deleted, read, others, tracks, bytes: 0, bytes_max }
    }

    fn is_too_much(&self) -> bool {
        self.bytes > self.bytes_max
    }

    fn read_files(&mut self, manifest: &Manifest, subjects: &[Subject]) -> Result<(), ReadError> {
        let filter = find::filter(subjects.iter().copied());
        let segments: Vec<Arc<Segment>> = manifest.of(self.workspace).cloned().collect();
        for segment in segments {
            if !self.read.insert(segment.id) || !find::may_hold(&segment, filter.as_ref())? {
                continue;
            }
            for batch in restore::batches(&segment, None)? {
                if self.is_too_much() {
                    return Ok(());
                }
                let batch = batch?;
                let odd = || unreadable(&segment, &"unexpected columns");
                let rows = Rows::of(&batch).ok_or_else(odd)?;
                for row in 0..batch.num_rows() {
                    if rows.subjects(row, self.ids).iter().flatten().any(|(_, id)| self.wanted.contains(id)) {
                        self.take(rows.message(row, self.ids).ok_or_else(odd)?);
                    }
                }
            }
        }
        Ok(())
    }

    fn read_overlay(&mut self, overlay: &Overlay, from: usize) -> Result<(), ReadError> {
        let workspace = self.workspace;
        for row in overlay.rows()[from..].iter().filter(|row| row.workspace == workspace) {
            self.take(record::decode(overlay.row_slice(*row)).map_err(not_a_record("an overlay"))?);
        }
        Ok(())
    }

    fn take(&mut self, message: Message<'_>) {
        let deleted = Arc::clone(&self.deleted);
        let Some(message) = message.left(|id, reach| deleted.hides(id, reach)) else { return };
        if !named(&message).any(|(_, id, _)| self.wanted.contains(&id)) {
            return;
        }
        let bytes = || {
            let mut bytes = Vec::new();
            record::encode(&message, &mut bytes);
            bytes
        };
        if message.kind != Kind::Track {
            let bytes = bytes();
            self.bytes += bytes.len();
            self.others.insert((message.received_at, message.identity.0), bytes);
            return;
        }
        let id = |named: &Option<Named<'_>>| named.as_ref().map(|named| named.id);
        let names = [id(&message.organization), id(&message.account), id(&message.user), id(&message.anonymous)];
        let (at, received) = (message.ordered_at(), message.received_at);
        let places = [at, Micros(at.0.saturating_neg()), received, Micros(received.0.saturating_neg())];
        let extremes = self.tracks.entry(names).or_insert_with(|| {
            let first = bytes();
            self.bytes += places.len() * first.len();
            Extremes(places.map(|place| (place, first.clone())))
        });
        for (place, kept) in places.into_iter().zip(&mut extremes.0) {
            if place < kept.0 {
                *kept = (place, bytes());
            }
        }
    }

    fn hear_again(self, views: &Views, current: &mut Current) -> Result<(), ReadError> {
        let mut tracks: BTreeMap<(Micros, u128), Vec<u8>> = self.others;
        for bytes in self.tracks.into_values().flat_map(|extremes| extremes.0).map(|(_, bytes)| bytes) {
            let head = record::peek(&bytes).map_err(not_a_record("an overlay"))?;
            tracks.insert((head.received_at, head.identity.0), bytes);
        }
        let (workspace, state) = (self.workspace, &views.state);
        for bytes in tracks.into_values() {
            let message = record::decode(&bytes).map_err(not_a_record("an overlay"))?;
            let (frozen, live) = (current.frozen.as_deref(), &mut current.live);
            let mut ledger = OverlayLedger { workspace, live, frozen, state, places: Places::default() };
            change::apply(&mut ledger, &message)?;
        }
        Ok(())
    }
}
