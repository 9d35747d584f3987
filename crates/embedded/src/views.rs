//! What readers and the writer share: the overlays, the manifest and the disk, as one consistent view.
//!
//! The lock is held to look something up or to apply a group, never for I/O and never across an await. A reader that
//! needs the disk takes a snapshot of it under the same lock, so that what it sees of overlay and disk belongs together.

use std::{ops::Bound, sync::Arc};

use fjall::{Keyspace, Readable, Snapshot, UserValue};
use muster_history::{footers::Footers, manifest::Manifest};
use muster_model::{
    association::Statement,
    id::{IdSpace, RecordId, WorkspaceId},
    kind::RecordKind,
    profile::Profile,
};
use muster_store::{codec, error::ReadError, profiles::Children};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use crate::{
    credentials,
    erase::tombstones::Tombstones,
    error::{damaged, state_failed},
    follow::book::Book,
    imports::ClosedImports,
    keys::{self, ProfileKey},
    lists::{catalogue::Hearings, gaps::GapBook, lineups::Lineups, mirrors::Mirrors, sets::Sets, texts::Texts},
    overlay::{HiddenChildren, Overlay, StatementsKey, told_of},
    state::State,
    tally::OnDisk,
};

/// The shared view.
pub struct Views {
    pub state: State,
    /// Held while names of files are removed, and by a backup while it takes links to files.
    pub names: Mutex<()>,
    pub footers: Arc<Footers>,
    /// What searches look through.
    pub texts: Arc<Texts>,
    /// What the index for lists answered lately.
    pub sets: Sets,
    /// Lists of few records that were sorted lately.
    pub lineups: Lineups,
    /// What lists ask of records in memory.
    pub mirrors: Mirrors,
    /// Stretches of lists in which no place is left.
    pub gaps: Arc<GapBook>,
    /// What messages in memory stated of traits, as far as somebody asked.
    pub hearings: Hearings,
    /// What was deleted.
    pub tombstones: Tombstones,
    /// Imports of which nothing more is taken.
    pub closed_imports: ClosedImports,
    /// Who follows what is accepted.
    pub book: Book,
    /// Held while something is worked out from the live overlay that must still be true when it is changed by it.
    pub correcting: Mutex<()>,
    /// Held by whoever merges tables of identities.
    pub merging: Mutex<()>,
    /// Held by whoever merges, rewrites or removes history files.
    pub files: Mutex<()>,
    /// Held during a commit to the state store, by whoever must not come between another's look and its commit.
    pub committing: Mutex<()>,
    current: RwLock<Current>,
}

/// What is in memory at one moment.
pub struct Current {
    pub live: Overlay,
    pub frozen: Option<Arc<Overlay>>,
    pub manifest: Arc<Manifest>,
    /// How often the live overlay was frozen.
    pub freezes: u64,
    /// The last frame of the journal that all of this holds.
    pub applied: u64,
    /// How many records lie on disk.
    pub on_disk: OnDisk,
}

impl Current {
    /// The live overlay, then the frozen one.
    pub fn overlays(&self) -> impl Iterator<Item = &Overlay> {
        std::iter::once(&self.live).chain(self.frozen.as_deref())
    }
}

/// What a reader keeps after letting go of the lock: everything but the live overlay.
pub struct Below {
    pub frozen: Option<Arc<Overlay>>,
    pub manifest: Arc<Manifest>,
    pub snapshot: Snapshot,
}

impl Views {
    pub fn new(
        state: State,
        live: Overlay,
        (manifest, on_disk): (Manifest, OnDisk),
        (tombstones, closed_imports): (Tombstones, ClosedImports),
        book: Book,
    ) -> Self {
        let (manifest, freezes, applied) = (Arc::new(manifest), 0, 0);
        let current = RwLock::new(Current { live, frozen: None, manifest, freezes, applied, on_disk });
        let (correcting, merging) = (Mutex::new(()), Mutex::new(()));
        let (files, committing) = (Mutex::new(()), Mutex::new(()));
        let (texts, sets, lineups, hearings) =
            (Arc::default(), Sets::default(), Lineups::default(), Hearings::default());
        let (names, footers, gaps) = (Mutex::new(()), Arc::new(Footers::default()), Arc::default());
        Views {
            state,
            names,
            footers,
            texts,
            sets,
            lineups,
            mirrors: Mirrors::default(),
            gaps,
            hearings,
            tombstones,
            closed_imports,
            book,
            correcting,
            merging,
            files,
            committing,
            current,
        }
    }

