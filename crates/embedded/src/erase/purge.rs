//! Making the state store let go of bytes that no key leads to any more.
//!
//! A value that was overwritten or removed stays in the store's tables until they are merged, and in its own log until
//! that is replaced. Both happen here on purpose: [its log is begun anew](crate::state_log), and the keyspaces that hold
//! customers' text, or tell of records, are merged whole. Identities are left to the merges that come anyway:
//! `docs/decisions/0006-deletion.md` says why.

use std::path::Path;

use fjall::Keyspace;
use muster_store::error::ReadError;

use crate::{error::state_failed, state::State, state_log};

/// The keyspaces that are merged.
fn holding(state: &State) -> [&Keyspace; 7] {
    let State { profiles, by_field, refused, statements, children, followers, filler, .. } = state;
    [profiles, by_field, refused, statements, children, followers, filler]
}

/// Bytes that a merge and the log may take for a while, beside what there is.
pub fn bytes(state: &State) -> u64 {
    holding(state).into_iter().map(|keyspace| keyspace.disk_space()).sum::<u64>() + state_log::RENEWAL_BYTES_MAX
}

/// Has everything dropped that was removed before this is called; `false` when `go_on` said to stop before that.
pub fn purge(state: &State, state_dir: &Path, go_on: &dyn Fn() -> bool) -> Result<bool, ReadError> {
    if !state_log::begin_anew(state, state_dir, go_on)? {
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
