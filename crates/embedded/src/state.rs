//! The state store: what each keyspace of it holds, and how it is opened.
//!
//! Guarantees that a commit is all or nothing and durable before it returns. Never decides what is written; keys lie in
//! [`crate::keys`], values in [`muster_store::codec`].

use std::{path::Path, sync::Arc};

use fjall::{
    AbstractTree, Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Readable, SeqNo, Snapshot,
    UserValue, compaction::Leveled,
};

use muster_history::disk;

use crate::{
    error::{OpenError, reading},
    identities, keys, state_versions,
};

/// The open state store.
#[derive(Clone)]
pub struct State {
    pub database: Database,
    /// `format`, the number of the last journal frame that is in here (`position`), and that of the last checkpoint that began
    /// to change lists (`begun`).
    pub meta: Keyspace,
    /// Profiles by workspace, kind and id.
    pub profiles: Keyspace,
    /// Places of records in the two list orders.
    pub by_created: Keyspace,
    pub by_updated: Keyspace,
    /// Places of records by the values of their fields and traits.
    pub by_field: Keyspace,
    /// Traits that were ever stated, by key.
    pub stated: Keyspace,
    /// Children by parent.
    pub children: Keyspace,
    /// Link and unlink statements by user.
    pub statements: Keyspace,
    /// Identities of stored messages, with the digest of their content and the day of receipt.
    pub identities: Keyspace,
    /// Messages set aside, newest first, and where each lies.
    pub refused: Keyspace,
    pub refused_ids: Keyspace,
    /// Nothing; what is written here makes the store start a new log.
    pub filler: Keyspace,
    /// Deletions by workspace, newest first.
    pub deletions: Keyspace,
    /// Imports by workspace and number.
    pub imports: Keyspace,
    /// Messages that are taken back with an import, until their bytes are gone.
    pub taken: Keyspace,
    /// Records that are to be made anew for that.
    pub renewed: Keyspace,
    /// Followers, their places and their letters.
    pub followers: Keyspace,
    /// The history's files.
    pub manifest: Keyspace,
    /// Workspaces and keys.
    pub credentials: Keyspace,
}

/// Files that are kept open by who opens a store for a while, beside a server or instead of one.
const FILES_MAX: usize = 128;

/// Bytes of a keyspace that wait in memory to be written out. Each has its own, and commits come in large pieces: more would
/// only be kept longer.
const MEMTABLE_BYTES_MAX: u64 = 16 << 20;

/// Tables that may wait to be merged, where every checkpoint changes keys all over the keyspace. A merge takes in the whole
/// level below, so it is worth waiting for what several checkpoints wrote; a look-up asks so many filters at the most, and
/// a list steps over what so many tables removed, once ([`crate::lists::gaps`]).
/// A keyspace keeps what it was created with: those of earlier versions merge sooner.
const TABLES_MAX: u8 = 16;
/// Bytes of a table there; with so many waiting, the level below is as large as it would be by the database's own defaults.
const TABLE_BYTES: u64 = 16 << 20;

impl State {
    /// Opens the store, or creates it, for something that does not take long. A store of another format is refused untouched.
    pub fn open(dir: &Path, cache_bytes: u64) -> Result<State, OpenError> {
        Self::open_within(dir, cache_bytes, FILES_MAX)
    }

    /// The same with a bound of the files that are kept open.
    pub fn open_within(dir: &Path, cache_bytes: u64, files_max: usize) -> Result<State, OpenError> {
        reading("the state store", || Self::open_files(dir, cache_bytes, files_max))
    }