    /// How a workspace derives the ids of its records.
    pub fn id_space(&self, workspace: WorkspaceId) -> Result<IdSpace, ReadError> {
        let name = credentials::workspace_name(&self.state, workspace)?;
        Ok(IdSpace::new(&name))
    }

    /// Whether files are to be written anew, for a deletion or for an import that is taken back.
    pub fn is_rewriting(&self) -> bool {
        self.tombstones.is_erasing() || self.closed_imports.is_undoing()
    }

    /// Looks at what is in memory. Hold it briefly.
    pub fn look(&self) -> RwLockReadGuard<'_, Current> {
        self.current.read()
    }

    /// Changes what is in memory. Only the writer and the checkpoint's commit do.
    pub fn change<T>(&self, change: impl FnOnce(&mut Current) -> T) -> T {
        let mut current = self.current.write();
        current.live.profiles.tick();
        change(&mut current)
    }

    /// Everything below the live overlay, as of the moment of the look.
    pub fn below(&self, current: &Current) -> Below {
        Below {
            frozen: current.frozen.clone(),
            manifest: Arc::clone(&current.manifest),
            snapshot: self.state.database.snapshot(),
        }
    }

    /// The profile as of now.
    pub fn profile(&self, key: &ProfileKey) -> Result<Option<Arc<Profile>>, ReadError> {
        let below = {
            let current = self.look();
            if let Some(slot) = current.live.profiles.get(key) {
                return Ok(Some(Arc::clone(&slot.profile)));
            }
            if current.live.gone.contains_key(key) {
                return Ok(None);
            }
            self.below(&current)
        };
        below.profile(&self.state, key)
    }

    /// All statements about a user and parents of one kind.
    pub fn statements(&self, key: StatementsKey) -> Result<Vec<Statement>, ReadError> {
        let (mut statements, hidden, below) = {
            let current = self.look();
            let hidden = match current.live.gone.contains_key(&told_of(key)) {
                true => None,
                false => Some(current.live.unsaid.get(&key).cloned().unwrap_or_default()),
            };
            (current.live.statements.get(&key).cloned().unwrap_or_default(), hidden, self.below(&current))
        };
        if let Some(hidden) = hidden {
            let mut found = Vec::new();
            below.statements(&self.state, key, &mut found)?;
            statements.extend(found.into_iter().filter(|statement| !hidden.contains(&statement.parent)));
        }
        Ok(statements)
    }

    /// Everyone of a kind who named one of these as a parent, some perhaps several times.
    pub fn children(&self, parents: &[ProfileKey], kind: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        let mut found = Vec::new();
        let (hidden, below) = {
            let current = self.look();
            let live = &current.live;
            parents.iter().for_each(|parent| found.extend(live.children_of(parent, kind)));
            let hidden: Vec<HiddenChildren> = parents.iter().map(|parent| live.hidden_children(parent)).collect();
            (hidden, self.below(&current))
        };
        let (frozen, disk) = (below.frozen.as_deref(), &below.snapshot);
        for (parent, hidden) in parents.iter().zip(&hidden) {
            let children = (parent.workspace, Children::of((parent.kind, parent.id), kind), usize::MAX);
            children_below(hidden, frozen, disk, &self.state, children, &mut found)?;
        }
        Ok(found)
    }
}

impl Below {
    /// The profile below the live overlay.
    pub fn profile(&self, state: &State, key: &ProfileKey) -> Result<Option<Arc<Profile>>, ReadError> {
        if let Some(slot) = self.frozen.as_ref().and_then(|frozen| frozen.profiles.get(key)) {
            return Ok(Some(Arc::clone(&slot.profile)));
        }
        if self.frozen.as_ref().is_some_and(|frozen| frozen.gone.contains_key(key)) {
            return Ok(None);
        }
        read_profile(&self.snapshot, state, key).map(|found| found.map(Arc::new))
    }

