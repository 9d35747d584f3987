//! The disk of a machine that loses power: preparing it, and seeing what is left.
//!
//! The other half of `shim.c` and `disk.h`. A [`Disk`] starts with everything on it durable; processes that run under
//! the shim then make it forget whatever they do not sync. [`Disk::remains`] builds the directory that the next start of
//! the machine would find. Never changes the live directory.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use rand::Rng;
use rand::rngs::StdRng;

use super::harness::files::{BLOCK_BYTES, of_tests, write_sparsely};

/// The compiled shim.
pub struct Shim {
    library: PathBuf,
}

impl Shim {
    /// Compiles the shim into `directory`. A machine without a C compiler cannot run these tests, and says so.
    pub fn compile(directory: &Path) -> Shim {
        let library = directory.join("shim.so");
        cc(&["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"], "shim.c", &library);
        Shim { library }
    }
}

/// Compiles one of the C files beside this one.
pub fn cc(options: &[&str], source: &str, output: &Path) {
    let source = of_tests("power_loss").join(source);
    let done = Command::new("cc").args(["-O2", "-pthread"]).args(options).arg("-o").arg(output).arg(&source).output();
    let done = done.unwrap_or_else(|error| panic!("this test needs a C compiler named cc: {error}"));
    assert!(done.status.success(), "cc {}: {}", source.display(), String::from_utf8_lossy(&done.stderr));
}

/// How much of what was not synced happens to be on the disk all the same.
pub enum Loss<'a> {
    /// None of it: names and contents are exactly those of the last syncs.
    Everything,
    /// Some of it: each unsynced block of a file is there or not, and so are the unsynced names, all or none.
    Some(&'a mut StdRng),
}

/// A directory of which every change must be synced to last.
pub struct Disk {
    live: PathBuf,
    mirror: PathBuf,
    library: PathBuf,
    strict_names: bool,
}

impl Disk {
    /// Takes over the directory `live`, with all its content durable; `mirror` is made for the books.
    pub fn new(shim: &Shim, live: &Path, mirror: &Path) -> Disk {
        for part in ["inodes", "dirs", "held", "graveyard"] {
            fs::create_dir_all(mirror.join(part)).unwrap();
        }
        let live = live.canonicalize().unwrap();
        let mirror = mirror.canonicalize().unwrap();
        let disk = Disk { live, mirror, library: shim.library.clone(), strict_names: true };
        disk.settle_directory(&disk.live);
        disk
    }

    /// A file system on which fsync of a new file makes its name durable too.
    pub fn names_follow_files(mut self) -> Disk {
        self.strict_names = false;
        self
    }

    pub fn live(&self) -> &Path {
        &self.live
    }

