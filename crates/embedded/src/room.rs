//! Whether the disk has room for what the engine may have to write.
//!
//! A disk that fills up is met early: below a floor of free space no message is taken, while what was taken still finds
//! the room to be brought into its final place. Asking costs a system call at most every so often. Quotas do not show in
//! the free space of a file system, so what needs much is tried out with a file that is set aside and removed.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rustix::fs::{FallocateFlags, fallocate, statvfs};

use crate::health::{HealthCell, Hindrance};

/// How long an answer about free space holds.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// The file with which room is tried out. A crash may leave it; the next trial takes it over.
pub const TRIAL_FILE: &str = "trial.tmp";
const TRIAL_BYTES: usize = 16 * 1024;

/// Free space below the data directory.
#[derive(Debug)]
pub struct Room {
    dir: PathBuf,
    free_bytes_min: u64,
    looked_at: Mutex<Option<Instant>>,
}

impl Room {
    /// Room in a directory, of which so much is to stay free.
    pub fn new(dir: &Path, free_bytes_min: u64) -> Room {
        Room { dir: dir.to_owned(), free_bytes_min, looked_at: Mutex::new(None) }
    }

    /// Compares the free space with the floor, unless that was done a moment ago, and tells `health`.
    pub fn look(&self, health: &HealthCell) {
        let due = {
            let mut looked_at = self.looked_at.lock();
            let due = looked_at.is_none_or(|at| at.elapsed() >= LOOK_INTERVAL);
            if due {
                *looked_at = Some(Instant::now());
            }
            due
        };
        if !due || self.free_bytes_min == 0 {
            return;
        }
        match self.free_bytes() {
            // Whoever cannot be asked does not stand in the way; a write that fails will.
            None => {}
            Some(free) if free >= self.free_bytes_min => health.clear(Hindrance::Room),
            Some(free) => {
                let reason =
                    format!("{} MiB are free on the disk, {} are to stay free", free >> 20, self.free_bytes_min >> 20);
                health.hinder(Hindrance::Room, &reason);
            }
        }
    }

    /// Whether so many bytes can be written without touching what is to stay free.
    pub fn spares(&self, bytes: u64) -> bool {
        self.free_bytes().is_none_or(|free| free >= self.free_bytes_min.saturating_add(bytes))
    }

    /// Tries out whether so many bytes can be had, below the floor too.
    pub fn try_out(&self, bytes: u64) -> io::Result<()> {
        with_trial_file(&self.dir, |file| match fallocate(file, FallocateFlags::empty(), 0, bytes.max(1)) {
            // Not every file system sets room aside; those that do not find out later.
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS | rustix::io::Errno::INVAL) => Ok(()),
            Err(error) => Err(error.into()),
        })
    }

    pub fn free_bytes(&self) -> Option<u64> {
        let about = statvfs(&self.dir).ok()?;
        Some(about.f_bavail.saturating_mul(about.f_frsize))
    }
}

/// Writes a little to a directory and syncs it, to find out whether that works again.
pub fn try_write(dir: &Path) -> io::Result<()> {
    with_trial_file(dir, |file| {
        file.write_all(&[0; TRIAL_BYTES])?;
        file.sync_all()
    })
}

fn with_trial_file(dir: &Path, trial: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let path = dir.join(TRIAL_FILE);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
    let tried = trial(&mut file);
    drop(file);
    fs::remove_file(&path)?;
    tried
}

/// Whether an error says that there is no room, rather than that something is broken.
pub fn is_lack_of_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use muster_store::status::Health;

    use super::*;

    #[test]
    fn a_floor_above_what_is_free_hinders_and_none_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let health = HealthCell::default();
        Room::new(dir.path(), u64::MAX).look(&health);
        assert!(matches!(health.health(), Health::Hindered { .. }));
        Room::new(dir.path(), 1).look(&health);
        assert_eq!(health.health(), Health::Ready);
        Room::new(dir.path(), 0).look(&health);
        assert_eq!(health.health(), Health::Ready);
    }

    #[test]
    fn trials_leave_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        Room::new(dir.path(), 0).try_out(1 << 20).unwrap();
        try_write(dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(Room::new(dir.path(), 0).spares(1) && !Room::new(dir.path(), 0).spares(u64::MAX));
    }
}
