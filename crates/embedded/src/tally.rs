//! How many organizations, accounts and users there are.
//!
//! An overlay knows by how many it differs from what lies below it. The sums of what is on disk are in memory, and change on
//! disk in the commit that changes the records, with the journal position that they are right for: a directory of an earlier
//! version, or one that such a version wrote to, has none for its position, and its records are counted beside everything
//! else once it is open.

use std::sync::atomic::{AtomicBool, Ordering};

use fjall::{OwnedWriteBatch, Snapshot};
use muster_model::{id::WorkspaceId, kind::RecordKind};
use muster_store::{error::ReadError, status::Records};
use rustc_hash::FxHashMap;
use tracing::{error, info};

use crate::{
    error::{damaged, state_failed},
    keys::{self, ProfileKey},
    state::State,
    views::{Disk, Views},
};

/// The kinds that are counted, in the order of their numbers.
const KINDS: [RecordKind; 3] = [RecordKind::Organization, RecordKind::Account, RecordKind::User];
/// The key of the journal position that the sums on disk are right for.
const POSITION: &str = "counted";
/// What the keys of the sums on disk begin with; a workspace's number follows.
const PREFIX: &[u8] = b"records";
/// Records that are counted between two looks whether the store closes.
const LOOK_EVERY: usize = 4_096;

/// Numbers of records by workspace and kind, or what they changed by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(FxHashMap<WorkspaceId, [i64; KINDS.len()]>);

impl Tally {
    /// A record more, or one less.
    pub fn change(&mut self, key: &ProfileKey, by: i64) {
        if let Some(place) = KINDS.iter().position(|counted| *counted == key.kind) {
            self.0.entry(key.workspace).or_default()[place] += by;
        }
    }

    /// Adds what another one holds.
    pub fn add(&mut self, other: &Tally) {
        for (workspace, numbers) in &other.0 {
            let own = self.0.entry(*workspace).or_default();
            own.iter_mut().zip(numbers).for_each(|(own, number)| *own += number);
        }
    }

    /// What several together say of a workspace.
    fn sum<'a>(all: impl IntoIterator<Item = &'a Tally>, workspace: WorkspaceId) -> Records {
        let mut sums = [0i64; KINDS.len()];
        for numbers in all.into_iter().filter_map(|tally| tally.0.get(&workspace)) {
            sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
        }
        let [organizations, accounts, users] = sums.map(|sum| u64::try_from(sum).unwrap_or(0));
        Records { organizations, accounts, users }
    }

    /// Workspaces that have records here, or whose records changed.
    pub fn workspaces(&self) -> impl Iterator<Item = WorkspaceId> {
        self.0.keys().copied()
    }

    /// Those that are not what another one says, without those that hold nothing.
    pub fn differing(&self, other: &Tally) -> usize {
        let none = [0; KINDS.len()];
        let of = |tally: &Tally, workspace| tally.0.get(workspace).copied().unwrap_or(none);
        let known = self.0.keys().chain(other.0.keys().filter(|workspace| !self.0.contains_key(workspace)));
        known.filter(|workspace| of(self, workspace) != of(other, workspace)).count()
    }
}

/// How many records lie on disk.
#[derive(Clone, Debug, Default)]
pub struct OnDisk {
    /// Those that were there when the directory was opened; `None` while they are counted.
    first: Option<Tally>,
    /// What checkpoints changed since.
    since: Tally,
    /// The sums on disk are right for its position.
    is_written: bool,
}

impl OnDisk {
    /// What the disk says, unless nobody has counted yet or somebody changed records without counting.
    pub fn load(state: &State) -> Result<OnDisk, ReadError> {
        let first = read(state)?;
        Ok(OnDisk { is_written: first.is_some(), first, ..OnDisk::default() })
    }

    /// None, of a directory that is being made.
    pub fn none() -> OnDisk {
        OnDisk { first: Some(Tally::default()), ..OnDisk::default() }
    }

    /// Whether records are still to be counted.
    pub fn is_counting(&self) -> bool {
        self.first.is_none()
    }

    /// A checkpoint is done that changed them by so much, and to whose commit these were put.
    pub fn committed(&mut self, put: &OnDisk, by: &Tally) {
        self.since.add(by);
        self.is_written = put.first.is_some();
    }

    /// How many records a workspace has, those in memory included; `None` while they are counted.
    pub fn with<'a>(&'a self, memory: impl Iterator<Item = &'a Tally>, workspace: WorkspaceId) -> Option<Records> {
        let first = self.first.as_ref()?;
        Some(Tally::sum([first, &self.since].into_iter().chain(memory), workspace))
    }

    /// Adds what a checkpoint changes, and the position after it, to its commit.
    pub fn put(&self, by: &Tally, batch: &mut OwnedWriteBatch, state: &State, position: u64) {
        let Some(first) = &self.first else { return };
        let mut sums = first.clone();
        sums.add(&self.since);
        sums.add(by);
        for (workspace, numbers) in sums.0.iter().filter(|(one, _)| !self.is_written || by.0.contains_key(one)) {
            let mut value = [0; 8 * KINDS.len()];
            for (place, number) in value.chunks_exact_mut(8).zip(numbers) {
                place.copy_from_slice(&number.to_be_bytes());
            }
            batch.insert(&state.meta, key(*workspace), value);
        }
        batch.insert(&state.meta, POSITION, position.to_be_bytes());
    }
}