    fn open_files(dir: &Path, cache_bytes: u64, files_max: usize) -> Result<State, OpenError> {
        remove_unborn(dir)?;
        state_versions::check(dir)?;
        disk::make_dir(dir)?;
        let builder = Database::builder(dir).cache_size(cache_bytes).worker_threads(1);
        let builder = builder.with_compaction_filter_factories(Arc::new(identities::interruptible));
        let database = builder.max_cached_files(Some(files_max)).open().map_err(|error| match error {
            fjall::Error::Locked => OpenError::InUse { dir: dir.to_owned() },
            other => other.into(),
        })?;
        let usual = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES_MAX);
        let keyspace = |name: &str| database.keyspace(name, usual);
        let merging = Arc::new(Leveled::default().with_l0_threshold(TABLES_MAX).with_table_target_size(TABLE_BYTES));
        let scattered = |name: &str| database.keyspace(name, || usual().compaction_strategy(merging.clone()));
        let state = State {
            meta: keyspace("meta")?,
            profiles: scattered("profiles")?,
            by_created: scattered("by_created")?,
            by_updated: scattered("by_updated")?,
            by_field: scattered("by_field")?,
            stated: keyspace("stated")?,
            children: scattered("children")?,
            statements: scattered("statements")?,
            identities: database.keyspace(identities::NAME, || identities::options(usual()))?,
            refused: keyspace("refused")?,
            refused_ids: keyspace("refused_ids")?,
            filler: keyspace("filler")?,
            deletions: keyspace("deletions")?,
            imports: keyspace("imports")?,
            taken: keyspace("taken")?,
            renewed: keyspace("renewed")?,
            followers: keyspace("followers")?,
            manifest: keyspace("manifest")?,
            credentials: keyspace("credentials")?,
            database,
        };
        // The database syncs a new keyspace's files but not the names of the keyspaces' directories; without this a
        // loss of power could take a whole keyspace with it. Its own directory's name was synced before it was opened.
        for names in [dir.join("keyspaces"), dir.to_owned()] {
            disk::sync_dir(&names)?;
        }
        match state.number("format")? {
            Some(keys::FORMAT) => {}
            Some(before) if keys::FORMATS_BEFORE.contains(&before) => {
                let mut batch = state.batch();
                batch.insert(&state.meta, "format", keys::FORMAT.to_be_bytes());
                batch.commit()?;
            }
            Some(found) => return Err(OpenError::Format { found, known: keys::FORMAT }),
            None => {
                let mut batch = state.batch();
                batch.insert(&state.meta, "format", keys::FORMAT.to_be_bytes());
                batch.insert(&state.meta, "position", 0u64.to_be_bytes());
                batch.commit()?;
            }
        }
        Ok(state)
    }

    /// All of them.
    pub fn keyspaces(&self) -> [&Keyspace; 19] {
        [
            &self.meta,
            &self.profiles,
            &self.by_created,
            &self.by_updated,
            &self.by_field,
            &self.stated,
            &self.children,
            &self.statements,
            &self.identities,
            &self.refused,
            &self.refused_ids,
            &self.filler,
            &self.deletions,
            &self.imports,
            &self.taken,
            &self.renewed,
            &self.followers,
            &self.manifest,
            &self.credentials,
        ]
    }

    /// The number of the last journal frame whose effects are in here.
    pub fn position(&self) -> Result<u64, OpenError> {
        self.number("position")?.ok_or_else(no_position)
    }

    /// The same as of a snapshot.
    pub fn position_in(&self, snapshot: &Snapshot) -> Result<u64, OpenError> {
        number("position", snapshot.get(&self.meta, "position")?)?.ok_or_else(no_position)
    }

    /// Adds the journal position to a commit.
    pub fn put_position(&self, batch: &mut OwnedWriteBatch, position: u64) {
        batch.insert(&self.meta, "position", position.to_be_bytes());
    }

    /// The position of a checkpoint that began to change lists and was never committed.
    pub fn begun(&self) -> Result<Option<u64>, OpenError> {
        let (begun, position) = (self.number("begun")?, self.position()?);
        Ok(begun.filter(|begun| *begun > position))
    }

    /// Notes, durably, the position of a checkpoint that is about to change lists before its commit.
    pub fn note_begun(&self, position: u64) -> fjall::Result<()> {
        let mut batch = self.batch();
        batch.insert(&self.meta, "begun", position.to_be_bytes());
        batch.commit()
    }

    /// Up to which write no snapshot sees what was before it.
    pub fn unseen(&self) -> SeqNo {
        self.database.supervisor.snapshot_tracker.get_seqno_safe_to_gc()
    }

    /// Lets go of which tables a keyspace had before. The store keeps a file of that for every table that is ingested, until it
    /// merges some or writes out what it holds in memory.
    pub fn forget_versions(&self, keyspace: &Keyspace) -> fjall::Result<()> {
        Ok(keyspace.tree.get_version_history_lock().maintenance(keyspace.path(), self.unseen())?)
    }

    /// Whether it still takes writes: after a failure, also one in the background, it refuses them all.
    pub fn takes_writes(&self) -> Result<(), fjall::Error> {
        self.database.persist(PersistMode::Buffer)
    }

    /// A batch whose commit is durable when it returns.
    pub fn batch(&self) -> OwnedWriteBatch {
        self.database.batch().durability(Some(PersistMode::SyncAll))
    }

    fn number(&self, name: &str) -> Result<Option<u64>, OpenError> {
        number(name, self.meta.get(name)?)
    }
}

