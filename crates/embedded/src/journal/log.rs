//! Appending and letting go.
//!
//! One thread owns the log. A write that fails is taken back, at once or before the next one: nothing is ever written
//! behind a frame that was not finished. After a failed sync the log refuses everything: what the disk holds is then
//! unknown, and only a restart finds out.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use muster_history::disk;
use muster_store::batch::Batch;

use super::{
    frame,
    sync::{self, Synced, Syncer},
};

/// Why nothing was appended.
#[derive(Debug)]
pub enum LogError {
    /// The write failed and is taken back; a later one may succeed, as when the disk was full.
    Refused(io::Error),
    /// The state of the file is unknown; nothing may be written any more.
    Broken(io::Error),
}

impl LogError {
    /// Whether only a restart helps.
    fn is_final(&self) -> bool {
        matches!(self, LogError::Broken(_))
    }
}

impl From<LogError> for io::Error {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Refused(error) | LogError::Broken(error) => error,
        }
    }
}

/// A file of the log and the number of its first frame.
#[derive(Clone, Debug)]
pub struct LogFile {
    pub first_sequence: u64,
    pub path: PathBuf,
}

/// The log, open for appending.
#[derive(Debug)]
pub struct Log {
    dir: PathBuf,
    /// Every file, oldest first; the last one is being written.
    files: Vec<LogFile>,
    file: Arc<File>,
    syncer: Syncer,
    length: u64,
    next_sequence: u64,
    buffer: Vec<u8>,
    /// A frame was written in part and could not be cut off yet.
    ragged: bool,
    broken: bool,
}

impl Log {
    /// Continues after what a replay found, in a file of its own: what was read once is not written to again.
    pub fn start(dir: &Path, mut files: Vec<LogFile>, next_sequence: u64) -> io::Result<Log> {
        let (path, file) = match files.pop_if(|last| last.first_sequence == next_sequence) {
            Some(empty) => {
                let file = OpenOptions::new().append(true).open(&empty.path)?;
                (empty.path, file)
            }
            None => create(dir, next_sequence)?,
        };
        files.push(LogFile { first_sequence: next_sequence, path });
        let length = frame::FILE_HEADER_BYTES as u64;
        let (buffer, ragged, broken) = (Vec::new(), false, false);
        let (dir, file, syncer) = (dir.to_owned(), Arc::new(file), Syncer::start()?);
        Ok(Log { dir, files, file, syncer, length, next_sequence, buffer, ragged, broken })
    }

    /// Writes one frame with these batches and syncs it. Returns how long the sync took.
    pub fn append<'a>(&mut self, batches: impl Iterator<Item = &'a Batch>) -> Result<Duration, LogError> {
        self.write(batches)?;
        let synced = sync::sync(&self.file);
        self.written(synced)
    }

    /// The same, with something done while the sync is under way: nothing that others could see, as it may fail.
    pub fn append_beside<'a, T>(
        &mut self,
        batches: impl Iterator<Item = &'a Batch>,
        meanwhile: impl FnOnce() -> T,
    ) -> Result<(Duration, T), LogError> {
        self.write(batches)?;
        let (synced, made) = self.syncer.sync_beside(&self.file, meanwhile);
        Ok((self.written(synced)?, made))
    }

    fn write<'a>(&mut self, batches: impl Iterator<Item = &'a Batch>) -> Result<(), LogError> {
        self.mend()?;
        frame::write_frame(&mut self.buffer, self.next_sequence, batches);
        (&*self.file).write_all(&self.buffer).map_err(|error| {
            self.ragged = true;
            self.mend().err().filter(LogError::is_final).unwrap_or(LogError::Refused(error))
        })
    }

    fn written(&mut self, (synced, took): Synced) -> Result<Duration, LogError> {
        if let Err(error) = synced {
            self.broken = true;
            return Err(LogError::Broken(error));
        }
        self.length += self.buffer.len() as u64;
        self.next_sequence += 1;
        Ok(took)
    }

    /// The number of the latest frame, or of the one before the first.
    pub fn last_sequence(&self) -> u64 {
        self.next_sequence - 1
    }

    /// Where the files lie.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether only a restart helps.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Bytes in all files.
    pub fn bytes(&self) -> u64 {
        let older = &self.files[..self.files.len() - 1];
        let older: u64 = older.iter().filter_map(|file| file.path.metadata().ok()).map(|metadata| metadata.len()).sum();
        older + self.length
    }

    /// Continues in a new file, so that everything up to now can be let go of whole.
    pub fn rotate(&mut self) -> Result<(), LogError> {
        self.mend()?;
        // After a recovery the file being written may hold nothing yet; then it is the new one already.
        if self.files.last().is_some_and(|last| last.first_sequence == self.next_sequence) {
            return Ok(());
        }
        let (path, file) = match create(&self.dir, self.next_sequence) {
            Ok(made) => made,
            Err(fault) => {
                self.broken = fault.is_final();
                return Err(fault);
            }
        };
        self.files.push(LogFile { first_sequence: self.next_sequence, path });
        self.file = Arc::new(file);
        self.length = frame::FILE_HEADER_BYTES as u64;
        Ok(())
    }

    /// Hands the files over that hold no frame after `sequence`, oldest first, each with the numbers of its first and its
    /// last frame, to be removed or put elsewhere. One for which that fails, and all after it, are handed over by a later
    /// call.
    pub fn release(
        &mut self,
        sequence: u64,
        mut take: impl FnMut(&Path, u64, u64) -> io::Result<()>,
    ) -> io::Result<()> {
        while let [oldest, next, ..] = self.files.as_slice()
            && next.first_sequence <= sequence + 1
        {
            take(&oldest.path, oldest.first_sequence, next.first_sequence - 1)?;
            self.files.remove(0);
        }
        Ok(())
    }

    /// Whether no frame up to this one lies in any of its files.
    pub fn holds_nothing_until(&self, sequence: u64) -> bool {
        self.files.first().is_none_or(|oldest| oldest.first_sequence > sequence)
    }

    /// Cuts off a frame that was written in part, if there is one, and finds out whether anything may be written.
    pub fn mend(&mut self) -> Result<(), LogError> {
        if self.broken {
            return Err(LogError::Broken(io::Error::other("an earlier sync failed")));
        }
        if self.ragged {
            self.file.set_len(self.length).map_err(LogError::Refused)?;
            if let Err(error) = self.file.sync_data() {
                self.broken = true;
                return Err(LogError::Broken(error));
            }
            self.ragged = false;
        }
        Ok(())
    }
}

/// Creates a file with its head. One that could not be finished is removed, and removed again by the next attempt.
fn create(dir: &Path, first_sequence: u64) -> Result<(PathBuf, File), LogError> {
    let path = dir.join(format!("{first_sequence:020}.log"));
    let write = || {
        // No frame has this number yet, so a file of this name can only be what an earlier attempt left.
        disk::remove_if_there(&path)?;
        let mut file = OpenOptions::new().create_new(true).read(true).append(true).open(&path)?;
        file.write_all(&frame::file_header(first_sequence))?;
        Ok(file)
    };
    let file = write().map_err(|error| {
        let _ = disk::remove_if_there(&path);
        LogError::Refused(error)
    })?;
    file.sync_all().and_then(|()| disk::sync_dir(dir)).map_err(LogError::Broken)?;
    Ok((path, file))
}
