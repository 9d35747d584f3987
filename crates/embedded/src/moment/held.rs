//! What is held, and looking records up in it.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use fjall::Readable;
use muster_history::{
    filescan::{Ground, NamedChildren},
    footers::{Footer, Footers},
    manifest::Segment,
};
use muster_model::{
    association::Statement,
    id::{IdSpace, RecordId, WorkspaceId},
    kind::RecordKind,
    message::ordered_at,
    profile::{Profile, Span},
};
use muster_store::{
    attribution::associations,
    codec,
    deletion::Veil,
    error::ReadError,
    lists::kept_seen,
    profiles::Children,
    rows::RowBatch,
    scan::{Extent, Moment, Scan, Scans, Wanted, Work},
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::scan::Everything;
use crate::{
    engine::{Embedded, Reader},
    error::{damaged, state_failed},
    follow::place::Place,
    keys::{self, ProfileKey},
    overlay::{HiddenChildren, KeptRows, Overlay, StatementsKey, told_of},
    state::State,
    views::{Below, children_below, first_children},
};

/// A workspace at one instant.
pub struct Held {
    pub(super) workspace: WorkspaceId,
    pub(super) ids: IdSpace,
    state: State,
    below: Below,
    live: Live,
    pub(super) frozen_rows: KeptRows,
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) footers: Arc<Footers>,
    /// The last frame of the journal that the moment holds.
    applied: u64,
    /// What was deleted and lies in rows and files still.
    pub(super) veil: Veil,
    /// Records in memory by kind, sorted by id; made when they are first asked for.
    sorted: [OnceLock<Vec<Arc<Profile>>>; RecordKind::ALL.len()],
    /// Records in memory by the parents they ever named.
    children: OnceLock<FxHashMap<RecordId, Vec<Arc<Profile>>>>,
    pub(super) rows: AtomicU64,
    pub(super) rows_skipped: AtomicU64,
    profiles: AtomicU64,
}

/// A record's id on disk, and the record unless memory knows it better.
type OnDisk = (RecordId, Option<Arc<Profile>>);

/// What of the live overlay belongs to the workspace.
struct Live {
    profiles: FxHashMap<ProfileKey, Arc<Profile>>,
    /// Of users with several parents, whose place in time the profile alone may not tell.
    statements: FxHashMap<StatementsKey, Vec<Statement>>,
    rows: KeptRows,
    /// What of the state below was deleted.
    gone: FxHashSet<ProfileKey>,
    unrelated: FxHashMap<ProfileKey, FxHashSet<(RecordKind, RecordId)>>,
    unsaid: FxHashMap<StatementsKey, FxHashSet<RecordId>>,
    /// Anonymous ids by the records that they are found from.
    anonymous: FxHashMap<ProfileKey, Vec<RecordId>>,
}

impl Scans for Embedded {
    fn extent(&self, workspace: WorkspaceId) -> Extent {
        let (messages, changed) = {
            let current = self.views.look();
            let of = |overlay: &Overlay| (overlay.rows().len() as u64, overlay.profiles.numbered().len() as u64);
            let (live, frozen) = (of(&current.live), current.frozen.as_deref().map(of).unwrap_or_default());
            let filed: u64 = current.manifest.of(workspace).map(|segment| segment.rows).sum();
            (filed + live.0 + frozen.0, live.1 + frozen.1)
        };
        let records = self.views.state.profiles.approximate_len() as u64 + changed;
        // How records divide among kinds is not counted; a company has more users than accounts.
        let share = |kind: &RecordKind| match kind {
            RecordKind::User => records,
            RecordKind::Account => records / 8,
            RecordKind::Organization => records / 16,
            RecordKind::Instance | RecordKind::NpsResponse => records / 4,
            RecordKind::CustomObject => records / 64,
            RecordKind::Anonymous => 0,
        };
        Extent { messages, records: RecordKind::SHOWN.each_ref().map(share) }
    }

    fn moment(&self, workspace: WorkspaceId) -> Result<Arc<dyn Moment>, ReadError> {
        let reader = Reader {
            views: Arc::clone(&self.views),
            registry: Arc::clone(&self.registry),
            options: Arc::clone(&self.options),
        };
        Ok(Arc::new(Held::take(&reader, workspace)?))
    }
}

