//! What files say of themselves, read once and kept within a bound.
//!
//! A timeline opens the same few files again and again; their footers and directories are kept, those not used for long
//! go first. Whoever holds one keeps it; a file never changes, so nothing here is ever stale.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use muster_model::id::WorkspaceId;
use muster_store::error::ReadError;
use parquet::{
    arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
    file::{metadata::PageIndexPolicy, reader::ChunkReader},
};
use quick_cache::{Weighter, sync::Cache};

use super::{
    chunks::Chunks,
    daily::{self, DailyIndex},
    directory::{self, Directory},
    manifest::{Segment, unreadable},
    verified::VerifiedFile,
};

/// A file and what it says of itself.
#[derive(Debug)]
pub struct Footer {
    pub segment: Arc<Segment>,
    pub metadata: ArrowReaderMetadata,
    pub directory: Directory,
    daily_place: [u64; 3],
    daily: OnceLock<Arc<DailyIndex>>,
}

/// The footers in memory.
#[derive(Debug)]
pub struct Footers {
    cache: Cache<(WorkspaceId, u64), Arc<Footer>, Weigh>,
}

/// The part of the room that what is read before anybody asks leaves, one of so many.
const ROOM_PARTS: u64 = 4;

#[derive(Clone, Debug)]
struct Weigh;

impl Weighter<(WorkspaceId, u64), Arc<Footer>> for Weigh {
    fn weight(&self, _: &(WorkspaceId, u64), footer: &Arc<Footer>) -> u64 {
        // The names of events and places of daily cells too, as they take when they are asked for.
        let [_, _, daily] = footer.daily_place;
        (footer.metadata.metadata().memory_size() + footer.directory.bytes()) as u64 + daily
    }
}

impl Default for Footers {
    fn default() -> Self {
        /// Footers that tables are made for; they grow.
        const ITEMS: usize = 64;
        Footers { cache: Cache::with_weighter(ITEMS, 64 << 20, Weigh) }
    }
}

impl Footers {
    /// Keeps about so many bytes at the most from now on.
    pub fn keep_within(&self, bytes_max: u64) {
        self.cache.set_capacity(bytes_max);
    }

    /// Reads what is not kept yet of these files, as long as there is room for it and `go_on` says so.
    pub fn read_ahead<'s>(&self, segments: impl Iterator<Item = &'s Arc<Segment>>, go_on: impl Fn() -> bool) {
        for segment in segments {
            if !go_on() || self.cache.weight() * ROOM_PARTS > self.cache.capacity() * (ROOM_PARTS - 1) {
                return;
            }
            // What cannot be read is told to whoever asks for it.
            let _ = self.of(segment).and_then(|footer| footer.daily());
        }
    }

    /// Whether a file's footer and the index of its days are kept.
    pub fn has(&self, segment: &Segment) -> bool {
        let kept = self.cache.get(&(segment.workspace, segment.id));
        kept.is_some_and(|footer| footer.daily.get().is_some())
    }

    /// The footer of a file.
    pub fn of(&self, segment: &Arc<Segment>) -> Result<Arc<Footer>, ReadError> {
        let key = (segment.workspace, segment.id);
        self.cache.get_or_insert_with(&key, || Footer::read(segment).map(Arc::new))
    }
}

impl Footer {
    /// Reads what a file says of itself.
    pub fn read(segment: &Arc<Segment>) -> Result<Footer, ReadError> {
        let fail = |error: &dyn std::fmt::Display| unreadable(segment, error);
        let options = ArrowReaderOptions::new()
            .with_schema(segment.layout().read().clone())
            .with_offset_index_policy(PageIndexPolicy::Required);
        let file = VerifiedFile::new(Arc::clone(segment));
        let metadata = ArrowReaderMetadata::load(&file, options).map_err(|error| fail(&error))?;
        let missing = |key: &str| fail(&format_args!("it has no {key}"));
        let [start, length] = place_of(&metadata, directory::PLACE_KEY).ok_or_else(|| missing(directory::PLACE_KEY))?;
        let daily_place = place_of(&metadata, daily::PLACE_KEY).ok_or_else(|| missing(daily::PLACE_KEY))?;
        let length = usize::try_from(length).map_err(|error| fail(&error))?;
        let bytes = file.get_bytes(start, length).map_err(|error| fail(&error))?;
        // A copy of its own: the bytes read are a part of whole blocks.
        let directory = Directory::read(Bytes::copy_from_slice(&bytes)).map_err(|_| fail(&"the directory"))?;
        if directory.rows() != segment.rows {
            return Err(fail(&"the directory is of another file"));
        }
        Ok(Footer { segment: Arc::clone(segment), metadata, directory, daily_place, daily: OnceLock::new() })
    }

