//! What readers and the writer share: the overlays, the manifest and the disk, as one consistent view.
//!
//! The lock is held to look something up or to apply a group, never for I/O and never across an await. A reader that
//! needs the disk takes a snapshot of it under the same lock, so that what it sees of overlay and disk belongs together.

use std::sync::Arc;

use fjall::{Keyspace, Readable, Snapshot, UserValue};
use muster_model::{association::Statement, id::RecordId, kind::RecordKind, profile::Profile};
use muster_store::error::ReadError;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use crate::{
    codec,
    error::{damaged, state_failed},
    history::{footers::Footers, manifest::Manifest},
    keys::{self, ProfileKey},
    lists::{catalogue::Hearings, texts::Texts},
    overlay::{Overlay, StatementsKey},
    state::State,
};

/// The shared view.
pub struct Views {
    pub state: State,
    /// Held while names of files are removed, and by a backup while it takes links to files.
    pub names: Mutex<()>,
    pub footers: Arc<Footers>,
    /// What searches look through.
    pub texts: Texts,
    /// What messages in memory stated of traits, as far as somebody asked.
    pub hearings: Mutex<Hearings>,
    current: RwLock<Current>,
}

/// What is in memory at one moment.
pub struct Current {
    pub live: Overlay,
    pub frozen: Option<Arc<Overlay>>,
    pub manifest: Arc<Manifest>,
    /// How often the live overlay was frozen.
    pub freezes: u64,
}

/// What a reader keeps after letting go of the lock: everything but the live overlay.
pub struct Below {
    pub frozen: Option<Arc<Overlay>>,
    pub manifest: Arc<Manifest>,
    pub snapshot: Snapshot,
}

impl Views {
    pub fn new(state: State, live: Overlay, manifest: Manifest) -> Self {
        Views {
            state,
            names: Mutex::new(()),
            footers: Arc::new(Footers::default()),
            texts: Texts::default(),
            hearings: Mutex::default(),
            current: RwLock::new(Current { live, frozen: None, manifest: Arc::new(manifest), freezes: 0 }),
        }
    }

    /// Looks at what is in memory. Hold it briefly.
    pub fn look(&self) -> RwLockReadGuard<'_, Current> {
        self.current.read()
    }

    /// Changes what is in memory. Only the writer and the checkpoint's commit do.
    pub fn change<T>(&self, change: impl FnOnce(&mut Current) -> T) -> T {
        change(&mut self.current.write())
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
            self.below(&current)
        };
        below.profile(&self.state, key)
    }

    /// All statements about a user and parents of one kind.
    pub fn statements(&self, key: StatementsKey) -> Result<Vec<Statement>, ReadError> {
        let (mut statements, below) = {
            let current = self.look();
            (current.live.statements.get(&key).cloned().unwrap_or_default(), self.below(&current))
        };
        below.statements(&self.state, key, &mut statements)?;
        Ok(statements)
    }
}

impl Below {
    /// The profile below the live overlay.
    pub fn profile(&self, state: &State, key: &ProfileKey) -> Result<Option<Arc<Profile>>, ReadError> {
        if let Some(slot) = self.frozen.as_ref().and_then(|frozen| frozen.profiles.get(key)) {
            return Ok(Some(Arc::clone(&slot.profile)));
        }
        read_profile(&self.snapshot, state, key).map(|found| found.map(Arc::new))
    }

    /// Adds the statements below the live overlay.
    pub fn statements(&self, state: &State, key: StatementsKey, out: &mut Vec<Statement>) -> Result<(), ReadError> {
        if let Some(found) = self.frozen.as_ref().and_then(|frozen| frozen.statements.get(&key)) {
            out.extend_from_slice(found);
        }
        read_statements(&self.snapshot, state, key, out)
    }

    /// Adds the children of one kind below the live overlay.
    pub fn children(
        &self,
        state: &State,
        parent: &ProfileKey,
        kind: RecordKind,
        out: &mut Vec<RecordId>,
    ) -> Result<(), ReadError> {
        if let Some(found) = self.frozen.as_ref().and_then(|frozen| frozen.children.get(parent)) {
            out.extend(found.iter().filter(|(child, _)| *child == kind).map(|(_, id)| *id));
        }
        read_children(&self.snapshot, state, parent, kind, out)
    }
}

/// The disk as of a snapshot, or as of now.
pub trait Disk {
    fn value(&self, keyspace: &Keyspace, key: &[u8]) -> fjall::Result<Option<UserValue>>;
    fn prefixed(&self, keyspace: &Keyspace, prefix: &[u8]) -> fjall::Iter;
}

impl Disk for Snapshot {
    fn value(&self, keyspace: &Keyspace, key: &[u8]) -> fjall::Result<Option<UserValue>> {
        self.get(keyspace, key)
    }

    fn prefixed(&self, keyspace: &Keyspace, prefix: &[u8]) -> fjall::Iter {
        self.prefix(keyspace, prefix)
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
}

/// The profile on disk.
pub fn read_profile(from: &impl Disk, state: &State, key: &ProfileKey) -> Result<Option<Profile>, ReadError> {
    let Some(value) = from.value(&state.profiles, &key.bytes()).map_err(|error| state_failed(&error))? else {
        return Ok(None);
    };
    codec::profile::decode(&value).map(Some).map_err(|_| damaged("a profile"))
}

/// Adds the children of one kind on disk.
pub fn read_children(
    from: &impl Disk,
    state: &State,
    parent: &ProfileKey,
    kind: RecordKind,
    out: &mut Vec<muster_model::id::RecordId>,
) -> Result<(), ReadError> {
    let prefix = keys::children_prefix(parent.workspace, (parent.kind, parent.id), kind);
    for entry in from.prefixed(&state.children, &prefix) {
        let key = entry.key().map_err(|error| state_failed(&error))?;
        out.push(keys::parse_child_key(&key).ok_or_else(|| damaged("a child's key"))?);
    }
    Ok(())
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

fn parse_statement(key: &[u8], value: &[u8]) -> Result<Statement, ReadError> {
    let stamp = keys::parse_statement_key(key);
    let parent = value.get(..16).and_then(|bytes| bytes.try_into().ok()).map(u128::from_be_bytes);
    match (stamp, parent, value.get(16)) {
        (Some(stamp), Some(parent), Some(links @ (0 | 1))) => {
            Ok(Statement { stamp, parent: RecordId(parent), links: *links == 1 })
        }
        _ => Err(damaged("a statement")),
    }
}
