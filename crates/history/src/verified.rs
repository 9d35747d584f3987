//! Reading a file's bytes, checked.
//!
//! Whatever part of a file is asked for, the blocks that hold it are read whole and compared with the checksums in the
//! manifest before a byte of them is handed on. A flipped bit is an error that names the file and the block.

use std::{
    io::{self, Read},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::Mutex;
use parquet::{
    errors::{ParquetError, Result as ParquetResult},
    file::reader::{ChunkReader, Length},
};
use xxhash_rust::xxh3::xxh3_64;

use super::manifest::{BLOCK_BYTES, Segment};

/// A segment's file, for the Parquet reader. Its copies share the blocks that were read last: small columns lie side by
/// side in one.
#[derive(Clone)]
pub struct VerifiedFile {
    segment: Arc<Segment>,
    last: Arc<Mutex<Option<Blocks>>>,
}

/// Neighbouring blocks, checked: the number of the first, and their bytes.
struct Blocks {
    first: usize,
    bytes: Bytes,
}

impl VerifiedFile {
    pub fn new(segment: Arc<Segment>) -> Self {
        VerifiedFile { segment, last: Arc::default() }
    }

    /// Reads and checks every block; for examinations.
    pub fn check_all(&self) -> io::Result<()> {
        self.each_block(|_| Ok(()))
    }

    /// Hands on every block in turn, checked.
    pub fn each_block(&self, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let blocks = self.segment.checksums.len();
        (0..blocks).try_for_each(|block| self.read_blocks(block, block + 1).and_then(|bytes| each(&bytes)))
    }

    /// Blocks `from` (included) to `until` (excluded), checked.
    fn read_blocks(&self, from: usize, until: usize) -> io::Result<Bytes> {
        let start = from as u64 * BLOCK_BYTES as u64;
        let end = (until as u64 * BLOCK_BYTES as u64).min(self.segment.bytes);
        let length = usize::try_from(end.saturating_sub(start)).map_err(io::Error::other)?;
        let bytes = self.segment.read(start, length)?;
        for (offset, block) in bytes.chunks(BLOCK_BYTES).enumerate() {
            let number = from + offset;
            if self.segment.checksums.get(number) != Some(&xxh3_64(block)) {
                let what = format!("block {number} (byte {}) does not match its checksum", number * BLOCK_BYTES);
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
        }
        Ok(bytes)
    }

    fn read(&self, start: u64, length: usize) -> io::Result<Bytes> {
        let end = start + length as u64;
        if end > self.segment.bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let from = usize::try_from(start / BLOCK_BYTES as u64).map_err(io::Error::other)?;
        let until = usize::try_from(end.div_ceil(BLOCK_BYTES as u64)).map_err(io::Error::other)?;
        let mut last = self.last.lock();
        let known = last.as_ref().filter(|blocks| {
            let end = (blocks.first * BLOCK_BYTES + blocks.bytes.len()) as u64;
            blocks.first <= from && start + length as u64 <= end
        });
        let (first, bytes) = match known {
            Some(blocks) => (blocks.first, blocks.bytes.clone()),
            None => (from, self.read_blocks(from, until)?),
        };
        let skipped = usize::try_from(start - (first * BLOCK_BYTES) as u64).map_err(io::Error::other)?;
        *last = Some(Blocks { first, bytes: bytes.clone() });
        Ok(bytes.slice(skipped..skipped + length))
    }
}

impl Length for VerifiedFile {
    fn len(&self) -> u64 {
        self.segment.bytes
    }
}

impl ChunkReader for VerifiedFile {
    type T = VerifiedReader;

    fn get_read(&self, start: u64) -> ParquetResult<VerifiedReader> {
        Ok(VerifiedReader { file: self.clone(), at: start, buffer: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.read(start, length).map_err(|error| ParquetError::External(Box::new(error)))
    }
}

/// Reads on from a place, a block at a time.
pub struct VerifiedReader {
    file: VerifiedFile,
    at: u64,
    buffer: Bytes,
}

impl Read for VerifiedReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.buffer.is_empty() {
            let block_end = (self.at / BLOCK_BYTES as u64 + 1) * BLOCK_BYTES as u64;
            let end = block_end.min(self.file.segment.bytes);
            if self.at >= end {
                return Ok(0);
            }
            let length = usize::try_from(end - self.at).map_err(io::Error::other)?;
            self.buffer = self.file.read(self.at, length)?;
            self.at = end;
        }
        let count = out.len().min(self.buffer.len());
        out[..count].copy_from_slice(&self.buffer.split_to(count));
        Ok(count)
    }
}