impl Held {
    pub(super) fn take(reader: &Reader, workspace: WorkspaceId) -> Result<Held, ReadError> {
        let ids = reader.id_space(workspace)?;
        let (live, below, veil, applied) = {
            let current = reader.views.look();
            let veil = reader.views.tombstones.veil(workspace);
            (Live::of(&current.live, workspace), reader.views.below(&current), veil, current.applied)
        };
        let frozen_rows = below.frozen.as_ref().map(|frozen| frozen.rows_of(workspace)).unwrap_or_default();
        let segments = below.manifest.of(workspace).cloned().collect();
        Ok(Held {
            workspace,
            ids,
            state: reader.views.state.clone(),
            below,
            live,
            frozen_rows,
            segments,
            footers: Arc::clone(&reader.views.footers),
            applied,
            veil,
            sorted: std::array::from_fn(|_| OnceLock::new()),
            children: OnceLock::new(),
            rows: AtomicU64::new(0),
            rows_skipped: AtomicU64::new(0),
            profiles: AtomicU64::new(0),
        })
    }

    pub(super) fn live_rows(&self) -> &KeptRows {
        &self.live.rows
    }

    /// All statements about a user and parents of one kind. Only for users who ever had several.
    fn all_statements(&self, parents: RecordKind, user: RecordId) -> Result<Vec<Statement>, ReadError> {
        let key = (self.workspace, parents, user);
        let mut statements = self.live.statements.get(&key).cloned().unwrap_or_default();
        if self.live.gone.contains(&told_of(key)) {
            return Ok(statements);
        }
        let known = statements.len();
        self.below.statements(&self.state, key, &mut statements)?;
        if let Some(hidden) = self.live.unsaid.get(&key) {
            let below = statements.split_off(known);
            statements.extend(below.into_iter().filter(|statement| !hidden.contains(&statement.parent)));
        }
        Ok(statements)
    }

    fn next_children(&self, children: Children, limit: usize) -> Result<Vec<RecordId>, ReadError> {
        let mut found = Vec::new();
        let key = ProfileKey::new(self.workspace, children.parent.0, children.parent.1);
        let hidden = match self.live.gone.contains(&key) {
            true => HiddenChildren::All,
            false => HiddenChildren::These(self.live.unrelated.get(&key).cloned().unwrap_or_default()),
        };
        let (frozen, disk) = (self.below.frozen.as_deref(), &self.below.snapshot);
        children_below(&hidden, frozen, disk, &self.state, (self.workspace, children, limit), &mut found)?;
        let in_memory = self.children.get_or_init(|| self.live.by_parent());
        let live = in_memory.get(&children.parent.1).into_iter().flatten();
        let live = live.map(|profile| (profile.kind(), profile.id));
        found.extend(live.filter(|child| children.takes(*child)).map(|(_, id)| id));
        if children.kind == RecordKind::Anonymous {
            let anonymous = self.live.anonymous.get(&key).into_iter().flatten();
            found.extend(anonymous.filter(|id| children.takes((RecordKind::Anonymous, **id))));
        }
        Ok(first_children(found, limit))
    }

    /// What senders call a record.
    fn name(&self, kind: RecordKind, id: RecordId) -> Result<Option<Box<str>>, ReadError> {
        let key = ProfileKey::new(self.workspace, kind, id);
        match self.live.profiles.get(&key) {
            Some(profile) => Ok(Some(profile.external_id.clone())),
            None if self.live.gone.contains(&key) => Ok(None),
            None => self.below.name(&self.state, &key),
        }
    }

