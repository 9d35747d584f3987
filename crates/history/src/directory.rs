//! What lies where in a file: for each chunk of rows its times, and for each user, account, organization and event the
//! chunks that name it.
//!
//! A reader of a few rows decodes the chunks that may hold them and no others. The answer is always a superset: keys are
//! kept shortened, and what lies nearly everywhere is only said to. The directory is part of the Parquet file, between
//! its last row group and its footer, where other readers do not look; the footer's metadata says where
//! ([its place](crate::directory::PLACE_KEY)). The layout is described in `docs/storage-format.md`.

use bytes::Bytes;
use muster_model::{id::RecordId, kind::RecordKind, time::Micros};
use xxhash_rust::xxh3::xxh3_64;

use super::chunks::Chunks;
use muster_store::byte_form::{Input, Malformed, Output};

/// The key in a file's metadata whose value is the place of the directory: first byte and length, in decimal digits.
pub const PLACE_KEY: &str = "muster.directory";
/// Rows of a chunk, unless a file has so many rows that their chunks could not be counted.
pub const CHUNK_ROWS: u64 = 1 << CHUNK_SHIFT;
const CHUNK_SHIFT: u8 = 10;
/// Chunks of a file at the most; larger files have larger chunks.
const CHUNKS_MAX: usize = 1 << 16;
/// Entries that a bucket has on average.
const BUCKET_ENTRIES: usize = 64;
const BUCKET_BITS_MAX: u32 = 20;
const ENTRY_BYTES: usize = 4;
const VERSION: u8 = 1;

/// What rows are found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum By {
    /// The user that a row names, and the anonymous id.
    User,
    /// The account that a row names or, if it names none, is filed under.
    Account,
    /// The organization that a row names.
    Organization,
    /// The name of a track.
    Event,
}

/// The number of ways in which rows are found.
pub const WAYS: usize = 4;

impl By {
    pub const ALL: [By; WAYS] = [By::User, By::Account, By::Organization, By::Event];

    /// The way in which rows that name records of a kind are found, if there is one.
    pub fn of(kind: RecordKind) -> Option<By> {
        match kind {
            RecordKind::Organization => Some(By::Organization),
            RecordKind::Account => Some(By::Account),
            RecordKind::User | RecordKind::Anonymous => Some(By::User),
            RecordKind::Instance | RecordKind::CustomObject | RecordKind::NpsResponse => None,
        }
    }

    /// The kind of record found in this way; events are none. Anonymous ids are found as users are.
    pub fn kind(self) -> Option<RecordKind> {
        match self {
            By::User => Some(RecordKind::User),
            By::Account => Some(RecordKind::Account),
            By::Organization => Some(RecordKind::Organization),
            By::Event => None,
        }
    }

    /// Whether a key that so many of all chunks hold is only noted as lying everywhere. Events lie in many chunks or few;
    /// the others lie together, and a large one must not cost a look at the whole file.
    fn lies_everywhere(self, chunks: usize, of: usize) -> bool {
        match self {
            By::Event => chunks > 4 && chunks > of / 16,
            By::User | By::Account | By::Organization => chunks > 4 && chunks > of / 2,
        }
    }
}

/// A record's or an event's key in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u64);

impl Key {
    pub fn of_record(id: RecordId) -> Key {
        // The version and the variant of the UUID are the same in all of them; folding hides them.
        Key(((id.0 >> 64) as u64).rotate_left(32) ^ id.0 as u64)
    }

    pub fn of_event(name: &str) -> Key {
        Key(xxh3_64(name.as_bytes()))
    }
}

/// Collects a directory while a file is written.
#[derive(Debug, Default)]
pub struct DirectoryBuilder {
    times: Vec<(i64, i64)>,
    entries: [Vec<(Key, u32)>; WAYS],
}

impl DirectoryBuilder {
    /// Ends a chunk of [`CHUNK_ROWS`] rows, or the last one of a file.
    pub fn end_chunk(&mut self, times: (i64, i64), keys: &mut [rustc_hash::FxHashSet<Key>; WAYS]) {
        let chunk = self.times.len() as u32;
        self.times.push(times);
        for (entries, keys) in self.entries.iter_mut().zip(keys) {
            entries.extend(keys.drain().map(|key| (key, chunk)));
        }
    }

    /// The bytes of the directory of a file of so many rows.
    pub fn finish(mut self, rows: u64) -> Vec<u8> {
        let mut shift = CHUNK_SHIFT;
        while self.times.len() > CHUNKS_MAX {
            self.halve();
            shift += 1;
        }
        let mut out = Vec::new();
        out.put_u8(VERSION);
        out.put_u8(shift);
        out.put_u64(rows);
        out.put_u32(self.times.len() as u32);
        for (first, last) in &self.times {
            out.put_i64(*first);
            out.put_i64(*last);
        }
        for (by, entries) in By::ALL.into_iter().zip(self.entries) {
            put_table(by, entries, self.times.len(), &mut out);
        }
        out
    }

