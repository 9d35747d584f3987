//! Files of a data directory as a disk sees them: copying a tree, finding what was written, changing single bits.
//!
//! Stores set aside far more room than they fill; copies keep the holes. Never touches the directory of a running server.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A block that is written when anything in it is not zero.
pub const BLOCK_BYTES: usize = 4096;

/// A file that belongs to the tests, below the crate's directory `tests`. The directory is the one the tests run in now:
/// what was built may have been built in another checkout that shared its target directory.
pub fn of_tests(path: &str) -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    PathBuf::from(here).join("tests").join(path)
}

/// Every file below `directory`, in order of names; none when there is no such directory.
pub fn all_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(directory) else { return files };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            files.extend(all_files(&path));
        } else {
            files.push(path);
        }
    }
    files
}

/// Copies a tree of directories and files.
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            write_sparsely(&target, &fs::read(entry.path()).unwrap());
        }
    }
}

/// Writes a file without spending room on blocks of zeros.
pub fn write_sparsely(path: &Path, content: &[u8]) {
    let mut file = File::create(path).unwrap();
    for (at, block) in content.chunks(BLOCK_BYTES).enumerate() {
        if block.iter().any(|byte| *byte != 0) {
            file.seek(SeekFrom::Start((at * BLOCK_BYTES) as u64)).unwrap();
            file.write_all(block).unwrap();
        }
    }
    file.set_len(content.len() as u64).unwrap();
}

/// How many bytes of a file are used: up to the last one that is not zero.
pub fn used_bytes(path: &Path) -> usize {
    fs::read(path).unwrap().iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

/// Turns one bit of a file round.
pub fn flip_bit(path: &Path, at: usize, bit: u8) {
    let mut content = fs::read(path).unwrap();
    content[at] ^= 1 << bit;
    write_sparsely(path, &content);
}
