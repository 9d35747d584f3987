//! The state store's own log, begun anew on purpose.
//!
//! The store drops a log only once it is full and everything in it lies in tables; until then what was removed stays in it, and
//! a start reads it from its beginning. So it is filled up until the store starts another one, and what is in memory is
//! written out. Never touches a file of the store: it has the store do it.

use std::{
    fs,
    hash::{BuildHasher, RandomState},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, Instant},
};

use fjall::Keyspace;
use muster_store::error::ReadError;
use tracing::{info, warn};

use crate::{error::state_failed, room::Room, state::State};

/// Bytes after which the store starts a new log.
const LOG_BYTES: usize = 64_000_000;
/// The store starts another log while it is being written to, so one such piece may still go into that one: much less than
/// [`LEFT_BYTES_MAX`].
const FILLER_BYTES: usize = 1 << 20;
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
/// What the log may hold when the store is closed: a start reads it in some hundredths of a second.
const LEFT_BYTES_MAX: u64 = 4 << 20;

const _: () = assert!(2 * FILLER_BYTES as u64 <= LEFT_BYTES_MAX);
/// How long closing may take longer for a log without more.
const LEAVING_MAX: Duration = Duration::from_secs(10);

/// Has the store begin its log anew before it is closed, so that the next start does not read again what lies in tables.
/// Nothing depends on it.
pub fn leave_little(state: &State, state_dir: &Path, room: &Room) {
    let until = Instant::now() + LEAVING_MAX;
    let renewed = held_bytes(state_dir).and_then(|bytes| match bytes {
        0..LEFT_BYTES_MAX => Ok(true),
        _ if !room.spares(RENEWAL_BYTES_MAX) => Ok(false),
        _ => begin_anew(state, state_dir, &|| Instant::now() < until),
    });
    match renewed {
        Ok(true) => {}
        Ok(false) => info!("the state store keeps its log; the next start reads it again"),
        Err(fault) => warn!(error = %fault, "the state store keeps its log; the next start reads it again"),
    }
}

/// Has the store write out what it holds in memory and drop the log that it has now; `false` when `go_on` said to stop before
/// that.
pub fn begin_anew(state: &State, state_dir: &Path, go_on: &dyn Fn() -> bool) -> Result<bool, ReadError> {
    let failed = |error: fjall::Error| state_failed(&error);
    let before = logs(state_dir)?;
    fill(state, &|| Ok(go_on() && logs(state_dir)?.iter().all(|log| before.contains(log))))?;
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
            write_out(keyspace, std::ptr::eq(*keyspace, &state.identities)).map_err(failed)?;
        }
        std::thread::sleep(LOOK_PAUSE);
        looks += 1;
    }
    Ok(true)
}

/// Has the store write out what it holds of a keyspace in memory. One without any table would hold the log for ever; this makes
/// one, of nothing.
fn write_out(keyspace: &Keyspace, merged_elsewhere: bool) -> fjall::Result<()> {
    if !merged_elsewhere {
        keyspace.remove(FILLER_KEY)?;
        return keyspace.rotate_memtable().map(drop);
    }
    // [Whoever writes a single key](crate::identities) would wait for as long as many tables do.
    let mut nothing = keyspace.start_ingestion()?;
    nothing.write_tombstone(FILLER_KEY)?;
    nothing.finish()
}

/// Writes random bytes, so that no compression makes them fewer, as long as `go_on` says so and until any log is full.
fn fill(state: &State, go_on: &dyn Fn() -> Result<bool, ReadError>) -> Result<(), ReadError> {
    let failed = |error: fjall::Error| state_failed(&error);
    let random = RandomState::new();
    for part in 0..=(LOG_BYTES / FILLER_BYTES) as u64 {
        if !go_on()? {
            break;
        }
        let words = (0..FILLER_BYTES as u64 / 8).flat_map(|word| random.hash_one((part, word)).to_le_bytes());
        state.filler.insert(FILLER_KEY, words.collect::<Vec<u8>>()).map_err(failed)?;
    }
    state.filler.remove(FILLER_KEY).map_err(failed)
}

/// What the log holds.
fn held_bytes(state_dir: &Path) -> Result<u64, ReadError> {
    // The file is as long as it may become; what was written into it is what it takes. The store may drop one meanwhile.
    let held = |name: String| match state_dir.join(name).metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        about => Ok(about.map_err(unreadable)?.blocks() * BLOCK_BYTES),
    };
    logs(state_dir)?.into_iter().map(held).sum()
}

/// The names of the store's logs.
fn logs(state_dir: &Path) -> Result<Vec<String>, ReadError> {
    let names = fs::read_dir(state_dir).map_err(unreadable)?;
    let names = names.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
    Ok(names.filter(|name| name.ends_with(".jnl")).collect())
}

fn unreadable(error: io::Error) -> ReadError {
    ReadError::Failed { what: error.to_string() }
}
