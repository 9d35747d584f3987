//! Syncing a file on a thread of its own, while whoever waits for it does something else.
//!
//! One sync is under way at a time. What it came to is always waited for, so nobody goes on without it.

use std::{
    fs::File,
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded};
use tracing::info;

use super::urgent;

/// What a sync came to, and how long it took.
pub type Synced = (io::Result<()>, Duration);

/// The thread. It ends when this is dropped.
#[derive(Debug)]
pub struct Syncer {
    files: Sender<Arc<File>>,
    synced: Receiver<Synced>,
}

impl Syncer {
    /// Starts the thread.
    pub fn start() -> io::Result<Syncer> {
        let (files, to_sync) = bounded::<Arc<File>>(1);
        let (done, synced) = bounded(1);
        let (told, urgency) = bounded(1);
        let work = move || {
            let _ = told.send(urgent::make_urgent());
            to_sync.iter().take_while(|file| done.send(sync(file)).is_ok()).for_each(drop);
        };
        thread::Builder::new().name("muster-sync".to_owned()).spawn(work)?;
        if let Ok(urgency) = urgency.recv() {
            info!(%urgency, "the journal is synced by a thread of its own");
        }
        Ok(Syncer { files, synced })
    }

    /// Syncs a file's data, and does something else meanwhile.
    pub fn sync_beside<T>(&self, file: &Arc<File>, meanwhile: impl FnOnce() -> T) -> (Synced, T) {
        let handed_over = self.files.send(Arc::clone(file)).is_ok();
        let made = meanwhile();
        let ended = || (Err(io::Error::other("the thread that syncs has ended")), Duration::ZERO);
        let synced = if handed_over { self.synced.recv().unwrap_or_else(|_| ended()) } else { ended() };
        (synced, made)
    }
}

/// Syncs a file's data here and now.
pub fn sync(file: &File) -> Synced {
    let started = Instant::now();
    (file.sync_data(), started.elapsed())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_thread_is_as_urgent_as_the_system_allows() {
        let allowed = thread::spawn(|| {
            urgent::make_urgent();
            urgent::told(&std::fs::read_to_string("/proc/thread-self/stat").unwrap())
        });
        let allowed = allowed.join().unwrap();
        let file = Arc::new(tempfile::tempfile().unwrap());
        let syncer = Syncer::start().unwrap();
        assert!(syncer.sync_beside(&file, || ()).0.0.is_ok(), "it has begun");
        let stats = std::fs::read_dir("/proc/self/task").unwrap().filter_map(|task| {
            let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).ok()?;
            stat.contains("(muster-sync)").then(|| urgent::told(&stat))
        });
        assert!(stats.collect::<Vec<_>>().contains(&allowed));
    }

    #[test]
    fn what_is_done_meanwhile_and_what_the_sync_came_to_are_both_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = File::create(dir.path().join("file")).unwrap();
        file.write_all(b"something").unwrap();
        let file = Arc::new(file);
        let syncer = Syncer::start().unwrap();
        for round in 0..10 {
            let ((synced, _), made) = syncer.sync_beside(&file, || round * 2);
            assert!(synced.is_ok());
            assert_eq!(made, round * 2);
        }
        // A pipe cannot be synced.
        let (_reader, writer) = io::pipe().unwrap();
        let pipe = Arc::new(File::from(std::os::fd::OwnedFd::from(writer)));
        assert!(syncer.sync_beside(&pipe, || ()).0.0.is_err());
        assert!(syncer.sync_beside(&file, || ()).0.0.is_ok(), "one that failed is no reason not to try the next");
    }
}