fn number(name: &str, value: Option<UserValue>) -> Result<Option<u64>, OpenError> {
    let Some(value) = value else { return Ok(None) };
    let bytes = value.as_ref().try_into().map_err(|_| OpenError::damaged(format!("the state store's {name}")))?;
    Ok(Some(u64::from_be_bytes(bytes)))
}

fn no_position() -> OpenError {
    OpenError::damaged("the state store has no journal position")
}

/// Removes a store whose creation was cut short: without its version the database neither opens nor creates it. The
/// version is synced before the first keyspace is made, so where there is a keyspace the version was lost otherwise,
/// and nothing is touched.
fn remove_unborn(dir: &Path) -> std::io::Result<()> {
    if !dir.exists() || is_born(dir) { Ok(()) } else { std::fs::remove_dir_all(dir) }
}

/// Whether a store lies here that anything was ever written to.
pub fn is_born(dir: &Path) -> bool {
    let has_keyspaces = || std::fs::read_dir(dir.join("keyspaces")).is_ok_and(|mut entries| entries.next().is_some());
    dir.join("version").exists() || has_keyspaces()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process killed in the first moments of its first start must not leave a directory that never opens again.
    #[test]
    fn a_creation_cut_short_is_begun_anew() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("state");
        std::fs::create_dir_all(dir.join("keyspaces")).unwrap();
        std::fs::write(dir.join("0.jnl"), [0; 64]).unwrap();
        std::fs::write(dir.join("lock"), "").unwrap();
        let state = State::open(&dir, 1 << 20).unwrap();
        assert_eq!(state.position().unwrap(), 0);
    }

    #[test]
    fn a_store_with_content_but_no_version_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("state");
        drop(State::open(&dir, 1 << 20).unwrap());
        std::fs::remove_file(dir.join("version")).unwrap();
        assert!(State::open(&dir, 1 << 20).is_err());
        assert!(dir.join("keyspaces/1").exists());
    }

    /// The database's own log checks itself, but not everything in it, and some of its checks are panics.
    #[test]
    fn a_flipped_bit_in_a_length_is_an_error_and_no_panic() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("state");
        drop(State::open(&dir, 1 << 20).unwrap());
        let path = dir.join("0.jnl");
        let mut log = std::fs::read(&path).unwrap();
        // In front of a key stand the lengths of its value, as it is and as it is stored, four bytes each.
        let key = log.windows(8).rposition(|bytes| bytes == b"position").expect("the position is in the log");
        log[key - 5] ^= 0x80;
        std::fs::write(&path, log).unwrap();
        let error = State::open(&dir, 1 << 20).err().expect("the damage is noticed");
        assert!(error.to_string().contains("state store"), "{error}");
    }
}
