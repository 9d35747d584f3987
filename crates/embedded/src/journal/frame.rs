//! The bytes of a frame and of a file's head.
//!
//! Every width is a constant; every checksum covers everything after itself. Layouts: `docs/storage-format.md`.

use bytes::Bytes;
use muster_model::id::WorkspaceId;
use muster_store::batch::Batch;
use xxhash_rust::xxh3::xxh3_64;

/// What a frame starts with.
pub const FRAME_MAGIC: [u8; 4] = *b"MJF1";
/// What a file starts with; its last digit is the version of both layouts.
pub const FILE_MAGIC: [u8; 8] = *b"MUSTERJ1";

/// Magic, checksum, sequence number, payload length.
pub const FRAME_HEADER_BYTES: usize = 4 + 8 + 8 + 4;
/// Magic, checksum, number of the first frame.
pub const FILE_HEADER_BYTES: usize = 8 + 8 + 8;
const CHECKED_FROM: usize = 12;
const BATCH_HEADER_BYTES: usize = 8;

/// The head of a file whose first frame will have this number.
pub fn file_header(first_sequence: u64) -> [u8; FILE_HEADER_BYTES] {
    let mut header = [0; FILE_HEADER_BYTES];
    header[..8].copy_from_slice(&FILE_MAGIC);
    header[16..].copy_from_slice(&first_sequence.to_le_bytes());
    let checksum = xxh3_64(&header[16..]);
    header[8..16].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// The number of the first frame, if this is the head of a file.
pub fn parse_file_header(bytes: &[u8]) -> Option<u64> {
    let header = bytes.get(..FILE_HEADER_BYTES)?;
    let first = u64::from_le_bytes(header[16..].try_into().ok()?);
    (header == file_header(first)).then_some(first)
}

/// Writes a frame over `out`.
pub fn write_frame<'a>(out: &mut Vec<u8>, sequence: u64, batches: impl Iterator<Item = &'a Batch>) {
    out.clear();
    out.resize(FRAME_HEADER_BYTES, 0);
    for batch in batches {
        out.extend_from_slice(&batch.workspace().0.to_le_bytes());
        out.extend_from_slice(&(batch.bytes().len() as u32).to_le_bytes());
        out.extend_from_slice(batch.bytes());
    }
    let length = (out.len() - FRAME_HEADER_BYTES) as u32;
    out[..4].copy_from_slice(&FRAME_MAGIC);
    out[12..20].copy_from_slice(&sequence.to_le_bytes());
    out[20..24].copy_from_slice(&length.to_le_bytes());
    let checksum = xxh3_64(&out[CHECKED_FROM..]);
    out[4..12].copy_from_slice(&checksum.to_le_bytes());
}

/// A frame that reads: its number, and where its payload ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub sequence: u64,
    pub start: usize,
    pub end: usize,
}

/// The frame that starts at `start`, if it is whole and its checksum is right.
pub fn parse_frame(file: &[u8], start: usize) -> Option<Frame> {
    let header = file.get(start..start.checked_add(FRAME_HEADER_BYTES)?)?;
    if header[..4] != FRAME_MAGIC {
        return None;
    }
    let checksum = u64::from_le_bytes(header[4..12].try_into().ok()?);
    let sequence = u64::from_le_bytes(header[12..20].try_into().ok()?);
    let length = u32::from_le_bytes(header[20..24].try_into().ok()?) as usize;
    let end = start + FRAME_HEADER_BYTES + length;
    let checked = file.get(start + CHECKED_FROM..end)?;
    (xxh3_64(checked) == checksum).then_some(Frame { sequence, start, end })
}

/// The batches in a frame; `None` when a payload whose checksum was right does not read, which is a fault of whoever
/// wrote it.
pub fn batches(file: &Bytes, frame: Frame) -> Option<Vec<Batch>> {
    let mut at = frame.start + FRAME_HEADER_BYTES;
    let mut batches = Vec::new();
    while at < frame.end {
        let header = file.get(at..at + BATCH_HEADER_BYTES)?;
        let workspace = WorkspaceId(u32::from_le_bytes(header[..4].try_into().ok()?));
        let length = u32::from_le_bytes(header[4..].try_into().ok()?) as usize;
        at += BATCH_HEADER_BYTES;
        let end = at.checked_add(length).filter(|end| *end <= frame.end)?;
        batches.push(Batch::from_bytes(workspace, file.slice(at..end)).ok()?);
        at = end;
    }
    Some(batches)
}