    /// Makes one chunk of every two.
    fn halve(&mut self) {
        let joined = |pair: &[(i64, i64)]| pair.iter().copied().reduce(|(a, b), (c, d)| (a.min(c), b.max(d)));
        self.times = self.times.chunks(2).filter_map(joined).collect();
        self.entries.iter_mut().flatten().for_each(|(_, chunk)| *chunk /= 2);
    }
}

/// Keys that lie everywhere; then buckets by the first bits of a key, each with the next 16 bits of its keys, sorted,
/// and their chunks.
fn put_table(by: By, mut entries: Vec<(Key, u32)>, chunks: usize, out: &mut Vec<u8>) {
    entries.sort_unstable();
    entries.dedup();
    let mut everywhere = Vec::new();
    let mut kept = Vec::with_capacity(entries.len());
    for same in entries.chunk_by(|one, other| one.0 == other.0) {
        if by.lies_everywhere(same.len(), chunks) { everywhere.push(same[0].0) } else { kept.extend_from_slice(same) }
    }
    out.put_u32(everywhere.len() as u32);
    everywhere.iter().for_each(|key| out.put_u64(key.0));
    let bits = (kept.len() / BUCKET_ENTRIES).max(1).ilog2().min(BUCKET_BITS_MAX);
    out.put_u8(bits as u8);
    out.put_u32(kept.len() as u32);
    let mut at = 0;
    for bucket in 0..1 << bits {
        out.put_u32(at as u32);
        at += kept[at..].iter().take_while(|(key, _)| bucket_of(*key, bits) == bucket).count();
    }
    for (key, chunk) in kept {
        out.extend_from_slice(&rest_of(key, bits).to_be_bytes());
        out.extend_from_slice(&(chunk as u16).to_be_bytes());
    }
}

fn bucket_of(key: Key, bits: u32) -> usize {
    if bits == 0 { 0 } else { (key.0 >> (64 - bits)) as usize }
}

fn rest_of(key: Key, bits: u32) -> u16 {
    (key.0 << bits >> 48) as u16
}

/// A file's directory, searched as it lies in the file.
#[derive(Debug)]
pub struct Directory {
    bytes: Bytes,
    shift: u8,
    rows: u64,
    chunks: usize,
    times_at: usize,
    tables: [Table; WAYS],
}

/// Where the parts of a table lie.
#[derive(Clone, Copy, Debug, Default)]
struct Table {
    everywhere_at: usize,
    everywhere: usize,
    bits: u32,
    entries: usize,
    buckets_at: usize,
    entries_at: usize,
}

impl Directory {
    /// Reads the outline; nothing is copied.
    pub fn read(bytes: Bytes) -> Result<Directory, Malformed> {
        let mut input = Input::new(&bytes);
        let length = bytes.len();
        if input.u8()? != VERSION {
            return Err(Malformed);
        }
        let shift = input.u8()?;
        let rows = input.u64()?;
        let chunks = input.count(16)?;
        if !(CHUNK_SHIFT..63).contains(&shift) || rows.div_ceil(1 << shift) != chunks as u64 {
            return Err(Malformed);
        }
        let times_at = length - input.left();
        input.take(chunks * 16)?;
        let mut tables = [Table::default(); WAYS];
        for table in &mut tables {
            table.everywhere = input.count(8)?;
            table.everywhere_at = length - input.left();
            input.take(table.everywhere * 8)?;
            table.bits = u32::from(input.u8()?);
            table.entries = input.u32()? as usize;
            if table.bits > BUCKET_BITS_MAX {
                return Err(Malformed);
            }
            table.buckets_at = length - input.left();
            input.take(ENTRY_BYTES << table.bits)?;
            table.entries_at = length - input.left();
            input.take(table.entries.checked_mul(ENTRY_BYTES).ok_or(Malformed)?)?;
        }
        input.end()?;
        Ok(Directory { bytes, shift, rows, chunks, times_at, tables })
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Rows of the file.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many times [`CHUNK_ROWS`] a chunk of this file has.
    pub fn fold(&self) -> usize {
        1 << (self.shift - CHUNK_SHIFT)
    }

    /// No chunk.
    pub fn none(&self) -> Chunks {
        Chunks::none(self.chunks, self.shift, self.rows)
    }

    /// Every chunk that may hold rows in these bounds, both included.
    pub fn in_time(&self, first: Option<Micros>, last: Option<Micros>) -> Chunks {
        let mut found = self.none();
        for chunk in 0..self.chunks {
            let (earliest, latest) = self.times(chunk);
            if first.is_none_or(|first| first.0 <= latest) && last.is_none_or(|last| earliest <= last.0) {
                found.add(chunk);
            }
        }
        found
    }

    /// The first and the last instant of a chunk's rows.
    pub fn times(&self, chunk: usize) -> (i64, i64) {
        let at = self.times_at + chunk * 16;
        (self.number(at) as i64, self.number(at + 8) as i64)
    }

    /// Adds the chunks that may hold rows with this key.
    pub fn find(&self, by: By, key: Key, found: &mut Chunks) {
        let table = self.tables[by as usize];
        if self.lies_everywhere(table, key) {
            return found.add_all();
        }
        let bucket = bucket_of(key, table.bits);
        let start = self.bucket(table, bucket);
        let end = if bucket + 1 < 1 << table.bits { self.bucket(table, bucket + 1) } else { table.entries };
        let entries = self.bytes.get(table.entries_at + start * ENTRY_BYTES..table.entries_at + end * ENTRY_BYTES);
        let wanted = rest_of(key, table.bits).to_be_bytes();
        let (entries, _) = entries.unwrap_or_default().as_chunks::<ENTRY_BYTES>();
        let first = entries.partition_point(|entry| entry[..2] < wanted[..]);
        for entry in entries[first..].iter().take_while(|entry| entry[..2] == wanted[..]) {
            found.add(usize::from(u16::from_be_bytes([entry[2], entry[3]])));
        }
    }

    fn lies_everywhere(&self, table: Table, key: Key) -> bool {
        let (mut low, mut high) = (0, table.everywhere);
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.number(table.everywhere_at + middle * 8).cmp(&key.0) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return true,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        false
    }

    fn bucket(&self, table: Table, bucket: usize) -> usize {
        let at = table.buckets_at + bucket * ENTRY_BYTES;
        let bytes = self.bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes).min(table.entries as u32) as usize
    }

