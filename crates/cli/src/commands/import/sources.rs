//! Files one after the other, decompressed and cut into messages.
//!
//! Directories stand for all files below them, in the order of their names. What is compressed shows in the first bytes,
//! not in the name.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context, anyhow};

use crate::commands::send::{
    sending,
    split::{Piece, Splitter},
};

const BUFFER_BYTES: usize = 256 << 10;

/// All files below the paths given; `-` is standard input.
pub fn find(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            found.push(path.clone());
            continue;
        }
        let about = fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?;
        if about.is_dir() {
            below(path, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    if found.is_empty() { Err(anyhow!("there are no files to import")) } else { Ok(found) }
}

fn below(dir: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let says = || format!("{} cannot be read", dir.display());
    let entries = fs::read_dir(dir).with_context(says)?.collect::<io::Result<Vec<_>>>().with_context(says)?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            below(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

/// Bytes of all files together, as they lie on disk; nothing when that is not known.
pub fn bytes(files: &[PathBuf]) -> Option<u64> {
    files.iter().map(|path| fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|about| about.len())).sum()
}

/// The pieces of all files.
pub struct Sources {
    files: Vec<PathBuf>,
    next: usize,
    open: Option<Splitter<Box<dyn Read>>>,
    read: Arc<AtomicU64>,
    told: u64,
}

impl Sources {
    /// Nothing is opened yet.
    pub fn new(files: Vec<PathBuf>) -> Sources {
        Sources { files, next: 0, open: None, read: Arc::default(), told: 0 }
    }

    fn piece(&mut self) -> Option<anyhow::Result<Piece>> {
        loop {
            if let Some(splitter) = &mut self.open {
                let source = self.next - 1;
                let name = self.files[source].display();
                match splitter.next() {
                    Some(Ok(mut piece)) => {
                        piece.place.source = source as u32;
                        return Some(Ok(piece));
                    }
                    Some(Err(error)) => {
                        let says = format!("{name} could not be read to its end");
                        self.open = None;
                        return Some(Err(anyhow!(error).context(says)));
                    }
                    None => self.open = None,
                }
            }
            let path = self.files.get(self.next)?;
            self.next += 1;
            match open(path, &self.read) {
                Ok(reader) => self.open = Some(Splitter::new(reader)),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Iterator for Sources {
    type Item = sending::Read;

    fn next(&mut self) -> Option<sending::Read> {
        let piece = self.piece()?;
        let read = self.read.load(Ordering::Relaxed);
        let more = read - self.told;
        self.told = read;
        Some((piece, more))
    }
}

/// A file as it reads without its compression.
fn open(path: &Path, read: &Arc<AtomicU64>) -> anyhow::Result<Box<dyn Read>> {
    let says = || format!("{} cannot be read", path.display());
    let raw: Box<dyn Read> = match path == Path::new("-") {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(path).with_context(says)?),
    };
    let counted = Counted { raw, read: Arc::clone(read) };
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, counted);
    let first = reader.fill_buf().with_context(says)?;
    if first.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(reader)));
    }
    if first.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Ok(Box::new(zstd::Decoder::with_buffer(reader).with_context(says)?));
    }
    Ok(Box::new(reader))
}

/// Counts bytes as they lie in the file.
struct Counted {
    raw: Box<dyn Read>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.raw.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn directories_and_compressed_files_are_read_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("b")).unwrap();
        fs::write(at("a.ndjson"), "{\"n\":1}\n{\"n\":2}\n").unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(b"[{\"n\":3}]").unwrap();
        fs::write(at("b/one"), gzip.finish().unwrap()).unwrap();
        fs::write(at("c.zst"), zstd::encode_all(&b"{\"n\":4}"[..], 0).unwrap()).unwrap();
        fs::write(at("d"), "{\"n\":5}\n{\"n\":").unwrap();
        let files = find(&[dir.path().to_owned()]).unwrap();
        assert_eq!(files.len(), 4);
        let total = bytes(&files).unwrap();
        let (mut read, mut texts) = (0, Vec::new());
        for (piece, more) in Sources::new(files) {
            let piece = piece.unwrap();
            texts.push(format!("{}:{}", piece.place.source, String::from_utf8(piece.text).unwrap()));
            read += more;
        }
        assert_eq!(texts, ["0:{\"n\":1}", "0:{\"n\":2}", "1:{\"n\":3}", "2:{\"n\":4}", "3:{\"n\":5}", "3:{\"n\":"]);
        assert_eq!(read, total);
        assert!(find(&[at("nowhere")]).unwrap_err().to_string().contains("nowhere"));
    }
}