    fn record(&self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Profile>>, ReadError> {
        let key = ProfileKey::new(self.workspace, kind, id);
        match self.live.profiles.get(&key) {
            Some(profile) => Ok(Some(Arc::clone(profile))),
            None if self.live.gone.contains(&key) => Ok(None),
            None => self.below.profile(&self.state, &key),
        }
    }

    /// Records in memory, sorted by id.
    fn in_memory(&self, kind: RecordKind) -> &[Arc<Profile>] {
        self.sorted[kind as usize - 1].get_or_init(|| {
            let live = self.live.profiles.iter().filter(|(key, _)| key.kind == kind).map(|(_, profile)| profile);
            let frozen = self.below.frozen.iter().flat_map(|frozen| frozen.profiles.iter());
            let frozen = frozen.filter(|(key, _)| {
                key.kind == kind
                    && key.workspace == self.workspace
                    && !self.live.profiles.contains_key(key)
                    && !self.live.gone.contains(key)
            });
            let mut sorted: Vec<Arc<Profile>> =
                live.chain(frozen.map(|(_, slot)| &slot.profile)).map(Arc::clone).collect();
            sorted.sort_unstable_by_key(|profile| profile.id);
            sorted
        })
    }

    /// Records on disk after an id; those that memory knows better stand there as `None`.
    fn on_disk(&self, kind: RecordKind, after: Option<RecordId>, limit: usize) -> Result<Vec<OnDisk>, ReadError> {
        let prefix = keys::list_prefix(self.workspace, kind);
        let from = ProfileKey::new(self.workspace, kind, after.unwrap_or(RecordId(0))).bytes();
        let known = self.in_memory(kind);
        let mut found = Vec::with_capacity(limit);
        for entry in self.below.snapshot.range::<Vec<u8>, _>(&self.state.profiles, from.to_vec()..) {
            let (key, value) = entry.into_inner().map_err(|error| state_failed(&error))?;
            if !key.starts_with(&prefix) || found.len() == limit {
                break;
            }
            let id = key.get(5..21).and_then(|bytes| bytes.try_into().ok()).map(u128::from_be_bytes);
            let id = RecordId(id.ok_or_else(|| damaged("a profile's key"))?);
            if Some(id) == after {
                continue;
            }
            let key = ProfileKey::new(self.workspace, kind, id);
            let gone = self.live.gone.contains(&key)
                || self.below.frozen.as_ref().is_some_and(|frozen| frozen.gone.contains_key(&key));
            let in_memory = gone || known.binary_search_by_key(&id, |profile| profile.id).is_ok();
            let profile = match in_memory {
                true => None,
                false => Some(Arc::new(codec::profile::decode(&value).map_err(|_| damaged("a profile"))?)),
            };
            found.push((id, profile));
        }
        Ok(found)
    }
}

impl Live {
    fn of(overlay: &Overlay, workspace: WorkspaceId) -> Live {
        let mut live = Live {
            profiles: FxHashMap::default(),
            statements: FxHashMap::default(),
            rows: KeptRows::default(),
            gone: overlay.gone.keys().filter(|key| key.workspace == workspace).copied().collect(),
            unrelated: overlay.unrelated.clone(),
            unsaid: overlay.unsaid.clone(),
            anonymous: FxHashMap::default(),
        };
        for (key, slot) in overlay.profiles.iter().filter(|(key, _)| key.workspace == workspace) {
            live.profiles.insert(*key, Arc::clone(&slot.profile));
            for parents in [RecordKind::Account, RecordKind::Organization, RecordKind::User] {
                let Some(associations) = associations(&slot.profile, parents) else { continue };
                let statements = overlay.statements.get(&(workspace, parents, key.id));
                if let Some(statements) = statements.filter(|_| associations.links().len() > 1) {
                    live.statements.insert((workspace, parents, key.id), statements.clone());
                }
            }
        }
        for (parent, children) in overlay.children.iter().filter(|(parent, _)| parent.workspace == workspace) {
            let anonymous = children.iter().filter(|(kind, _)| *kind == RecordKind::Anonymous);
            let anonymous: Vec<RecordId> = anonymous.map(|(_, id)| *id).collect();
            if !anonymous.is_empty() {
                live.anonymous.insert(*parent, anonymous);
            }
        }
        live.rows = overlay.rows_of(workspace);
        live
    }

    fn by_parent(&self) -> FxHashMap<RecordId, Vec<Arc<Profile>>> {
        let mut by_parent: FxHashMap<RecordId, Vec<Arc<Profile>>> = FxHashMap::default();
        for profile in self.profiles.values() {
            let mut add = |parent| by_parent.entry(parent).or_default().push(Arc::clone(profile));
            if let Some(user) = profile.as_user() {
                user.accounts.links().iter().chain(user.organizations.links()).for_each(|link| add(link.parent));
            }
            if let Some(organization) = profile.as_account().and_then(|account| account.parent()) {
                add(organization.id);
            }
        }
        by_parent
    }
}

impl Ground for Held {
    fn ids(&self) -> IdSpace {
        self.ids
    }

