//! Reading back after a stop of whatever kind.
//!
//! Every frame after the committed position is handed on in order, to whoever asks also those that the state covers. What
//! was never acknowledged is cut and reported; anything missing or altered among what was acknowledged is an error that names the file and the place.

use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use muster_history::disk;
use muster_store::batch::Batch;

use super::{
    frame::{self, FILE_HEADER_BYTES},
    log::LogFile,
};
use crate::error::OpenError;

/// What a replay found.
#[derive(Debug, Default)]
pub struct Replayed {
    /// The files, oldest first.
    pub files: Vec<LogFile>,
    /// The number that the next frame gets.
    pub next_sequence: u64,
    /// Frames handed on.
    pub frames: u64,
    /// The incomplete last frame: its file, where it started, and how many bytes were cut.
    pub cut: Option<(String, u64, u64)>,
}

/// Hands on every frame after `committed`. With `repair`, an incomplete last frame is cut from its file, once everything else
/// is known to be as it should.
pub fn replay(
    dir: &Path,
    committed: u64,
    repair: bool,
    each: impl FnMut(Vec<Batch>) -> Result<(), OpenError>,
) -> Result<Replayed, OpenError> {
    read(dir, committed, committed, repair, each)
}

/// Whether any file in a directory holds a whole frame, wherever in it.
pub fn holds_frames(dir: &Path) -> io::Result<bool> {
    for path in files(dir)? {
        if has_frame(&fs::read(path)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(disk::files_below(dir)?.into_iter().filter(|path| disk::has_extension(path, "log")).collect())
}

fn has_frame(bytes: &[u8]) -> bool {
    memchr::memmem::find_iter(bytes, &frame::FRAME_MAGIC).any(|start| frame::parse_frame(bytes, start).is_some())
}

/// Hands on every frame that lies in a file, also those that the state covers up to `committed`. Changes nothing.
pub fn everything(
    dir: &Path,
    committed: u64,
    each: impl FnMut(Vec<Batch>) -> Result<(), OpenError>,
) -> Result<Replayed, OpenError> {
    read(dir, committed, 0, false, each)
}

fn read(
    dir: &Path,
    committed: u64,
    after: u64,
    repair: bool,
    mut each: impl FnMut(Vec<Batch>) -> Result<(), OpenError>,
) -> Result<Replayed, OpenError> {
    let mut found = Replayed { next_sequence: committed + 1, ..Replayed::default() };
    let paths = files(dir)?;
    if paths.is_empty() && committed > 0 {
        return Err(OpenError::damaged(format!(
            "the journal has no files although the state was committed at {committed}: acknowledged messages may be \
             missing; restore the data directory from a backup"
        )));
    }
    let mut expected: Option<u64> = None;
    for (index, path) in paths.iter().enumerate() {
        let last = index + 1 == paths.len();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = Bytes::from(fs::read(path)?);
        let Some(first_sequence) = frame::parse_file_header(&bytes) else {
            check_unborn(&name, &bytes, last)?;
            found.cut = Some((name, 0, bytes.len() as u64));
            continue;
        };
        check_continuity(&name, first_sequence, expected, committed)?;
        let file = JournalFile { name: &name, bytes: &bytes, last };
        let (next, end) = file.frames(first_sequence, |sequence, batches| {
            if sequence > after {
                found.frames += 1;
                each(batches)?;
            }
            Ok(())
        })?;
        if end < bytes.len() {
            found.cut = Some((name, end as u64, (bytes.len() - end) as u64));
        }
        expected = Some(next);
        found.files.push(LogFile { first_sequence, path: path.clone() });
    }
    found.next_sequence = expected.unwrap_or(committed + 1).max(committed + 1);
    if let Some(next) = expected.filter(|next| *next <= committed) {
        return Err(OpenError::damaged(format!(
            "the journal ends at {} but the state was committed at {committed}: journal files are missing or were cut; \
             restore the data directory from a backup",
            next - 1
        )));
    }
    // Both kinds of an incomplete end are found in the last file only.
    if let (true, Some((_, at, _)), Some(path)) = (repair, &found.cut, paths.last()) {
        cut(path, *at)?;
    }
    Ok(found)
}

fn check_continuity(name: &str, first: u64, expected: Option<u64>, committed: u64) -> Result<(), OpenError> {
    let missing = match expected {
        // What the state covers may be missing: files are let go of one by one, and a loss of power can bring the name of
        // an older one back and not that of the next.
        Some(expected) => first < expected || (first > expected && first > committed + 1),
        None => first > committed + 1,
    };
    if !missing {
        return Ok(());
    }
    let from = expected.unwrap_or(committed + 1);
    Err(OpenError::damaged(format!(
        "journal file {name} starts at {first} but {from} was expected: acknowledged messages are missing, either from \
         the journal or from the state store; restore the data directory from a backup"
    )))
}

struct JournalFile<'a> {
    name: &'a str,
    bytes: &'a Bytes,
    last: bool,
}

impl JournalFile<'_> {
    /// Hands on the frames, and returns the number after the last and where the readable part ends.
    fn frames(
        &self,
        first_sequence: u64,
        mut each: impl FnMut(u64, Vec<Batch>) -> Result<(), OpenError>,
    ) -> Result<(u64, usize), OpenError> {
        let (mut sequence, mut at) = (first_sequence, FILE_HEADER_BYTES);
        while at < self.bytes.len() {
            let frame = frame::parse_frame(self.bytes, at).filter(|frame| frame.sequence == sequence);
            let Some(frame) = frame else {
                self.check_tail(at, sequence)?;
                break;
            };
            let batches = frame::batches(self.bytes, frame).ok_or_else(|| self.damaged_at(at))?;
            each(sequence, batches)?;
            sequence += 1;
            at = frame.end;
        }
        Ok((sequence, at))
    }

    /// Only the last frame of the last file can be incomplete without anything acknowledged being lost.
    fn check_tail(&self, at: usize, sequence: u64) -> Result<(), OpenError> {
        let later = || {
            let starts = memchr::memmem::find_iter(&self.bytes[at..], &frame::FRAME_MAGIC);
            starts
                .map(|start| at + start)
                .any(|start| frame::parse_frame(self.bytes, start).is_some_and(|frame| frame.sequence > sequence))
        };
        if self.last && !later() { Ok(()) } else { Err(self.damaged_at(at)) }
    }

    fn damaged_at(&self, at: usize) -> OpenError {
        OpenError::damaged(format!(
            "journal file {} is damaged at byte {at}: acknowledged messages from there on cannot be read; restore the \
             data directory from a backup, or move the file away to start without them",
            self.name
        ))
    }
}

/// A file without a readable head was being created when the process stopped: nothing in it can have been
/// acknowledged, unless frames in it say otherwise.
fn check_unborn(name: &str, bytes: &Bytes, last: bool) -> Result<(), OpenError> {
    if last && !has_frame(bytes) {
        return Ok(());
    }
    Err(OpenError::damaged(format!(
        "journal file {name} is damaged in its head; restore the data directory from a backup"
    )))
}

/// Cuts a file at the beginning of an incomplete frame; one that has not even a head goes as a whole.
fn cut(path: &Path, at: u64) -> io::Result<()> {
    if at == 0 {
        return disk::remove_if_there(path);
    }
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(at)?;
    file.sync_all()
}
