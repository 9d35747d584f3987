//! Which files count, and what is known of each without opening it.
//!
//! A file is part of the history if and only if the manifest names it; the entry is committed together with the
//! journal position, after the file and its directory were synced. Files that no entry names are left-overs.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use muster_model::{id::WorkspaceId, time::Micros};
use muster_store::{
    byte_form::{Input, Malformed, Output},
    error::ReadError,
};

use crate::{
    error::{OpenError, damaged, state_failed},
    state::State,
};

/// The version of an entry's layout.
const VERSION: u8 = 1;

/// Bytes that one checksum covers.
pub const BLOCK_BYTES: usize = 64 * 1024;

/// One file of the history.
#[derive(Debug)]
pub struct Segment {
    pub workspace: WorkspaceId,
    pub id: u64,
    /// Below the history's directory.
    pub relative_path: String,
    pub path: PathBuf,
    pub rows: u64,
    pub bytes: u64,
    pub first: Micros,
    pub last: Micros,
    /// The first instant of the month whose messages it holds; `None` for a checkpoint's file, which may hold any.
    pub month: Option<Micros>,
    /// xxh3 of each block of [`BLOCK_BYTES`].
    pub checksums: Vec<u64>,
    file: OnceLock<Arc<File>>,
}

impl Segment {
    /// A file that was written.
    #[expect(clippy::too_many_arguments, reason = "the fields of an entry, each with its name at the only two callers")]
    pub fn new(
        history_dir: &Path,
        workspace: WorkspaceId,
        id: u64,
        relative_path: String,
        rows: u64,
        span: (Micros, Micros),
        month: Option<Micros>,
        (bytes, checksums): (u64, Vec<u64>),
    ) -> Self {
        let path = history_dir.join(&relative_path);
        let (first, last) = span;
        let file = OnceLock::new();
        Segment { workspace, id, relative_path, path, rows, bytes, first, last, month, checksums, file }
    }

    /// The open file; opened once, so that it can still be read after compaction removed its name.
    pub fn file(&self) -> io::Result<Arc<File>> {
        if let Some(file) = self.file.get() {
            return Ok(Arc::clone(file));
        }
        let opened = Arc::new(File::open(&self.path)?);
        Ok(Arc::clone(self.file.get_or_init(|| opened)))
    }

    /// The key of its entry.
    pub fn key(&self) -> [u8; 12] {
        let mut key = [0; 12];
        key[..4].copy_from_slice(&self.workspace.0.to_be_bytes());
        key[4..].copy_from_slice(&self.id.to_be_bytes());
        key
    }

    /// The value of its entry.
    pub fn value(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96 + 8 * self.checksums.len());
        out.put_u8(VERSION);
        out.put_text(&self.relative_path);
        out.put_u64(self.rows);
        out.put_u64(self.bytes);
        out.put_i64(self.first.0);
        out.put_i64(self.last.0);
        out.put_option(self.month, |out, month| out.put_i64(month.0));
        out.put_u32(self.checksums.len() as u32);
        self.checksums.iter().for_each(|checksum| out.put_u64(*checksum));
        out
    }

    fn read(history_dir: &Path, key: &[u8], value: &[u8]) -> Result<Segment, Malformed> {
        let workspace = key.get(..4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        let id = key.get(4..12).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
        let mut input = Input::new(value);
        if input.u8()? != VERSION {
            return Err(Malformed);
        }
        let relative_path = input.text()?.to_owned();
        let (rows, bytes) = (input.u64()?, input.u64()?);
        let span = (Micros(input.i64()?), Micros(input.i64()?));
        let month = input.option(Input::i64)?.map(Micros);
        let count = input.count(8)?;
        let checksums = (0..count).map(|_| input.u64()).collect::<Result<Vec<u64>, Malformed>>()?;
        input.end()?;
        let workspace = WorkspaceId(workspace.ok_or(Malformed)?);
        let id = id.ok_or(Malformed)?;
        Ok(Segment::new(history_dir, workspace, id, relative_path, rows, span, month, (bytes, checksums)))
    }
}

/// The files that count, as of one moment.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    segments: BTreeMap<(WorkspaceId, u64), Arc<Segment>>,
}

impl Manifest {
    /// Reads the manifest from the state store.
    pub fn load(state: &State, history_dir: &Path) -> Result<Manifest, OpenError> {
        let mut manifest = Manifest::default();
        for segment in Manifest::entries(state.manifest.iter(), history_dir)? {
            manifest.add(Arc::new(segment));
        }
        Ok(manifest)
    }

    /// The files that entries of the state store name.
    pub fn entries(entries: fjall::Iter, history_dir: &Path) -> Result<Vec<Segment>, ReadError> {
        let read = |entry: fjall::Guard| {
            let (key, value) = entry.into_inner().map_err(|error| state_failed(&error))?;
            Segment::read(history_dir, &key, &value).map_err(|Malformed| damaged("a manifest entry"))
        };
        entries.map(read).collect()
    }

    /// Checks that each file is there with the length it had.
    pub fn check_files(&self) -> Result<(), OpenError> {
        for segment in self.segments.values() {
            let length = segment.path.metadata().map(|metadata| metadata.len());
            if length.as_ref().ok() != Some(&segment.bytes) {
                let found = length.map_or_else(|error| error.to_string(), |bytes| format!("{bytes} bytes"));
                return Err(OpenError::damaged(format!(
                    "history file {} should have {} bytes but: {found}; restore it from a backup",
                    segment.relative_path, segment.bytes
                )));
            }
        }
        Ok(())
    }

    /// Adds a file.
    pub fn add(&mut self, segment: Arc<Segment>) {
        self.segments.insert((segment.workspace, segment.id), segment);
    }

    /// Takes a file out.
    pub fn remove(&mut self, segment: &Segment) {
        self.segments.remove(&(segment.workspace, segment.id));
    }

    /// All files.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.segments.values()
    }

    /// A workspace's files.
    pub fn of(&self, workspace: WorkspaceId) -> impl Iterator<Item = &Arc<Segment>> {
        self.segments.range((workspace, 0)..=(workspace, u64::MAX)).map(|(_, segment)| segment)
    }

    /// An id that no file has had since the manifest was read.
    pub fn next_id(&self) -> u64 {
        self.segments.keys().map(|(_, id)| id + 1).max().unwrap_or(1)
    }
}

/// What readers are told of a history file that cannot be read.
pub fn unreadable(segment: &Segment, error: &dyn std::fmt::Display) -> ReadError {
    ReadError::Damaged { what: format!("history file {}: {error}", segment.relative_path) }
}
