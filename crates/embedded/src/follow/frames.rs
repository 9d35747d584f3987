//! Reading frames from files, from any one of them on.
//!
//! A file is opened for each read and let go of after it, so that the bytes of one that was removed or written anew are
//! gone with its name. A file may move from the journal to what is kept between a look and the opening; then is looked
//! again. What does not match its checksum is an error.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use muster_history::disk;
use muster_store::{batch::Batch, error::ReadError};

use super::book::Book;
use crate::journal::frame::{self, FILE_HEADER_BYTES, FRAME_HEADER_BYTES};

/// Looks for a file that moves meanwhile.
const LOOKS_MAX: usize = 8;
const BUFFER_BYTES: usize = 256 * 1024;

/// Where a frame starts in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    path: PathBuf,
    at: u64,
    sequence: u64,
}

/// The files of frames in a directory, by the number of their first frame.
pub fn files(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let paths = disk::files_below(dir)?.into_iter().filter(|path| disk::has_extension(path, "log"));
    let mut files: Vec<(u64, PathBuf)> = paths.filter_map(|path| Some((first(&path)?, path))).collect();
    files.sort();
    Ok(files)
}

/// The number of a file's first frame, by which it is named.
pub fn first(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.parse().ok()
}

/// A file being read.
pub struct FrameFile {
    path: PathBuf,
    reader: BufReader<File>,
    at: u64,
    /// The number of the frame that is next.
    sequence: u64,
}

impl FrameFile {
    /// Opens a file at its first frame.
    pub fn open(path: &Path) -> io::Result<FrameFile> {
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
        let mut head = [0; FILE_HEADER_BYTES];
        reader.read_exact(&mut head)?;
        let first = frame::parse_file_header(&head);
        let sequence = first.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "its head is damaged"))?;
        Ok(FrameFile { path: path.to_owned(), reader, at: FILE_HEADER_BYTES as u64, sequence })
    }

    /// Opens a file at a frame that was found there before; it may be another file by now.
    fn open_at(spot: &Spot) -> io::Result<FrameFile> {
        let mut file = FrameFile::open(&spot.path)?;
        if spot.at > file.at {
            file.reader.seek(SeekFrom::Start(spot.at))?;
            (file.at, file.sequence) = (spot.at, spot.sequence);
        }
        Ok(file)
    }

    /// The number of the frame that is next.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether there is no frame any more, for now.
    pub fn ended(&self) -> io::Result<bool> {
        Ok(self.at >= self.reader.get_ref().metadata()?.len())
    }

    /// Where the frame that is next starts.
    pub fn spot(&self) -> Spot {
        Spot { path: self.path.clone(), at: self.at, sequence: self.sequence }
    }

    /// Passes over a frame; `false` at the end.
    fn skip(&mut self) -> io::Result<bool> {
        let Some(length) = self.head()? else { return Ok(false) };
        let payload = length as i64 - FRAME_HEADER_BYTES as i64;
        self.reader.seek_relative(payload)?;
        self.passed(length);
        Ok(true)
    }

    /// The frame that is next, with its bytes; `None` at the end.
    pub fn take_frame(&mut self) -> io::Result<Option<(u64, Vec<Batch>)>> {
        let start = self.at;
        let Some(length) = self.head()? else { return Ok(None) };
        self.reader.seek_relative(-(FRAME_HEADER_BYTES as i64))?;
        let mut bytes = vec![0; length];
        self.reader.read_exact(&mut bytes)?;
        let bytes = Bytes::from(bytes);
        let read = frame::parse_frame(&bytes, 0).filter(|frame| frame.sequence == self.sequence);
        let batches = read.and_then(|frame| frame::batches(&bytes, frame));
        let batches = batches.ok_or_else(|| damaged(start))?;
        let sequence = self.sequence;
        self.passed(length);
        Ok(Some((sequence, batches)))
    }

    /// Bytes of the frame that is next, its head included.
    fn head(&mut self) -> io::Result<Option<usize>> {
        let mut head = [0; FRAME_HEADER_BYTES];
        match self.reader.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let sequence = u64::from_le_bytes(head[12..20].try_into().expect("eight bytes of a head"));
        let length = u32::from_le_bytes(head[20..24].try_into().expect("four bytes of a head")) as usize;
        let left = self.reader.get_ref().metadata()?.len().saturating_sub(self.at);
        let whole = FRAME_HEADER_BYTES + length;
        if head[..4] != frame::FRAME_MAGIC || sequence != self.sequence || whole as u64 > left {
            return Err(damaged(self.at));
        }
        Ok(Some(whole))
    }

    fn passed(&mut self, length: usize) {
        self.at += length as u64;
        self.sequence += 1;
    }
}

