//! The file of refused messages, which one run begins and another may go on with.
//!
//! Whoever goes on says how many bytes of it count. What was written after them by a run that was cut short is written again
//! over itself, and what is left of it is cut off at the end, not before: a request of that run may reach the server after this
//! one began and say that more of the file counts.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;

use super::heading::Heading;

/// The file, open for writing at its end.
pub struct RefusedFile {
    path: PathBuf,
    pub writer: BufWriter<File>,
    is_file: bool,
    /// Bytes of it from an earlier run.
    kept: u64,
    /// Something was written since it was flushed last.
    pub written: bool,
    bytes: u64,
}

impl RefusedFile {
    /// Opens it, with nothing of what it holds.
    pub fn new(path: &Path) -> anyhow::Result<RefusedFile> {
        let file = RefusedFile::going_on(path, 0)?;
        file.cut()?;
        Ok(file)
    }

    /// Opens it to go on after so many bytes of what it holds; from its beginning when it does not hold as many.
    pub fn going_on(path: &Path, bytes: u64) -> anyhow::Result<RefusedFile> {
        let says = || format!("{} cannot be written", path.display());
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path).with_context(says)?;
        let about = file.metadata().with_context(says)?;
        let kept = if about.len() >= bytes { bytes } else { 0 };
        // What is no file, such as a pipe, has no places.
        let is_file = about.is_file();
        if is_file {
            file.seek(SeekFrom::Start(kept)).with_context(says)?;
        }
        let (path, writer) = (path.to_owned(), BufWriter::new(file));
        Ok(RefusedFile { path, writer, is_file, kept, written: false, bytes: kept })
    }

    /// Cuts off what an earlier run wrote after what was written last.
    fn cut(&self) -> anyhow::Result<()> {
        if self.is_file {
            let cut = self.writer.get_ref().set_len(self.bytes);
            cut.with_context(|| format!("{} cannot be written", self.path.display()))?;
        }
        Ok(())
    }

    /// Writes out what waits, with which it ends.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.flush()?;
        self.cut()
    }

    /// Writes out what waits; how many bytes of the file count then.
    pub fn flush(&mut self) -> anyhow::Result<u64> {
        if std::mem::take(&mut self.written) {
            let says = "the file of refused messages cannot be written";
            self.writer.flush().context(says)?;
            if self.is_file {
                self.bytes = self.writer.get_ref().stream_position().context(says)?;
            }
        }
        Ok(self.bytes)
    }

    /// The last of these headings in what an earlier run wrote.
    pub fn last_heading(&self, headings: &std::collections::BTreeMap<u32, Heading>) -> io::Result<Option<Heading>> {
        if self.kept == 0 {
            return Ok(None);
        }
        let mut reader = BufReader::new(File::open(&self.path)?.take(self.kept));
        let (mut last, mut line) = (None, Vec::new());
        while reader.read_until(b'\n', &mut line)? > 0 {
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            if let Some(heading) = headings.values().find(|heading| heading.text() == text) {
                last = Some(heading.clone());
            }
            line.clear();
        }
        Ok(last)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::heading::Headings, *};

    #[test]
    fn what_was_not_acknowledged_is_cut_off_and_headings_are_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("faults.csv");
        let heading = Heading::new(["id", "muster_reason"].iter().map(|name| name.as_bytes()), b',');
        let mut file = RefusedFile::going_on(&path, 7).unwrap();
        file.writer.write_all(b"id,muster_reason\n7,x\n").unwrap();
        file.written = true;
        assert_eq!(file.flush().unwrap(), 21);
        file.writer.write_all(b"8,y\n9,z\n").unwrap();
        drop(file);
        // Whoever goes on from a place before the last one leaves what comes after it until it is written again.
        let mut file = RefusedFile::going_on(&path, 21).unwrap();
        assert_eq!(file.flush().unwrap(), 21);
        file.writer.write_all(b"8,y\n").unwrap();
        file.written = true;
        assert_eq!(file.flush().unwrap(), 25);
        drop(file);
        let written = b"id,muster_reason\n7,x\n8,y\n9,z\n";
        assert_eq!(std::fs::read(&path).unwrap(), written);
        RefusedFile::going_on(&path, written.len() as u64).unwrap().finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), written);
        let file = RefusedFile::going_on(&path, 21).unwrap();
        let headings = Headings::default();
        headings.lock().unwrap().insert(3, heading.clone());
        assert_eq!(file.last_heading(&headings.lock().unwrap()).unwrap(), Some(heading));
        file.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"id,muster_reason\n7,x\n");
        let file = RefusedFile::going_on(&path, 22).unwrap();
        assert_eq!(file.last_heading(&headings.lock().unwrap()).unwrap(), None);
        file.finish().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
        std::fs::write(&path, b"something else").unwrap();
        drop(RefusedFile::new(&path).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    }
}