    /// The names of events and the places of the daily cells; read when first asked for.
    pub fn daily(&self) -> Result<Arc<DailyIndex>, ReadError> {
        if let Some(known) = self.daily.get() {
            return Ok(Arc::clone(known));
        }
        let [start, blocks, length] = self.daily_place;
        let bytes = self.bytes(start + blocks, length)?;
        let blocks = usize::try_from(blocks).map_err(|error| unreadable(&self.segment, &error))?;
        let index = DailyIndex::read(&bytes, blocks);
        let index = Arc::new(index.map_err(|_| unreadable(&self.segment, &"the index of daily cells"))?);
        Ok(Arc::clone(self.daily.get_or_init(|| index)))
    }

    /// Calls `visit` with each daily cell of these chunks and its count.
    pub fn cells(&self, chunks: &Chunks, mut visit: impl FnMut(&daily::Cell, u64)) -> Result<(), ReadError> {
        let index = self.daily()?;
        let fold = self.directory.fold();
        for run in chunks.runs() {
            let run = run.start * fold..run.end * fold;
            let place = index.place(run.start, run.end);
            let bytes = self.bytes(self.daily_place[0] + place.start as u64, place.len() as u64)?;
            for chunk in run {
                let block = index.place(chunk, chunk + 1);
                let block = bytes.slice(block.start - place.start..block.end - place.start);
                daily::cells(&block, &mut visit).map_err(|_| unreadable(&self.segment, &"daily cells"))?;
            }
        }
        Ok(())
    }

    /// Those of the chunks in which some track's cell is wanted.
    pub fn chunks_with(
        &self,
        chunks: &Chunks,
        mut wants: impl FnMut(&daily::Cell) -> bool,
    ) -> Result<Chunks, ReadError> {
        let index = self.daily()?;
        let fold = self.directory.fold();
        let mut kept = self.directory.none();
        for run in chunks.runs() {
            let place = index.place(run.start * fold, run.end * fold);
            let bytes = self.bytes(self.daily_place[0] + place.start as u64, place.len() as u64)?;
            for chunk in run {
                let mut is_wanted = false;
                for part in chunk * fold..(chunk + 1) * fold {
                    let block = index.place(part, part + 1);
                    let block = bytes.slice(block.start - place.start..block.end - place.start);
                    daily::cells(&block, |cell, _| is_wanted = is_wanted || wants(cell))
                        .map_err(|_| unreadable(&self.segment, &"daily cells"))?;
                }
                if is_wanted {
                    kept.add(chunk);
                }
            }
        }
        Ok(kept)
    }

    fn bytes(&self, start: u64, length: u64) -> Result<Bytes, ReadError> {
        let length = usize::try_from(length).map_err(|error| unreadable(&self.segment, &error))?;
        let file = VerifiedFile::new(Arc::clone(&self.segment));
        file.get_bytes(start, length).map_err(|error| unreadable(&self.segment, &error))
    }
}

/// Decimal numbers with commas between them, under a key of the file's metadata.
fn place_of<const N: usize>(metadata: &ArrowReaderMetadata, key: &str) -> Option<[u64; N]> {
    let entries = metadata.metadata().file_metadata().key_value_metadata()?;
    let text = entries.iter().find(|entry| entry.key == key)?.value.as_deref()?;
    let numbers = text.split(',').map(|number| number.parse().ok()).collect::<Option<Vec<u64>>>()?;
    numbers.try_into().ok()
}
