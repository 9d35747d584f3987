//! Which files count, as the state store has it.
//!
//! A file is part of the history if and only if the manifest names it; the entry is committed together with the
//! journal position, after the file and its directory were synced. Files that no entry names are left-overs.

use std::{io, path::Path, sync::Arc};

use muster_history::manifest::{Manifest, Segment, Written};
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

/// The key of a file's entry.
pub fn key(segment: &Segment) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&segment.workspace.0.to_be_bytes());
    key[4..].copy_from_slice(&segment.id.to_be_bytes());
    key
}

/// The value of a file's entry.
pub fn value(segment: &Segment) -> Vec<u8> {
    let mut out = Vec::with_capacity(96 + 8 * segment.checksums.len());
    out.put_u8(VERSION);
    out.put_text(&segment.relative_path);
    out.put_u64(segment.rows);
    out.put_u64(segment.bytes);
    out.put_i64(segment.first.0);
    out.put_i64(segment.last.0);
    out.put_option(segment.month, |out, month| out.put_i64(month.0));
    out.put_u32(segment.checksums.len() as u32);
    segment.checksums.iter().for_each(|checksum| out.put_u64(*checksum));
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
    let id = (WorkspaceId(workspace.ok_or(Malformed)?), id.ok_or(Malformed)?);
    let written = Written { rows, bytes, span, arrivals: None, checksums };
    Ok(Segment::on_disk(history_dir, id, relative_path, month, written))
}

/// Reads the manifest from the state store.
pub fn load(state: &State, history_dir: &Path) -> Result<Manifest, OpenError> {
    let mut manifest = Manifest::default();
    for segment in entries(state.manifest.iter(), history_dir)? {
        manifest.add(Arc::new(segment));
    }
    Ok(manifest)
}

/// The files that entries of the state store name.
pub fn entries(entries: fjall::Iter, history_dir: &Path) -> Result<Vec<Segment>, ReadError> {
    let one = |entry: fjall::Guard| {
        let (key, value) = entry.into_inner().map_err(|error| state_failed(&error))?;
        read(history_dir, &key, &value).map_err(|Malformed| damaged("a manifest entry"))
    };
    entries.map(one).collect()
}

/// Checks that each file is there with the length it had.
pub fn check_files(manifest: &Manifest) -> Result<(), OpenError> {
    for segment in manifest.all() {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let found = segment.path().ok_or_else(missing).and_then(Path::metadata);
        let length = found.map(|metadata| metadata.len());
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