    /// What senders call a record below the live overlay.
    pub fn name(&self, state: &State, key: &ProfileKey) -> Result<Option<Box<str>>, ReadError> {
        if let Some(slot) = self.frozen.as_ref().and_then(|frozen| frozen.profiles.get(key)) {
            return Ok(Some(slot.profile.external_id.clone()));
        }
        if self.frozen.as_ref().is_some_and(|frozen| frozen.gone.contains_key(key)) {
            return Ok(None);
        }
        let stored = self.snapshot.value(&state.profiles, &key.bytes()).map_err(|error| state_failed(&error))?;
        let name = |stored: UserValue| codec::profile::name(&stored).map_err(|_| damaged("a profile"));
        stored.map(name).transpose()
    }

    /// Adds the statements below the live overlay.
    pub fn statements(&self, state: &State, key: StatementsKey, out: &mut Vec<Statement>) -> Result<(), ReadError> {
        statements_below(self.frozen.as_deref(), &self.snapshot, state, key, out)
    }
}

/// Everything said of a user and its parents of one kind, as whoever changes the live overlay sees it.
pub fn statements_now(
    live: &Overlay,
    frozen: Option<&Overlay>,
    state: &State,
    key: StatementsKey,
) -> Result<Vec<Statement>, ReadError> {
    let mut statements = live.statements.get(&key).cloned().unwrap_or_default();
    let known = statements.len();
    statements_below(frozen, &Latest, state, key, &mut statements)?;
    if !live.gone.is_empty() || !live.unsaid.is_empty() {
        let below = statements.split_off(known);
        statements.extend(below.into_iter().filter(|said| !live.hides_statement(&key, said.parent)));
    }
    Ok(statements)
}

/// Everyone of a kind who named a record as a parent, as whoever changes the live overlay sees it.
pub fn children_now(
    live: &Overlay,
    frozen: Option<&Overlay>,
    state: &State,
    parent: &ProfileKey,
    kind: RecordKind,
) -> Result<Vec<RecordId>, ReadError> {
    let mut children = live.children_of(parent, kind);
    let below = (parent.workspace, Children::of((parent.kind, parent.id), kind), usize::MAX);
    children_below(&live.hidden_children(parent), frozen, &Latest, state, below, &mut children)?;
    Ok(first_children(children, usize::MAX))
}

/// Adds the statements below the live overlay, which may hide some of them.
pub fn statements_below(
    frozen: Option<&Overlay>,
    disk: &impl Disk,
    state: &State,
    key: StatementsKey,
    out: &mut Vec<Statement>,
) -> Result<(), ReadError> {
    let Some(frozen) = frozen else { return read_statements(disk, state, key, out) };
    out.extend(frozen.statements.get(&key).into_iter().flatten());
    let known = out.len();
    read_statements(disk, state, key, out)?;
    if !frozen.gone.is_empty() || !frozen.unsaid.is_empty() {
        let on_disk = out.split_off(known);
        out.extend(on_disk.into_iter().filter(|statement| !frozen.hides_statement(&key, statement.parent)));
    }
    Ok(())
}

/// Adds the next children below the live overlay, but for those that it hides: at least so many, if there are. Of these, any
/// may be behind others that are not there yet.
pub fn children_below(
    hidden: &HiddenChildren,
    frozen: Option<&Overlay>,
    disk: &impl Disk,
    state: &State,
    (workspace, children, limit): (WorkspaceId, Children, usize),
    out: &mut Vec<RecordId>,
) -> Result<(), ReadError> {
    let HiddenChildren::These(hidden) = hidden else { return Ok(()) };
    let (kind, parent) = (children.kind, ProfileKey::new(workspace, children.parent.0, children.parent.1));
    let in_frozen = frozen.map(|frozen| frozen.children_of(&parent, kind)).unwrap_or_default();
    out.extend(in_frozen.into_iter().filter(|id| children.takes((kind, *id)) && !hidden.contains(&(kind, *id))));
    let key = |id| keys::child_key(workspace, children.parent, (kind, id));
    let from = children.after.map_or(Bound::Included(key(RecordId(0))), |after| Bound::Excluded(key(after)));
    let mut left = limit;
    for entry in disk.between(&state.children, (from, Bound::Included(key(RecordId(u128::MAX))))) {
        if left == 0 {
            break;
        }
        let key = entry.key().map_err(|error| state_failed(&error))?;
        let id = keys::parse_child_key(&key).ok_or_else(|| damaged("a child's key"))?;
        let in_frozen = |frozen: &Overlay| frozen.hides_child(&parent, (kind, id));
        if !hidden.contains(&(kind, id)) && !frozen.is_some_and(in_frozen) {
            out.push(id);
            left -= 1;
        }
    }
    Ok(())
}

