//! The state store's lists of its own tables, compared with their checksums before the database reads them.
//!
//! Each keyspace has such a list, and beside it a file that says which one is in force and what its checksum is. The database writes
//! that checksum and never compares it; a damaged list it may meet with a panic while it holds a lock, and then with a second
//! one that ends the process without a word. Compares only: nothing is ever mended or removed here.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::xxh3_128;

use crate::error::OpenError;

/// The file that says which list is in force.
const IN_FORCE: &str = "current";
/// The number of the kind of checksum that there is.
const XXH3: u8 = 0;

/// Compares the lists of all keyspaces of a store, if there is one.
pub fn check(state_dir: &Path) -> Result<(), OpenError> {
    let keyspaces = state_dir.join("keyspaces");
    let entries = match fs::read_dir(&keyspaces) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(OpenError::at(&keyspaces)(error)),
    };
    for entry in entries {
        check_one(state_dir, &entry.map_err(OpenError::at(&keyspaces))?.path())?;
    }
    Ok(())
}

fn check_one(state_dir: &Path, keyspace: &Path) -> Result<(), OpenError> {
    let says = keyspace.join(IN_FORCE);
    let bytes = match fs::read(&says) {
        Ok(bytes) => bytes,
        // A keyspace whose making was cut short; the database sees to it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(OpenError::at(&says)(error)),
    };
    let Some((list, checksum)) = in_force(keyspace, &bytes) else { return Err(differs(state_dir, &says)) };
    let found = fs::read(&list).map_err(OpenError::at(&list))?;
    if xxh3_128(&found) == checksum { Ok(()) } else { Err(differs(state_dir, &list)) }
}

/// The list in force and its checksum.
fn in_force(keyspace: &Path, says: &[u8]) -> Option<(PathBuf, u128)> {
    let (number, rest) = says.split_first_chunk::<8>()?;
    let (checksum, kind) = rest.split_first_chunk::<16>()?;
    let list = keyspace.join(format!("v{}", u64::from_le_bytes(*number)));
    (kind == [XXH3]).then(|| (list, u128::from_le_bytes(*checksum)))
}

/// The file is named by its place in the store, which may be looked at as a copy that lies elsewhere.
fn differs(state_dir: &Path, file: &Path) -> OpenError {
    let file = file.strip_prefix(state_dir).unwrap_or(file);
    OpenError::damaged(format!("the state store's {} is not what it wrote", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;

    #[test]
    fn every_flipped_bit_is_found() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("state");
        check(&dir).unwrap();
        drop(State::open(&dir, 1 << 20).unwrap());
        check(&dir).unwrap();
        let keyspace = dir.join("keyspaces/1");
        let says = keyspace.join(IN_FORCE);
        let (list, _) = in_force(&keyspace, &fs::read(&says).unwrap()).unwrap();
        for path in [says, list] {
            let whole = fs::read(&path).unwrap();
            for bit in 0..whole.len() * 8 {
                let mut damaged = whole.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                fs::write(&path, damaged).unwrap();
                assert!(check(&dir).is_err(), "bit {bit} of {}", path.display());
            }
            fs::write(&path, &whole[..whole.len() - 1]).unwrap();
            assert!(check(&dir).is_err());
            fs::write(&path, whole).unwrap();
        }
        check(&dir).unwrap();
        drop(State::open(&dir, 1 << 20).unwrap());
    }

    /// This one made the database panic twice, which no one can catch.
    #[test]
    fn a_damaged_list_is_an_error_and_no_end_of_the_process() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("state");
        drop(State::open(&dir, 1 << 20).unwrap());
        let list = dir.join("keyspaces/16/v0");
        let mut damaged = fs::read(&list).unwrap();
        damaged[9] ^= 1 << 5;
        fs::write(&list, damaged).unwrap();
        let error = State::open(&dir, 1 << 20).err().expect("the damage is noticed");
        assert!(error.to_string().contains("keyspaces/16/v0"), "{error}");
    }
}
