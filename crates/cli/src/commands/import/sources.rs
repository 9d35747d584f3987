//! Files one after the other, decompressed and cut into records.
//!
//! Directories stand for all files below them, in the order of their names, but for those that begin with `_`; archives
//! (zip) for all files in them. What is
//! compressed and how a table is written shows in the first bytes, not in the name.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek},
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context, anyhow};

use super::rows::{self, CsvRows, PARQUET_MARK, ParquetRows};
use crate::commands::send::{
    heading::Headings,
    sending,
    split::{Piece, Splitter},
};

const BUFFER_BYTES: usize = 256 << 10;
const ZIP_MARK: &[u8] = b"PK\x03\x04";

/// A file, or one in an archive.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    /// Its number in the archive.
    entry: Option<usize>,
    pub name: String,
}

impl Source {
    /// The file, or the archive that it is in.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name without the directories that it is in.
    pub fn file_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }
}

/// All files below the paths given; `-` is standard input.
pub fn find(paths: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
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
    let mut sources = Vec::new();
    for path in found {
        opened_up(path, &mut sources)?;
    }
    if sources.is_empty() { Err(anyhow!("there are no files to import")) } else { Ok(sources) }
}

fn below(dir: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let says = || format!("{} cannot be read", dir.display());
    let entries = fs::read_dir(dir).with_context(says)?.collect::<io::Result<Vec<_>>>().with_context(says)?;
    // What is called so is about the files beside it, such as the manifest of an export.
    let about = |entry: &fs::DirEntry| entry.file_name().as_encoded_bytes().starts_with(b"_");
    let mut paths: Vec<PathBuf> = entries.into_iter().filter(|entry| !about(entry)).map(|entry| entry.path()).collect();
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

/// A file, or the files in it if it is an archive.
fn opened_up(path: PathBuf, sources: &mut Vec<Source>) -> anyhow::Result<()> {
    let name = path.display().to_string();
    if path == Path::new("-") || !starts_with(&path, ZIP_MARK)? {
        sources.push(Source { path, entry: None, name });
        return Ok(());
    }
    let mut archive = archive(&path)?;
    let mut entries = Vec::with_capacity(archive.len());
    for number in 0..archive.len() {
        let entry = archive.by_index_raw(number).with_context(|| format!("{name} cannot be read"))?;
        if entry.is_file() {
            let inside = entry.name().with_context(|| format!("a name in {name} is not UTF-8"))?;
            entries.push((inside.into_owned(), number));
        }
    }
    entries.sort();
    sources.extend(entries.into_iter().map(|(inside, number)| Source {
        path: path.clone(),
        entry: Some(number),
        name: format!("{name}/{inside}"),
    }));
    Ok(())
}

fn archive(path: &Path) -> anyhow::Result<zip::ZipArchive<BufReader<File>>> {
    let says = || format!("{} cannot be read as the archive it looks like", path.display());
    let file = File::open(path).with_context(says)?;
    zip::ZipArchive::new(BufReader::new(file)).with_context(says)
}

fn starts_with(path: &Path, mark: &[u8]) -> anyhow::Result<bool> {
    let says = || format!("{} cannot be read", path.display());
    let mut start = Vec::with_capacity(mark.len());
    // A pipe that has a name would lose what is read of it here.
    if !fs::metadata(path).with_context(says)?.is_file() {
        return Ok(false);
    }
    File::open(path).with_context(says)?.take(mark.len() as u64).read_to_end(&mut start).with_context(says)?;
    Ok(start == mark)
}

/// Bytes of all files together, as they lie on disk; nothing when that is not known.
pub fn bytes(sources: &[Source]) -> Option<u64> {
    let mut paths: Vec<&PathBuf> = sources.iter().map(|source| &source.path).collect();
    paths.dedup();
    paths.into_iter().map(|path| fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|about| about.len())).sum()
}

/// Records of a file that is open.
enum Records {
    Json(Splitter<Box<dyn Read>>),
    Csv(Box<CsvRows>),
    Parquet(ParquetRows),
}

/// The records of all files.
pub struct Sources {
    sources: Vec<Source>,
    /// Whether files may be tables.
    of_rows: bool,
    headings: Headings,
    next: usize,
    open: Option<Records>,
    read: Arc<AtomicU64>,
    told: u64,
}

impl Sources {
    /// Nothing is opened yet.
    pub fn new(sources: Vec<Source>, of_rows: bool) -> Sources {
        let headings = Headings::default();
        Sources { sources, of_rows, headings, next: 0, open: None, read: Arc::default(), told: 0 }
    }

    /// The headings of the tables read so far.
    pub fn headings(&self) -> Headings {
        Arc::clone(&self.headings)
    }