/// The first of some children, each once.
pub fn first_children(mut found: Vec<RecordId>, limit: usize) -> Vec<RecordId> {
    found.sort_unstable();
    found.dedup();
    found.truncate(limit);
    found
}

/// The disk as of a snapshot, or as of now.
pub trait Disk {
    fn value(&self, keyspace: &Keyspace, key: &[u8]) -> fjall::Result<Option<UserValue>>;
    fn prefixed(&self, keyspace: &Keyspace, prefix: &[u8]) -> fjall::Iter;
    fn between<K: AsRef<[u8]>>(&self, keyspace: &Keyspace, keys: (Bound<K>, Bound<K>)) -> fjall::Iter;
}

impl Disk for Snapshot {
    fn value(&self, keyspace: &Keyspace, key: &[u8]) -> fjall::Result<Option<UserValue>> {
        self.get(keyspace, key)
    }

    fn prefixed(&self, keyspace: &Keyspace, prefix: &[u8]) -> fjall::Iter {
        self.prefix(keyspace, prefix)
    }

    fn between<K: AsRef<[u8]>>(&self, keyspace: &Keyspace, keys: (Bound<K>, Bound<K>)) -> fjall::Iter {
        self.range(keyspace, keys)
    }
}

/// The disk as of now.
pub struct Latest;

impl Disk for Latest {
    fn value(&self, keyspace: &Keyspace, key: &[u8]) -> fjall::Result<Option<UserValue>> {
        keyspace.get(key)
    }

    fn prefixed(&self, keyspace: &Keyspace, prefix: &[u8]) -> fjall::Iter {
        keyspace.prefix(prefix)
    }

    fn between<K: AsRef<[u8]>>(&self, keyspace: &Keyspace, keys: (Bound<K>, Bound<K>)) -> fjall::Iter {
        keyspace.range(keys)
    }
}

/// The profile on disk.
pub fn read_profile(from: &impl Disk, state: &State, key: &ProfileKey) -> Result<Option<Profile>, ReadError> {
    let Some(value) = from.value(&state.profiles, &key.bytes()).map_err(|error| state_failed(&error))? else {
        return Ok(None);
    };
    codec::profile::decode(&value).map(Some).map_err(|_| damaged("a profile"))
}

/// Adds the statements on disk about a user and parents of one kind.
pub fn read_statements(
    from: &impl Disk,
    state: &State,
    key: StatementsKey,
    out: &mut Vec<Statement>,
) -> Result<(), ReadError> {
    let (workspace, parents, user) = key;
    for entry in from.prefixed(&state.statements, &keys::statements_prefix(workspace, user, parents)) {
        let (key, value) = entry.into_inner().map_err(|error| state_failed(&error))?;
        out.push(parse_statement(&key, &value)?);
    }
    Ok(())
}

/// The value of a statement: its parent, and whether it links.
pub fn statement_value(statement: &Statement) -> [u8; 17] {
    let mut value = [0; 17];
    value[..16].copy_from_slice(&statement.parent.0.to_be_bytes());
    value[16] = u8::from(statement.links);
    value
}

/// The statement of a key and a value.
pub fn parse_statement(key: &[u8], value: &[u8]) -> Result<Statement, ReadError> {
    let stamp = keys::parse_statement_key(key);
    let parent = value.get(..16).and_then(|bytes| bytes.try_into().ok()).map(u128::from_be_bytes);
    match (stamp, parent, value.get(16)) {
        (Some(stamp), Some(parent), Some(links @ (0 | 1))) => {
            Ok(Statement { stamp, parent: RecordId(parent), links: *links == 1 })
        }
        _ => Err(damaged("a statement")),
    }
}