    /// The environment of a process that is to run on this disk.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let names = if self.strict_names { "strict" } else { "with-file" };
        vec![
            ("LD_PRELOAD", self.library.clone().into()),
            ("POWER_LOSS_ROOT", self.live.clone().into()),
            ("POWER_LOSS_MIRROR", self.mirror.clone().into()),
            ("POWER_LOSS_NAMES", names.into()),
        ]
    }

    /// Builds, in the new directory `into`, what a power failure now would leave.
    pub fn remains(&self, into: &Path, mut loss: Loss<'_>) {
        let live_names = match &mut loss {
            Loss::Everything => false,
            Loss::Some(rng) => rng.random_bool(0.5),
        };
        let root = fs::metadata(&self.live).unwrap().ino();
        self.restore(root, &self.live, into, live_names, &mut loss);
    }

    /// Bytes that the live files have and a power failure now would take, and names that are not durable.
    pub fn at_stake(&self) -> (usize, usize) {
        let (mut bytes, mut nameless) = (0, 0);
        let mut directories = vec![self.live.clone()];
        while let Some(directory) = directories.pop() {
            let durable = self.durable_entries(fs::metadata(&directory).unwrap().ino());
            for entry in live_entries(&directory) {
                nameless += usize::from(!durable.iter().any(|known| known.ino == entry.ino));
                if entry.is_directory {
                    directories.push(directory.join(&entry.name));
                    continue;
                }
                let live = fs::read(directory.join(&entry.name)).unwrap();
                let image = self.image(entry.ino);
                let blocks = live.chunks(BLOCK_BYTES).enumerate();
                let same = |at: usize, block: &[u8]| {
                    image.get(at * BLOCK_BYTES..at * BLOCK_BYTES + block.len()) == Some(block)
                };
                bytes += blocks.filter(|(at, block)| !same(*at, block)).map(|(_, block)| block.len()).sum::<usize>();
            }
        }
        (bytes, nameless)
    }

    fn settle_directory(&self, directory: &Path) {
        let mut lines = String::new();
        for entry in live_entries(directory) {
            let path = directory.join(&entry.name);
            let kind = if entry.is_directory { 'd' } else { 'f' };
            lines.push_str(&format!("{kind} {} {}\n", entry.ino, entry.name));
            if entry.is_directory {
                self.settle_directory(&path);
            } else {
                fs::hard_link(&path, self.held(entry.ino)).unwrap();
                write_sparsely(&self.mirror.join("inodes").join(entry.ino.to_string()), &fs::read(&path).unwrap());
            }
        }
        let ino = fs::metadata(directory).unwrap().ino();
        fs::write(self.mirror.join("dirs").join(ino.to_string()), lines).unwrap();
    }

    fn restore(&self, ino: u64, live: &Path, into: &Path, live_names: bool, loss: &mut Loss<'_>) {
        fs::create_dir_all(into).unwrap();
        let entries = if live_names { live_entries(live) } else { self.durable_entries(ino) };
        for entry in entries {
            let (from, to) = (live.join(&entry.name), into.join(&entry.name));
            if entry.is_directory {
                self.restore(entry.ino, &from, &to, live_names, loss);
                continue;
            }
            let durable = self.image(entry.ino);
            let content = match loss {
                Loss::Everything => durable,
                Loss::Some(rng) => torn(&durable, &fs::read(self.held(entry.ino)).unwrap_or_default(), rng),
            };
            write_sparsely(&to, &content);
        }
    }

    fn held(&self, ino: u64) -> PathBuf {
        self.mirror.join("held").join(ino.to_string())
    }

    /// A file's durable content: empty when it was never synced.
    fn image(&self, ino: u64) -> Vec<u8> {
        fs::read(self.mirror.join("inodes").join(ino.to_string())).unwrap_or_default()
    }

    /// A directory's durable entries: none when it was never synced.
    fn durable_entries(&self, ino: u64) -> Vec<Entry> {
        let text = fs::read_to_string(self.mirror.join("dirs").join(ino.to_string())).unwrap_or_default();
        let parse = |line: &str| {
            let mut parts = line.splitn(3, ' ');
            let is_directory = parts.next()? == "d";
            Some(Entry { is_directory, ino: parts.next()?.parse().ok()?, name: parts.next()?.to_owned() })
        };
        text.lines().map(|line| parse(line).unwrap_or_else(|| panic!("a torn line in the mirror: {line}"))).collect()
    }
}

struct Entry {
    name: String,
    ino: u64,
    is_directory: bool,
}

fn live_entries(directory: &Path) -> Vec<Entry> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            Entry { name, ino: entry.ino(), is_directory: entry.file_type().unwrap().is_dir() }
        })
        .collect()
}

/// A file of which some unsynced blocks reached the disk and others did not.
fn torn(durable: &[u8], live: &[u8], rng: &mut StdRng) -> Vec<u8> {
    let block_bytes = [512, BLOCK_BYTES][rng.random_range(0..2)];
    let reached = [0.0, 0.5, 1.0][rng.random_range(0..3)];
    let length = match rng.random_range(0..3) {
        0 => durable.len(),
        1 => live.len(),
        _ if live.len() > durable.len() => rng.random_range(durable.len()..=live.len()),
        _ => live.len(),
    };
    let mut content = vec![0; length];
    for (at, block) in content.chunks_mut(block_bytes).enumerate() {
        let source = if rng.random_bool(reached) { live } else { durable };
        let from = source.get(at * block_bytes..).unwrap_or_default();
        let length = from.len().min(block.len());
        block[..length].copy_from_slice(&from[..length]);
    }
    content
}
