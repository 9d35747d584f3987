//! The few ways in which the engine touches the file system for what it keeps itself.
//!
//! Guarantees: what `make_dir` and `rename_durably` made is there after the loss of power, name and content; a half-written
//! file never has its final name. Never retries: a failed write or sync is the caller's to judge.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// Creates a directory if it is not there and makes its name durable, also when it was there: whoever created it may
/// have been killed before the name was synced. Repeats safely.
pub fn make_dir(path: &Path) -> io::Result<()> {
    if !path.is_dir() {
        fs::create_dir_all(path)?;
        sync_dir(path)?;
    }
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync_dir)
}

/// The same, and no other user of the machine may look into it; one that is there keeps its permissions.
pub fn make_private_dir(path: &Path) -> io::Result<()> {
    if !path.is_dir() {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            made => made?,
        }
        sync_dir(path)?;
    }
    make_dir(path)
}

/// Makes the names in a directory durable.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Gives a finished, synced file its final name, durably.
pub fn rename_durably(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_parent(to)
}

/// Removes a file if it is there. The removal need not be durable: whoever finds the file again removes it again.
pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Every regular file below a directory, sorted by path.
pub fn files_below(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() { dirs.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a file's name ends so.
pub fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

/// The bytes of all files below a directory; files and directories that vanish meanwhile count nothing.
pub fn bytes_below(dir: &Path) -> u64 {
    bytes_in(vec![dir.to_path_buf()])
}

fn bytes_in(mut dirs: Vec<PathBuf>) -> u64 {
    let mut bytes = 0;
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(about) if about.is_dir() => dirs.push(entry.path()),
                Ok(about) => bytes += about.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_vanished_takes_nothing_from_the_others() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("kept/deeper")).unwrap();
        fs::write(dir.path().join("kept/one"), [1; 10]).unwrap();
        fs::write(dir.path().join("kept/deeper/two"), [2; 32]).unwrap();
        // As it is known from its parent, and gone when it is its turn.
        let dirs = vec![dir.path().join("kept"), dir.path().join("gone")];
        assert_eq!(bytes_in(dirs), 42);
        assert_eq!(bytes_below(dir.path()), 42);
        assert_eq!(bytes_below(&dir.path().join("gone")), 0);
    }
}