    fn number(&self, at: usize) -> u64 {
        let bytes = self.bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use rustc_hash::FxHashSet;

    use super::*;

    fn key(number: u64) -> Key {
        Key(xxh3_64(&number.to_le_bytes()))
    }

    /// A file of so many chunks, in which user `n` lies in chunks `n` and `n / 2`, and user 0 everywhere.
    fn directory(chunks: u64) -> Directory {
        let mut builder = DirectoryBuilder::default();
        for chunk in 0..chunks {
            let mut keys: [FxHashSet<Key>; WAYS] = Default::default();
            keys[By::User as usize].extend([0, chunk, chunk * 2, chunk * 2 + 1].map(key));
            keys[By::Event as usize].insert(key(chunk % 64));
            builder.end_chunk((chunk as i64 * 10, chunk as i64 * 10 + 9), &mut keys);
        }
        Directory::read(Bytes::from(builder.finish(chunks * CHUNK_ROWS))).unwrap()
    }

    fn found(directory: &Directory, by: By, key: Key) -> Vec<usize> {
        let mut chunks = directory.none();
        directory.find(by, key, &mut chunks);
        chunks.iter().collect()
    }

    #[test]
    fn what_was_put_in_is_found_and_little_else() {
        let directory = directory(5_000);
        let mut others = 0;
        for number in 1..5_000u64 {
            let chunks = found(&directory, By::User, key(number));
            for chunk in [number, number / 2] {
                assert!(chunks.contains(&(chunk as usize)), "{number} in {chunk}: {chunks:?}");
            }
            others += chunks.len() - FxHashSet::from_iter([number, number / 2]).len();
        }
        assert!(others < 50, "{others} chunks found for nothing");
        assert_eq!(found(&directory, By::User, key(0)).len(), 5_000);
        assert!(found(&directory, By::Organization, key(1)).is_empty());
        assert!((100_000..110_000).filter(|n| !found(&directory, By::User, key(*n)).is_empty()).count() < 50);
    }

    #[test]
    fn times_choose_chunks() {
        let directory = directory(10);
        let chosen = |first: Option<i64>, last: Option<i64>| {
            directory.in_time(first.map(Micros), last.map(Micros)).iter().collect::<Vec<_>>()
        };
        assert_eq!(chosen(Some(25), Some(40)), [2, 3, 4]);
        assert_eq!(chosen(None, Some(9)), [0]);
        assert_eq!(chosen(Some(99), None), [9]);
        assert_eq!(chosen(Some(100), None), [0; 0]);
    }

    #[test]
    fn a_file_of_very_many_rows_has_larger_chunks() {
        let mut builder = DirectoryBuilder::default();
        let chunks = CHUNKS_MAX as u64 + 3;
        for chunk in 0..chunks {
            let mut keys: [FxHashSet<Key>; WAYS] = Default::default();
            keys[By::User as usize].insert(key(chunk));
            builder.end_chunk((chunk as i64, chunk as i64), &mut keys);
        }
        let directory = Directory::read(Bytes::from(builder.finish(chunks * CHUNK_ROWS))).unwrap();
        assert!(found(&directory, By::User, key(chunks - 1)).contains(&(chunks as usize / 2)));
        assert_eq!(directory.times(0), (0, 1));
    }

    #[test]
    fn cut_or_flipped_bytes_never_panic() {
        let whole = directory(40).bytes;
        for end in 0..whole.len() {
            assert!(Directory::read(whole.slice(..end)).is_err(), "cut at {end}");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.to_vec();
            damaged[at] ^= 0xff;
            if let Ok(directory) = Directory::read(Bytes::from(damaged)) {
                let _ = found(&directory, By::User, key(3));
                let _ = directory.in_time(Some(Micros(7)), None);
            }
        }
    }
}
