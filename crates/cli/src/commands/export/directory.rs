//! An export as the files of a directory, which get their names once everything is there.
//!
//! Files come a piece at a time and several at once. Each is written under a name that says it is unfinished and synced when
//! it is whole; when all of them are, they get their names and, last, the manifest is written: a directory without one
//! is not whole. A directory that holds something else is never touched, one with an export only when that is wished.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use muster_query::Frame;
use serde_json::{Map, Value, json};

/// The file that says what an export consists of; readers of partitioned data pass over names that begin so.
const MANIFEST: &str = "_manifest.json";
/// What names end in until everything is there.
const UNFINISHED: &str = ".unfinished";
/// The version of the manifest.
const VERSION: u32 = 1;
/// Files that are written at one time; a server sends fewer.
const OPEN_MAX: usize = 512;

/// Whether a path means a directory.
pub fn is_meant(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// A directory that is being filled.
pub struct Directory {
    path: PathBuf,
    /// Whether files are compressed.
    compresses: bool,
    open: BTreeMap<u32, Part>,
    done: Vec<Done>,
    /// The files of the export that this one takes the place of.
    replaced: Vec<PathBuf>,
}

/// A file being written.
struct Part {
    name: String,
    packer: Packer,
}

enum Packer {
    Plain(BufWriter<File>),
    Zstd(zstd::Encoder<'static, BufWriter<File>>),
}

/// A file that is whole.
struct Done {
    name: String,
    messages: u64,
    bytes: u64,
}

/// What became of an export.
pub struct Told {
    pub messages: u64,
    pub files: usize,
    pub bytes: u64,
    pub as_of: String,
}

impl Directory {
    /// A directory that is empty, or that is made; or one with an export in it that may be replaced.
    pub fn open(path: &Path, compresses: bool, replace: bool) -> anyhow::Result<Directory> {
        let says = || format!("{} cannot be used as a directory", path.display());
        fs::create_dir_all(path).with_context(says)?;
        let mut replaced = Vec::new();
        for entry in fs::read_dir(path).with_context(says)? {
            let entry = entry.with_context(says)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let of_exports = name.starts_with("kind=") || name.starts_with(MANIFEST);
            if !of_exports {
                let what =
                    format!("{} holds {name}, which no export wrote; give a directory of its own", path.display());
                return Err(anyhow!(what));
            }
            below(&entry.path(), &mut replaced).with_context(says)?;
        }
        let (left, replaced): (Vec<PathBuf>, _) = replaced.into_iter().partition(|path| is_unfinished(path));
        if !replaced.is_empty() && !replace {
            return Err(anyhow!("{} holds an export already; give another directory, or --replace", path.display()));
        }
        // An export that was cut short left them.
        for left in left {
            fs::remove_file(&left).with_context(says)?;
        }
        Ok(Directory { path: path.to_owned(), compresses, open: BTreeMap::new(), done: Vec::new(), replaced })
    }

    /// Writes what a server sends, to its end. `advance` is told of bytes.
    pub fn fill(&mut self, from: &mut impl Read, advance: &mut dyn FnMut(u64)) -> anyhow::Result<(String, u64)> {
        loop {
            let frame = Frame::read(from).map_err(|error| {
                anyhow!("the export broke off ({error}) and is not whole; the server's log says why, ask again")
            })?;
            match frame {
                None => return Err(anyhow!("the export ended before it was whole; ask again")),
                Some(Frame::Begin { file, name }) => self.begin(file, name)?,
                Some(Frame::Bytes { file, bytes }) => {
                    let part = self.open.get_mut(&file).ok_or_else(odd)?;
                    let says = || format!("{} cannot be written", part.name);
                    match &mut part.packer {
                        Packer::Plain(out) => out.write_all(&bytes),
                        Packer::Zstd(out) => out.write_all(&bytes),
                    }
                    .with_context(says)?;
                    advance(bytes.len() as u64);
                }
                Some(Frame::End { file, messages }) => {
                    let part = self.open.remove(&file).ok_or_else(odd)?;
                    self.end(part, messages)?;
                }
                Some(Frame::Whole { as_of, messages }) => {
                    let there: u64 = self.done.iter().map(|done| done.messages).sum();
                    if !self.open.is_empty() || there != messages {
                        return Err(odd());
                    }
                    return Ok((as_of, messages));
                }
            }
        }
    }

    fn begin(&mut self, file: u32, name: String) -> anyhow::Result<()> {
        if self.open.len() >= OPEN_MAX {
            return Err(odd());
        }
        let name = if self.compresses { name + ".zst" } else { name };
        let path = self.unfinished(&name);
        let says = || format!("{} cannot be written", path.display());
        fs::create_dir_all(path.parent().unwrap_or(&self.path)).with_context(says)?;
        let out = OpenOptions::new().write(true).create_new(true).open(&path).with_context(says)?;
        let out = BufWriter::with_capacity(256 << 10, out);
        let packer = match self.compresses {
            true => Packer::Zstd(zstd::Encoder::new(out, 0).context("zstd")?),
            false => Packer::Plain(out),
        };
        self.open.insert(file, Part { name, packer });
        Ok(())
    }

    fn end(&mut self, part: Part, messages: u64) -> anyhow::Result<()> {
        let Part { name, packer } = part;
        let finish = || -> io::Result<u64> {
            let out = match packer {
                Packer::Plain(out) => out,
                Packer::Zstd(out) => out.finish()?,
            };
            let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
            Ok(file.metadata()?.len())
        };
        let bytes = finish().with_context(|| format!("{name} cannot be written"))?;
        self.done.push(Done { name, messages, bytes });
        Ok(())
    }

    /// Gives everything its name. `about` says what was asked for.
    pub fn finish(mut self, (as_of, messages): (String, u64), about: Map<String, Value>) -> anyhow::Result<Told> {
        let files = self.done.len();
        let bytes = self.done.iter().map(|done| done.bytes).sum();
        self.done.sort_by(|one, other| one.name.cmp(&other.name));
        let listed =
            self.done.iter().map(|done| json!({"path": done.name, "messages": done.messages, "bytes": done.bytes}));
        let listed: Vec<Value> = listed.collect();
        let mut manifest = json!({"version": VERSION, "asOf": as_of, "messages": messages});
        if let Some(members) = manifest.as_object_mut() {
            members.extend(about);
            members.insert("files".to_owned(), listed.into());
        }
        self.name_all(&manifest).with_context(|| format!("{} cannot be written", self.path.display()))?;
        Ok(Told { messages, files, bytes, as_of })
    }

    fn name_all(&self, manifest: &Value) -> io::Result<()> {
        let says = self.path.join(MANIFEST);
        remove_if_there(&says)?;
        let mut dirs = vec![self.path.clone()];
        for done in &self.done {
            let path = self.path.join(&done.name);
            fs::rename(self.unfinished(&done.name), &path)?;
            dirs.extend(path.ancestors().skip(1).take(2).map(Path::to_owned));
        }
        for old in &self.replaced {
            if !self.done.iter().any(|done| self.path.join(&done.name) == *old) {
                remove_if_there(old)?;
            }
        }
        self.remove_empty();
        dirs.sort();
        dirs.dedup();
        for dir in dirs {
            File::open(dir)?.sync_all()?;
        }
        let unfinished = self.path.join(format!("{MANIFEST}{UNFINISHED}"));
        let mut file = File::create(&unfinished)?;
        file.write_all(serde_json::to_string_pretty(manifest)?.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&unfinished, &says)?;
        File::open(&self.path)?.sync_all()
    }

    /// Removes what is not whole.
    pub fn discard(self) {
        // Where even that fails, names say that they are unfinished.
        for name in self.open.values().map(|part| &part.name).chain(self.done.iter().map(|done| &done.name)) {
            let _ = fs::remove_file(self.unfinished(name));
        }
        self.remove_empty();
    }

    /// Removes directories that are left without a file; others cannot be removed so.
    fn remove_empty(&self) {
        let dirs_of = |path: &Path| -> Vec<PathBuf> {
            let entries = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
            entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
        };
        for kind in dirs_of(&self.path) {
            for month in dirs_of(&kind) {
                let _ = fs::remove_dir(month);
            }
            let _ = fs::remove_dir(kind);
        }
    }

    fn unfinished(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}{UNFINISHED}"))
    }
}

/// The files below a path, itself if it is one.
fn below(path: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    fs::read_dir(path)?.try_for_each(|entry| below(&entry?.path(), found))
}

fn is_unfinished(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(UNFINISHED.as_bytes())
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn odd() -> anyhow::Error {
    anyhow!("the server sent what is no export; is it another version?")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(frames: &[Frame]) -> Vec<u8> {
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut bytes));
        bytes
    }

    fn frames(name: &str, text: &str, messages: u64) -> [Frame; 4] {
        [
            Frame::Begin { file: 0, name: name.to_owned() },
            Frame::Bytes { file: 0, bytes: text.as_bytes().to_vec() },
            Frame::End { file: 0, messages },
            Frame::Whole { as_of: "2026-01-01T00:00:00.000000Z".to_owned(), messages },
        ]
    }

    fn fill(path: &Path, replace: bool, bytes: &[u8]) -> anyhow::Result<Told> {
        let mut directory = Directory::open(path, false, replace)?;
        match directory.fill(&mut &bytes[..], &mut |_| {}) {
            Ok(whole) => directory.finish(whole, Map::new()),
            Err(error) => {
                directory.discard();
                Err(error)
            }
        }
    }

    fn names(path: &Path) -> Vec<String> {
        let mut found = Vec::new();
        below(path, &mut found).unwrap();
        let mut names: Vec<String> =
            found.iter().map(|found| found.strip_prefix(path).unwrap().display().to_string()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_directory_has_its_names_when_it_is_whole_and_is_replaced_as_a_whole() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("out");
        let one = "kind=track/month=2026-01/part-0001.ndjson";
        let other = "kind=user/month=2026-02/part-0001.ndjson";
        let whole = sent(&frames(one, "x\n", 1));
        for end in [0, 5, whole.len() - 1] {
            assert!(fill(&dir, false, &whole[..end]).is_err(), "cut at {end}");
            assert_eq!(names(&dir), Vec::<String>::new());
        }
        assert_eq!(fill(&dir, false, &whole).unwrap().bytes, 2);
        assert_eq!(names(&dir), ["_manifest.json", one]);
        // It stays as it is until another one is whole, and is not replaced by accident.
        let next = sent(&frames(other, "yy\n", 1));
        assert!(fill(&dir, false, &next).is_err());
        assert!(fill(&dir, true, &next[..next.len() - 1]).is_err());
        assert_eq!(names(&dir), ["_manifest.json", one]);
        assert_eq!(fill(&dir, true, &next).unwrap().files, 1);
        assert_eq!(names(&dir), ["_manifest.json", other]);
        let manifest: Value = serde_json::from_slice(&fs::read(dir.join(MANIFEST)).unwrap()).unwrap();
        assert_eq!(manifest["files"], json!([{"path": other, "messages": 1, "bytes": 3}]));
    }

    #[test]
    fn what_a_run_left_behind_goes_and_what_others_wrote_stays() {
        let home = tempfile::tempdir().unwrap();
        let name = "kind=track/month=2026-01/part-0001.ndjson";
        let left = home.path().join(format!("{name}{UNFINISHED}"));
        fs::create_dir_all(left.parent().unwrap()).unwrap();
        fs::write(&left, "half").unwrap();
        let whole = sent(&frames(name, "x\n", 1));
        fill(home.path(), false, &whole).unwrap();
        assert_eq!(names(home.path()), ["_manifest.json", name]);
        fs::write(home.path().join("notes.txt"), "mine").unwrap();
        assert!(fill(home.path(), true, &whole).err().unwrap().to_string().contains("notes.txt"));
        assert_eq!(names(home.path()), ["_manifest.json", name, "notes.txt"]);
    }

    #[test]
    fn what_is_no_export_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let wrong: [&[Frame]; 3] = [
            &[Frame::Bytes { file: 3, bytes: vec![1] }],
            &[Frame::End { file: 3, messages: 1 }],
            &[Frame::Whole { as_of: String::new(), messages: 1 }],
        ];
        for frames in wrong {
            assert!(fill(home.path(), false, &sent(frames)).is_err());
        }
    }
}
