//! Appending and letting go.
//!
//! One thread owns the log. After a failed sync it refuses everything: what the disk holds is then unknown, and only a
//! restart finds out.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use muster_store::batch::Batch;

use super::frame;
use crate::disk;

/// Why nothing was appended.
#[derive(Debug)]
pub enum LogError {
    /// The write failed and was taken back; a later one may succeed, as when the disk was full.
    Refused(io::Error),
    /// The state of the file is unknown; nothing may be written any more.
    Broken(io::Error),
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
    file: File,
    length: u64,
    next_sequence: u64,
    buffer: Vec<u8>,
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
        Ok(Log { dir: dir.to_owned(), files, file, length, next_sequence, buffer: Vec::new(), broken: false })
    }

    /// Writes one frame with these batches and syncs it. Returns its number.
    pub fn append<'a>(&mut self, batches: impl Iterator<Item = &'a Batch>) -> Result<u64, LogError> {
        if self.broken {
            return Err(LogError::Broken(io::Error::other("an earlier sync failed")));
        }
        let sequence = self.next_sequence;
        frame::write_frame(&mut self.buffer, sequence, batches);
        if let Err(error) = self.file.write_all(&self.buffer) {
            return Err(self.take_back(error));
        }
        if let Err(error) = self.file.sync_data() {
            self.broken = true;
            return Err(LogError::Broken(error));
        }
        self.length += self.buffer.len() as u64;
        self.next_sequence += 1;
        Ok(sequence)
    }

    /// The number of the latest frame, or of the one before the first.
    pub fn last_sequence(&self) -> u64 {
        self.next_sequence - 1
    }

    /// Bytes in all files.
    pub fn bytes(&self) -> u64 {
        let older = &self.files[..self.files.len() - 1];
        let older: u64 = older.iter().filter_map(|file| file.path.metadata().ok()).map(|metadata| metadata.len()).sum();
        older + self.length
    }

    /// Continues in a new file, so that everything up to now can be let go of whole.
    pub fn rotate(&mut self) -> Result<(), LogError> {
        if self.broken {
            return Err(LogError::Broken(io::Error::other("an earlier sync failed")));
        }
        // After a recovery the file being written may hold nothing yet; then it is the new one already.
        if self.files.last().is_some_and(|last| last.first_sequence == self.next_sequence) {
            return Ok(());
        }
        let (path, file) = create(&self.dir, self.next_sequence).map_err(LogError::Refused)?;
        self.files.push(LogFile { first_sequence: self.next_sequence, path });
        self.file = file;
        self.length = frame::FILE_HEADER_BYTES as u64;
        Ok(())
    }

    /// Removes the files that hold no frame after `sequence`. A file that cannot be removed now is found again later.
    pub fn release(&mut self, sequence: u64) -> io::Result<()> {
        let keep_from = self.files.iter().skip(1).take_while(|next| next.first_sequence <= sequence + 1).count();
        for file in self.files.drain(..keep_from) {
            disk::remove_if_there(&file.path)?;
        }
        Ok(())
    }

    /// Cuts a frame that was written in part.
    fn take_back(&mut self, error: io::Error) -> LogError {
        match self.file.set_len(self.length).and_then(|()| self.file.sync_data()) {
            Ok(()) => LogError::Refused(error),
            Err(_) => {
                self.broken = true;
                LogError::Broken(error)
            }
        }
    }
}

fn create(dir: &Path, first_sequence: u64) -> io::Result<(PathBuf, File)> {
    let path = dir.join(format!("{first_sequence:020}.log"));
    let file = disk::create_durably(&path, &frame::file_header(first_sequence))?;
    Ok((path, file))
}