fn key(workspace: WorkspaceId) -> Vec<u8> {
    [PREFIX, &workspace.0.to_be_bytes()].concat()
}

/// The sums on disk, if they are right for its position.
pub fn read(state: &State) -> Result<Option<Tally>, ReadError> {
    let get = |key| state.meta.get(key).map_err(|error| state_failed(&error));
    let (counted, position) = (get(POSITION)?, get("position")?);
    if position.as_deref() == Some(&0u64.to_be_bytes()) {
        // No checkpoint was ever made.
        return Ok(Some(Tally::default()));
    }
    if counted.is_none() || counted != position {
        return Ok(None);
    }
    let mut tally = Tally::default();
    for entry in state.meta.prefix(PREFIX) {
        let (key, value) = entry.into_inner().map_err(|error| state_failed(&error))?;
        let malformed = || damaged("a number of records");
        let workspace = key.get(PREFIX.len()..).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        let (numbers, []) = value.as_chunks::<8>() else { return Err(malformed()) };
        let numbers: Vec<i64> = numbers.iter().map(|bytes| i64::from_be_bytes(*bytes)).collect();
        let numbers = numbers.try_into().map_err(|_| malformed())?;
        tally.0.insert(WorkspaceId(workspace.ok_or_else(malformed)?), numbers);
    }
    Ok(Some(tally))
}

/// Counts the records of a directory that has no sums, beside everything else. Each has one place in the list by creation,
/// written in the same commit, which is much less to read than the records.
pub fn count(views: &Views, disk: &Snapshot, closing: &AtomicBool) {
    let mut tally = Tally::default();
    for (number, entry) in disk.prefixed(&views.state.by_created, &[]).enumerate() {
        if number.is_multiple_of(LOOK_EVERY) && closing.load(Ordering::Acquire) {
            return;
        }
        let key = entry.key().map_err(|error| state_failed(&error));
        match key.and_then(|key| keys::parse_list_record(&key).ok_or_else(|| damaged("a place in a list"))) {
            Ok(key) => tally.change(&key, 1),
            Err(fault) => {
                error!(error = %fault, "the records could not be counted; this is tried again at the next start");
                return;
            }
        }
    }
    let workspaces = tally.0.len();
    views.change(|current| current.on_disk.first = Some(tally));
    info!(workspaces, "the records that were there are counted");
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use muster_model::{
        id::{IdSpace, RecordId},
        time::Micros,
    };
    use muster_store::{
        batch::BatchBuilder,
        credentials::{Credentials, NewKey, Scopes},
        journal::Journal,
        status::Status,
        suite::Sent,
    };

    use super::*;
    use crate::{Embedded, Options, recovery::Layout};

    const NOW: Micros = Micros(1_700_000_000_000_000);
    /// How long it may take on a machine that is busy.
    const PATIENCE: Duration = Duration::from_secs(60);

    async fn send(engine: &Embedded, texts: &[&str]) {
        let workspace = engine.workspaces()[0].clone();
        let ids = IdSpace::new(&workspace.name);
        let mut batch = BatchBuilder::new(workspace.id, 0);
        texts.iter().for_each(|text| Sent::new(*text, NOW).add_to(&mut batch, ids));
        engine.append(batch.build()).await.unwrap();
    }

    async fn counted(engine: &Embedded) -> Records {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(records) = engine.records(engine.workspaces()[0].id) {
                return records;
            }
            assert!(Instant::now() < until, "nobody counted");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// As a directory is that an earlier version kept.
    #[tokio::test]
    async fn a_directory_without_numbers_is_counted_once() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Embedded::open(Options::new(dir.path()), NOW).unwrap().0;
        let state = || State::open(&Layout::new(dir.path()).state, 1 << 20).unwrap();
        let engine = open();
        let (workspace_name, name) = ("default".to_owned(), "test".to_owned());
        let key = NewKey { workspace_name, name, scopes: Scopes::ALL, token_hash: [7; 32], created_at: NOW };
        engine.create_key(key).await.unwrap();
        send(&engine, &[r#"{"type":"user","userId":"u","accountId":"a","messageId":"1"}"#]).await;
        engine.close().await.unwrap();
        drop(engine);
        let kept = state();
        assert!(read(&kept).unwrap().is_some());
        kept.meta.remove(POSITION).unwrap();
        drop(kept);
        let engine = open();
        // Also while they are counted, which a checkpoint may come between.
        send(&engine, &[r#"{"type":"user","userId":"v","accountId":"a","messageId":"2"}"#]).await;
        engine.checkpoint().await;
        send(&engine, &[r#"{"type":"user","userId":"w","accountId":"b","messageId":"3"}"#]).await;
        assert_eq!(counted(&engine).await, Records { organizations: 0, accounts: 2, users: 3 });
        engine.close().await.unwrap();
        drop(engine);
        let mut expected = Tally::default();
        for (kind, many) in [(RecordKind::Account, 2), (RecordKind::User, 3)] {
            let key = ProfileKey::new(WorkspaceId(1), kind, RecordId(0));
            expected.change(&key, many);
        }
        assert_eq!(read(&state()).unwrap(), Some(expected));
    }
}
