//! Making the state store let go of bytes that no key leads to any more.
//!
//! A value that was overwritten or removed stays in the store's tables until they are merged, and in its own log until
//! that is replaced. Both happen here on purpose: what a keyspace has in memory is written out, the keyspaces that hold
//! customers' text, or tell of records, are merged whole, and the log is filled up until the store starts a new one and drops
//! the old. Identities are left to the merges that come anyway: `docs/decisions/0006-deletion.md` says why.

use std::{
    hash::{BuildHasher, RandomState},
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, Instant},
};

use fjall::Keyspace;
use muster_store::error::ReadError;

use crate::{error::state_failed, state::State};

/// Bytes after which the store starts a new log.
const LOG_BYTES: usize = 64_000_000;
const FILLER_BYTES: usize = 4 << 20;
/// What beginning a log anew may take on disk, tables of what fills it included.
pub const RENEWAL_BYTES_MAX: u64 = 4 * LOG_BYTES as u64;
/// The unit in which the system tells what a file takes.
const BLOCK_BYTES: u64 = 512;
const FILLER_KEY: &str = "filler";
/// How long the store may take to drop its old log.
const DROP_TIMEOUT: Duration = Duration::from_secs(60);
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// Looks of which one writes out every keyspace, the others only one of them.
const LOOKS_OF_ONE: usize = 50;

/// The keyspaces that are merged.
fn holding(state: &State) -> [&Keyspace; 7] {
    let State { profiles, by_field, refused, statements, children, followers, filler, .. } = state;
    [profiles, by_field, refused, statements, children, followers, filler]
}

/// Bytes that a merge and the log may take for a while, beside what there is.
pub fn bytes(state: &State) -> u64 {
    holding(state).into_iter().map(|keyspace| keyspace.disk_space()).sum::<u64>() + RENEWAL_BYTES_MAX
}

/// Has everything dropped that was removed before this is called; `false` when `go_on` said to stop before that.
pub fn purge(state: &State, state_dir: &Path, go_on: &dyn Fn() -> bool) -> Result<bool, ReadError> {
    if !begin_log(state, state_dir, go_on)? {
        return Ok(false);
    }
    for keyspace in holding(state) {
        if !go_on() {
            return Ok(false);
        }
        keyspace.major_compact().map_err(|error| state_failed(&error))?;
    }
    Ok(true)
}

/// What the store's log holds, which the next start has to read again.
pub fn log_bytes(state_dir: &Path) -> Result<u64, ReadError> {
    let failed = |error: std::io::Error| ReadError::Failed { what: error.to_string() };
    // The file is as long as it may become; what was written into it is what it takes.
    let written = |name: String| Ok(state_dir.join(name).metadata().map_err(failed)?.blocks() * BLOCK_BYTES);
    logs(state_dir)?.into_iter().map(written).sum()
}

/// Has the store write out what it holds in memory and begin its log anew; `false` when `go_on` said to stop before that.
pub fn begin_log(state: &State, state_dir: &Path, go_on: &dyn Fn() -> bool) -> Result<bool, ReadError> {
    let failed = |error: fjall::Error| state_failed(&error);
    let before = logs(state_dir)?;
    fill_log(state, go_on).map_err(failed)?;
    let started = Instant::now();
    let mut looks = 0;
    while looks == 0 || logs(state_dir)?.iter().any(|log| before.contains(log)) {
        if !go_on() {
            return Ok(false);
        }
        if started.elapsed() > DROP_TIMEOUT {
            return Err(ReadError::Failed { what: "the state store keeps its old log".to_owned() });
        }
        // The store drops a log once every keyspace has a table that is newer, and looks whenever it wrote one.
        let written: &[&Keyspace] = if looks % LOOKS_OF_ONE == 0 { &state.keyspaces() } else { &[&state.filler] };
        for keyspace in written {
            // One without any table would hold the log for ever; this makes one, of nothing.
            keyspace.remove(FILLER_KEY).map_err(failed)?;
            keyspace.rotate_memtable().map_err(failed)?;
        }
        std::thread::sleep(LOOK_PAUSE);
        looks += 1;
    }
    Ok(true)
}

/// Random bytes, so that no compression makes them fewer.
fn fill_log(state: &State, go_on: &dyn Fn() -> bool) -> fjall::Result<()> {
    let random = RandomState::new();
    for part in 0..=(LOG_BYTES / FILLER_BYTES) as u64 {
        if !go_on() {
            return Ok(());
        }
        let words = (0..FILLER_BYTES as u64 / 8).flat_map(|word| random.hash_one((part, word)).to_le_bytes());
        state.filler.insert(FILLER_KEY, words.collect::<Vec<u8>>())?;
    }
    state.filler.remove(FILLER_KEY)
}

/// The names of the store's logs.
fn logs(state_dir: &Path) -> Result<Vec<String>, ReadError> {
    let listed = std::fs::read_dir(state_dir).map_err(|error| ReadError::Failed { what: error.to_string() })?;
    let names = listed.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
    Ok(names.filter(|name| name.ends_with(".jnl")).collect())
}