    fn veil(&self) -> &Veil {
        &self.veil
    }

    fn footer(&self, segment: &Arc<Segment>) -> Result<Arc<Footer>, ReadError> {
        self.footers.of(segment)
    }

    fn find(&self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Profile>>, ReadError> {
        self.record(kind, id)
    }

    fn statements(&self, parents: RecordKind, about: RecordId) -> Result<Vec<Statement>, ReadError> {
        self.all_statements(parents, about)
    }

    fn named_children(&self, children: Children, limit: usize) -> Result<NamedChildren, ReadError> {
        let page = self.next_children(children, limit)?;
        let names = page.iter().filter_map(|id| self.name(children.kind, *id).transpose());
        let names = names.collect::<Result<_, ReadError>>()?;
        Ok((page, names))
    }

    fn looked_at(&self, rows: u64, passed_over: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.rows_skipped.fetch_add(passed_over, Ordering::Relaxed);
    }
}

impl Moment for Held {
    fn place(&self) -> Vec<u8> {
        Place::at(self.applied + 1).encode()
    }

    fn profile(&self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Profile>>, ReadError> {
        self.profiles.fetch_add(1, Ordering::Relaxed);
        self.record(kind, id)
    }

    fn profiles(
        &self,
        kind: RecordKind,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<Arc<Profile>>, ReadError> {
        let limit = limit.max(1);
        let mut page: Vec<Arc<Profile>> = Vec::with_capacity(limit);
        let sorted = self.in_memory(kind);
        let mut memory = after.map_or(0, |after| sorted.partition_point(|profile| profile.id <= after));
        let mut cursor = after;
        while page.len() < limit {
            let disk = self.on_disk(kind, cursor, limit)?;
            let ended = disk.len() < limit;
            for (id, profile) in disk {
                while sorted.get(memory).is_some_and(|next| next.id <= id) && page.len() < limit {
                    page.push(Arc::clone(&sorted[memory]));
                    memory += 1;
                }
                if page.len() == limit {
                    break;
                }
                page.extend(profile);
                cursor = Some(id);
            }
            if ended {
                break;
            }
        }
        let room = limit - page.len();
        page.extend(sorted.get(memory..).unwrap_or_default().iter().take(room).cloned());
        self.profiles.fetch_add(page.len() as u64, Ordering::Relaxed);
        Ok(page)
    }

    fn children(&self, children: Children, limit: usize) -> Result<Vec<RecordId>, ReadError> {
        self.next_children(children, limit)
    }

    fn seen(&self, profile: &Profile, go_on: &dyn Fn() -> bool) -> Result<Span, ReadError> {
        if let (seen, true) = kept_seen(profile) {
            return Ok(seen);
        }
        let names = Some([profile.external_id.clone()].into());
        let wanted = match profile.kind() {
            RecordKind::User => Wanted { users: names, ..Wanted::events() },
            _ => Wanted { accounts: names, ..Wanted::events() },
        };
        let mut scan = Everything::new(self, wanted)?;
        let (mut seen, mut batch) = (Span::default(), RowBatch::default());
        while scan.read(self, &mut batch)? {
            for (at, received_at) in batch.timestamps.iter().zip(&batch.received_at) {
                seen.take_in(ordered_at(*at, *received_at));
            }
            if !go_on() {
                return Err(ReadError::TooLarge { what: "a record's first and last track".to_owned() });
            }
        }
        Ok(seen)
    }

    fn scan(self: Arc<Self>, wanted: Wanted) -> Result<Box<dyn Scan>, ReadError> {
        let everything = Everything::new(&self, wanted)?;
        Ok(Box::new(Reading { held: self, everything }))
    }

    fn work(&self) -> Work {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Work { rows: read(&self.rows), rows_skipped: read(&self.rows_skipped), profiles: read(&self.profiles) }
    }
}

/// A scan with the moment it reads from.
struct Reading {
    held: Arc<Held>,
    everything: Everything,
}

impl Scan for Reading {
    fn next(&mut self, batch: &mut RowBatch) -> Result<bool, ReadError> {
        self.everything.read(&self.held, batch)
    }
}