    fn piece(&mut self) -> Option<anyhow::Result<Piece>> {
        loop {
            let found = match &mut self.open {
                None => None,
                Some(Records::Json(splitter)) => splitter.next().map(|piece| piece.map_err(|error| anyhow!(error))),
                Some(Records::Csv(rows)) => rows.next(),
                Some(Records::Parquet(rows)) => rows.next(),
            };
            match found {
                Some(Ok(mut piece)) => {
                    piece.place.source = (self.next - 1) as u32;
                    return Some(Ok(piece));
                }
                Some(Err(error)) => {
                    self.open = None;
                    let name = &self.sources[self.next - 1].name;
                    return Some(Err(error.context(format!("{name} could not be read to its end"))));
                }
                None => self.open = None,
            }
            let source = self.sources.get(self.next)?.clone();
            self.next += 1;
            match self.open(&source) {
                Ok(records) => self.open = Some(records),
                Err(error) => return Some(Err(error.context(format!("{} cannot be read", source.name)))),
            }
        }
    }

    fn open(&self, source: &Source) -> anyhow::Result<Records> {
        let mut reader = open(source, &self.read)?;
        if !self.of_rows {
            return Ok(Records::Json(Splitter::new(reader)));
        }
        let start = reader.fill_buf()?;
        if start.starts_with(PARQUET_MARK) {
            let is_file = source.entry.is_none() && source.path != Path::new("-");
            return if is_file {
                Ok(Records::Parquet(ParquetRows::new(&source.path, Arc::clone(&self.read))?))
            } else {
                Err(rows::not_from_here().into())
            };
        }
        if rows::is_json(start) {
            return Ok(Records::Json(Splitter::new(reader)));
        }
        let rows = CsvRows::new(reader)?;
        let mut headings = self.headings.lock().unwrap_or_else(PoisonError::into_inner);
        headings.insert((self.next - 1) as u32, rows.heading());
        Ok(Records::Csv(Box::new(rows)))
    }
}

impl Iterator for Sources {
    type Item = sending::Read;

    fn next(&mut self) -> Option<sending::Read> {
        let piece = self.piece()?;
        let read = self.read.load(Ordering::Relaxed);
        let more = read.saturating_sub(self.told);
        self.told = self.told.max(read);
        Some((piece, more))
    }
}

/// A file as it reads without its compression.
fn open(source: &Source, read: &Arc<AtomicU64>) -> anyhow::Result<Box<dyn BufRead>> {
    let raw: Box<dyn Read> = match source.entry {
        Some(number) => Box::new(unpacked(&source.path, number)?),
        None if source.path == Path::new("-") => Box::new(io::stdin().lock()),
        None => Box::new(File::open(&source.path)?),
    };
    let counted = Counted { raw, read: Arc::clone(read) };
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, counted);
    let first = reader.fill_buf()?;
    if first.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, flate2::bufread::MultiGzDecoder::new(reader))));
    }
    if first.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, zstd::Decoder::with_buffer(reader)?)));
    }
    Ok(Box::new(reader))
}

/// A file out of an archive, in a temporary one without a name, which goes with the process.
fn unpacked(path: &Path, number: usize) -> anyhow::Result<File> {
    let mut archive = archive(path)?;
    let mut entry = archive.by_index(number)?;
    let mut file = tempfile::tempfile().context("a temporary file cannot be made; TMPDIR names another place")?;
    io::copy(&mut entry, &mut file)?;
    file.rewind()?;
    Ok(file)
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
        for (piece, more) in Sources::new(files, false) {
            let piece = piece.unwrap();
            texts.push(format!("{}:{}", piece.place.source, String::from_utf8(piece.text).unwrap()));
            read += more;
        }
        assert_eq!(texts, ["0:{\"n\":1}", "0:{\"n\":2}", "1:{\"n\":3}", "2:{\"n\":4}", "3:{\"n\":5}", "3:{\"n\":"]);
        assert_eq!(read, total);
        assert!(find(&[at("nowhere")]).unwrap_err().to_string().contains("nowhere"));
    }

    #[test]
    fn tables_and_archives_are_known_by_their_beginning() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let mut archive = zip::ZipWriter::new(File::create(at("a.zip")).unwrap());
        archive.start_file("day/b.json.gz", zip::write::SimpleFileOptions::default()).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(b"{\"n\":1}\n").unwrap();
        archive.write_all(&gzip.finish().unwrap()).unwrap();
        archive.start_file("day/a.csv", zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(b"n\n2\n").unwrap();
        archive.finish().unwrap();
        fs::write(at("b.csv"), "n,m\n3,x\n").unwrap();
        let sources = find(&[dir.path().to_owned()]).unwrap();
        let names: Vec<&str> = sources.iter().map(|source| source.name.rsplit('/').next().unwrap()).collect();
        assert_eq!(names, ["a.csv", "b.json.gz", "b.csv"]);
        let sources = Sources::new(sources, true);
        let headings = sources.headings();
        let texts: Vec<_> = sources.map(|(piece, _)| String::from_utf8(piece.unwrap().text).unwrap()).collect();
        assert_eq!(texts, ["{\"n\":\"2\"}", "{\"n\":1}", "{\"n\":\"3\",\"m\":\"x\"}"]);
        assert_eq!(
            headings.lock().unwrap().get(&2).map(|heading| heading.text().to_vec()),
            Some(b"n,m,muster_reason".to_vec())
        );
    }
}
