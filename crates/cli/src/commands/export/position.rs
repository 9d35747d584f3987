//! How far `--follow` has come, in a file that outlives the command.
//!
//! Written anew as a whole and synced each time, after what it speaks of was handed on. One command at a time uses it.

use std::{
    fs::{self, File, TryLockError},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;
/// Positions are written at most so often while lines come.
const KEEP_INTERVAL: Duration = Duration::from_secs(1);

/// How far it has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Reached {
    version: u32,
    /// What the server calls what it keeps for us; nothing before it was asked.
    pub tail: Option<String>,
    /// The last position that was told; nothing before the export is whole.
    pub position: Option<String>,
    /// Bytes of the file that belong to it, when there is a file.
    pub bytes: Option<u64>,
}

/// The file.
pub struct Kept {
    path: Option<PathBuf>,
    _lock: Option<File>,
    pub reached: Reached,
    kept_at: Instant,
    /// Whether something is not in the file yet.
    ahead: bool,
}

impl Kept {
    /// Reads the file if it is there; without a path nothing is kept.
    pub fn open(path: Option<&Path>) -> anyhow::Result<Kept> {
        let mut kept = Kept {
            path: path.map(Path::to_owned),
            _lock: None,
            reached: Reached { version: VERSION, ..Reached::default() },
            kept_at: Instant::now(),
            ahead: false,
        };
        let Some(path) = path else { return Ok(kept) };
        let says = || format!("{} cannot be used to keep a position", path.display());
        let lock = File::create(beside(path, ".lock")).with_context(says)?;
        match lock.try_lock() {
            Ok(()) => kept._lock = Some(lock),
            Err(TryLockError::WouldBlock) => {
                bail!("another command uses {}; stop it, or give another file", path.display())
            }
            Err(TryLockError::Error(error)) => return Err(anyhow::Error::new(error).context(says())),
        }
        match fs::read(path) {
            Ok(text) => {
                let reached: Option<Reached> = serde_json::from_slice(&text).ok();
                let reached = reached.filter(|reached| reached.version == VERSION);
                kept.reached = reached.ok_or_else(|| anyhow!("{} holds no position of ours", path.display()))?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(anyhow::Error::new(error).context(says())),
        }
        Ok(kept)
    }

    /// Whether positions are kept at all.
    pub fn outlives(&self) -> bool {
        self.path.is_some()
    }

    /// Everything that belongs to a position was handed on.
    pub fn advance(&mut self, position: String, bytes: Option<u64>) {
        let reached = Reached { position: Some(position), bytes, ..self.reached.clone() };
        self.ahead |= reached != self.reached;
        self.reached = reached;
    }

    /// Whether it is time to write the file.
    pub fn is_due(&self) -> bool {
        self.ahead && self.kept_at.elapsed() >= KEEP_INTERVAL
    }

    /// Writes the file.
    pub fn keep(&mut self) -> anyhow::Result<()> {
        (self.kept_at, self.ahead) = (Instant::now(), false);
        let Some(path) = &self.path else { return Ok(()) };
        let write = || -> std::io::Result<()> {
            let unfinished = beside(path, ".unfinished");
            let mut file = File::create(&unfinished)?;
            file.write_all(&serde_json::to_vec(&self.reached)?)?;
            file.sync_all()?;
            fs::rename(&unfinished, path)?;
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
        };
        write().with_context(|| format!("{} cannot be written", path.display()))
    }

    /// Removes the file.
    pub fn forget(self) -> anyhow::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        for path in [path.clone(), beside(path, ".lock")] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(anyhow::Error::new(error).context(format!("{} cannot be removed", path.display())));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_reads_back_and_one_command_uses_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("position");
        let mut kept = Kept::open(Some(&path)).unwrap();
        assert_eq!(kept.reached.tail, None);
        kept.reached.tail = Some("tail-1".to_owned());
        kept.advance("0a".to_owned(), Some(7));
        kept.keep().unwrap();
        assert!(Kept::open(Some(&path)).err().unwrap().to_string().contains("another command"));
        let reached = kept.reached.clone();
        drop(kept);
        assert_eq!(Kept::open(Some(&path)).unwrap().reached, reached);
        for wrong in ["", "{}", r#"{"version":2}"#] {
            fs::write(&path, wrong).unwrap();
            assert!(Kept::open(Some(&path)).is_err(), "{wrong}");
        }
        fs::remove_file(&path).unwrap();
        Kept::open(Some(&path)).unwrap().forget().unwrap();
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }
}
