//! The file of refused messages, which one run begins and another may go on with.
//!
//! Whoever goes on says how many bytes of it count; what was written after them by a run that was cut short is written
//! again.

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
    /// Bytes of it from an earlier run.
    kept: u64,
    /// Something was written since it was flushed last.
    pub written: bool,
    bytes: u64,
}

impl RefusedFile {
    /// Opens it, with so many bytes of what it holds; with none of it when it does not hold as many.
    pub fn open(path: &Path, bytes: u64) -> anyhow::Result<RefusedFile> {
        let says = || format!("{} cannot be written", path.display());
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path).with_context(says)?;
        let about = file.metadata().with_context(says)?;
        let kept = if about.len() >= bytes { bytes } else { 0 };
        // What is no file, such as a pipe, has nothing to be cut.
        if about.is_file() {
            file.set_len(kept).with_context(says)?;
            file.seek(SeekFrom::Start(kept)).with_context(says)?;
        }
        Ok(RefusedFile { path: path.to_owned(), writer: BufWriter::new(file), kept, written: false, bytes: kept })
    }

    /// Writes out what waits; how many bytes the file has then.
    pub fn flush(&mut self) -> anyhow::Result<u64> {
        if std::mem::take(&mut self.written) {
            let says = "the file of refused messages cannot be written";
            self.writer.flush().context(says)?;
            let about = self.writer.get_ref().metadata().context(says)?;
            self.bytes = if about.is_file() { about.len() } else { 0 };
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
        let mut file = RefusedFile::open(&path, 7).unwrap();
        file.writer.write_all(b"id,muster_reason\n7,x\n").unwrap();
        file.written = true;
        assert_eq!(file.flush().unwrap(), 21);
        file.writer.write_all(b"8,y\n").unwrap();
        drop(file);
        let mut file = RefusedFile::open(&path, 21).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"id,muster_reason\n7,x\n");
        let headings = Headings::default();
        headings.lock().unwrap().insert(3, heading.clone());
        assert_eq!(file.last_heading(&headings.lock().unwrap()).unwrap(), Some(heading));
        assert_eq!(file.flush().unwrap(), 21);
        let file = RefusedFile::open(&path, 22).unwrap();
        assert_eq!(file.last_heading(&headings.lock().unwrap()).unwrap(), None);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    }
}