fn damaged(at: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("it is damaged at byte {at}"))
}

/// Hands out every batch of the files in a directory; `file` is told of each file.
pub fn each(dir: &Path, file: &mut dyn FnMut(), batch: &mut dyn FnMut(&Batch)) -> Result<(), ReadError> {
    let failed = |path: &Path, error: io::Error| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        ReadError::Damaged { what: format!("{name}, kept for destinations: {error}") }
    };
    if !dir.is_dir() {
        return Ok(());
    }
    for (_, path) in files(dir).map_err(|error| failed(dir, error))? {
        file();
        let mut frames = FrameFile::open(&path).map_err(|error| failed(&path, error))?;
        while let Some((_, batches)) = frames.take_frame().map_err(|error| failed(&path, error))? {
            batches.iter().for_each(&mut *batch);
        }
    }
    Ok(())
}

/// Why there is no file with a frame.
pub enum NotFound {
    /// Files go on with this frame only.
    Gone {
        next: u64,
    },
    Failed(ReadError),
}

/// Frames from one on, one after the other, from file to file.
pub struct Walk<'b> {
    book: &'b Book,
    /// The frame with which it begins, the one that is next, and the last one that there is.
    first: u64,
    next: u64,
    last: u64,
    /// Where the first one was last seen.
    near: Option<Spot>,
    file: Option<FrameFile>,
}

impl<'b> Walk<'b> {
    /// The frames that there are now. `near` is where the first one was last seen.
    pub fn new(book: &'b Book, first: u64, near: Option<Spot>) -> Walk<'b> {
        Walk { book, first, next: first, last: book.last(), near, file: None }
    }

    /// The same, to a frame that was the last one before.
    pub fn up_to(self, last: u64) -> Walk<'b> {
        Walk { last: last.min(self.last), ..self }
    }

    /// The last frame that it comes to.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Where the first one was last seen.
    pub fn near(&self) -> &Option<Spot> {
        &self.near
    }

    /// The batches of the next frame; nothing behind the last one.
    pub fn step(&mut self) -> Result<Option<Vec<Batch>>, NotFound> {
        let unreadable =
            |error: io::Error| NotFound::Failed(ReadError::Damaged { what: format!("a journal file: {error}") });
        while self.next <= self.last {
            let mut open = match self.file.take().filter(|open| !open.ended().unwrap_or(true)) {
                Some(open) => open,
                None => open(self.book, self.next, self.near.as_ref())?,
            };
            if self.next == self.first {
                self.near = Some(open.spot());
            }
            let Some((_, batches)) = open.take_frame().map_err(unreadable)? else { continue };
            self.next += 1;
            self.file = Some(open);
            return Ok(Some(batches));
        }
        Ok(None)
    }
}

/// Opens the file with a frame, at that frame; `near` is where it was last seen.
fn open(book: &Book, sequence: u64, near: Option<&Spot>) -> Result<FrameFile, NotFound> {
    let failed = |path: &Path, error: io::Error| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let what = format!("journal file {name}: {error}");
        NotFound::Failed(match error.kind() {
            io::ErrorKind::InvalidData => ReadError::Damaged { what },
            _ => ReadError::Failed { what },
        })
    };
    if let Some(near) = near.filter(|near| near.sequence <= sequence)
        && let Ok(mut file) = FrameFile::open_at(near)
        && reach(&mut file, sequence).is_ok_and(|reached| reached)
    {
        return Ok(file);
    }
    for _ in 0..LOOKS_MAX {
        let mut all = Vec::new();
        for dir in [&book.dir, &book.journal, &book.dir] {
            all.extend(files(dir).map_err(|error| failed(dir, error))?);
        }
        all.sort();
        let Some((_, path)) = all.iter().rev().find(|(first, _)| *first <= sequence) else {
            return Err(NotFound::Gone { next: all.first().map_or(sequence, |(first, _)| *first) });
        };
        let mut file = match FrameFile::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(path, error)),
        };
        if reach(&mut file, sequence).map_err(|error| failed(path, error))? {
            return Ok(file);
        }
        let next = all.iter().find(|(first, _)| *first > sequence).map_or(file.sequence, |(first, _)| *first);
        return Err(NotFound::Gone { next });
    }
    Err(NotFound::Failed(ReadError::Failed { what: "a journal file moved while it was looked for".to_owned() }))
}

/// Passes over frames up to one; `false` when the file ends before it. Its end itself is reached, too.
fn reach(file: &mut FrameFile, sequence: u64) -> io::Result<bool> {
    while file.sequence < sequence {
        if !file.skip()? {
            return Ok(false);
        }
    }
    // At the end of the file there is no such frame; it may be the first one of the next file.
    Ok(file.sequence == sequence && !file.ended()?)
}
