//! Removing what was deleted from what is kept for followers.
//!
//! A file that holds something of it is written anew, frame by frame, under a temporary name. An entry that goes leaves an
//! empty one in its place, so that places within a frame stay what they are. Letters lose what was deleted, too.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
};

use muster_history::{disk, error::not_a_record};
use muster_model::{
    deletion::Fate,
    id::{IdSpace, WorkspaceId},
};
use muster_store::{
    batch::{Batch, BatchBuilder, Entry, decode_refused},
    deletion::{Instants, mentions},
    error::ReadError,
    follow::Letter,
    record,
    refused::RefusedId,
};

use super::{
    book::Kept,
    frames::FrameFile,
    letters::{self, encode},
    place::letter_key,
};
use crate::{erase::screen::left, error::state_failed, journal::frame, views::Views};

/// What a file has appended to its name while it is written.
const TEMPORARY: &str = "tmp";

/// Removes everything of a workspace that these deletions cover.
pub fn erase(views: &Views, workspace: WorkspaceId, ids: IdSpace, deleted: &Instants) -> Result<(), ReadError> {
    let book = &views.book;
    for kept in book.kept() {
        let _one_at_a_time = book.settling.lock();
        // Somebody may have let it go meanwhile.
        if !book.kept().iter().any(|still| still.first == kept.first) {
            continue;
        }
        let unreadable = |error: io::Error| ReadError::Failed { what: format!("a file kept for followers: {error}") };
        if holds(&kept, workspace, ids, deleted)? {
            let bytes = rewrite(&kept, workspace, ids, deleted).map_err(unreadable)?;
            book.resized(kept.first, bytes);
        }
    }
    erase_letters(views, workspace, deleted)
}

fn erase_letters(views: &Views, workspace: WorkspaceId, deleted: &Instants) -> Result<(), ReadError> {
    let state = &views.state;
    for known in views.book.all().into_iter().filter(|known| known.follower.workspace == workspace) {
        let _one_at_a_time = views.book.settling.lock();
        let _committing = views.committing.lock();
        let mut batch = state.batch();
        let mut gone = 0;
        for letter in letters::all(views, &known.follower, None) {
            let letter = letter?;
            let key = letter_key(workspace, known.follower.id, letter.id);
            match left(Some(deleted), &letter.record, "a dead letter")? {
                None => {
                    batch.remove(&state.followers, key);
                    gone += 1;
                }
                Some(record) if record != letter.record => {
                    batch.insert(&state.followers, key, encode(&Letter { record, ..letter }));
                }
                Some(_) => {}
            }
        }
        batch.commit().map_err(|error| state_failed(&error))?;
        views.book.note(known.follower.id, |known| known.letters = known.letters.saturating_sub(gone));
    }
    Ok(())
}

/// Whether a file holds something that deletions of a workspace cover.
fn holds(kept: &Kept, workspace: WorkspaceId, ids: IdSpace, deleted: &Instants) -> Result<bool, ReadError> {
    let unreadable = |error: io::Error| ReadError::Failed { what: format!("a file kept for followers: {error}") };
    let mut file = FrameFile::open(&kept.path).map_err(unreadable)?;
    while let Some((_, batches)) = file.take_frame().map_err(unreadable)? {
        for batch in batches.iter().filter(|batch| batch.workspace() == workspace) {
            if concerned(batch, ids, deleted)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether deletions take anything of a batch.
pub fn concerned(batch: &Batch, ids: IdSpace, deleted: &Instants) -> Result<bool, ReadError> {
    let hides = |id, reach| deleted.hides(id, reach);
    for entry in batch.entries() {
        let goes = match entry {
            Entry::Message(bytes) => {
                let names = record::names(bytes).map_err(not_a_record("the journal"))?;
                names.fate(names.reach(), hides) != Fate::Keep
            }
            Entry::Refused(bytes) => {
                let refused = decode_refused(bytes).map_err(not_a_record("the journal"))?;
                let named = |id| deleted.deleted_at(id).is_some_and(|at| refused.received_at <= at);
                mentions(&refused.body, ids, named)
            }
            Entry::Forget(_) | Entry::Decree(_) | Entry::Import(_) | Entry::Owners(_) | Entry::TakeBack(_) => false,
        };
        if goes {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes a file anew; how many bytes it has.
fn rewrite(kept: &Kept, workspace: WorkspaceId, ids: IdSpace, deleted: &Instants) -> io::Result<u64> {
    let temporary = kept.path.with_extension(TEMPORARY);
    disk::remove_if_there(&temporary)?;
    let mut out = BufWriter::new(File::create_new(&temporary)?);
    out.write_all(&frame::file_header(kept.first))?;
    let mut file = FrameFile::open(&kept.path)?;
    let mut buffer = Vec::new();
    while let Some((sequence, batches)) = file.take_frame()? {
        let strip = |batch: Batch| match batch.workspace() == workspace {
            true => stripped(&batch, ids, deleted).map_err(io::Error::other),
            false => Ok(batch),
        };
        let batches = batches.into_iter().map(strip).collect::<io::Result<Vec<Batch>>>()?;
        frame::write_frame(&mut buffer, sequence, batches.iter());
        out.write_all(&buffer)?;
    }
    let out = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    out.sync_all()?;
    let bytes = out.metadata()?.len();
    disk::rename_durably(&temporary, &kept.path)?;
    Ok(bytes)
}

/// A batch of which what was deleted is left empty.
fn stripped(batch: &Batch, ids: IdSpace, deleted: &Instants) -> Result<Batch, ReadError> {
    const NOTHING: RefusedId = RefusedId(0);
    let mut builder = BatchBuilder::new(batch.workspace(), batch.bytes().len());
    for entry in batch.entries() {
        match entry {
            Entry::Message(bytes) => match left(Some(deleted), bytes, "the journal")? {
                Some(record) => builder.encoded_message(&record),
                None => builder.forget(NOTHING),
            },
            Entry::Refused(bytes) => {
                let refused = decode_refused(bytes).map_err(not_a_record("the journal"))?;
                let named = |id| deleted.deleted_at(id).is_some_and(|at| refused.received_at <= at);
                match mentions(&refused.body, ids, named) {
                    true => builder.forget(NOTHING),
                    false => builder.encoded_refused(bytes),
                }
            }
            Entry::Forget(id) => builder.forget(id),
            Entry::Decree(bytes) => builder.encoded_decree(bytes),
            Entry::Import(bytes) => builder.encoded_import(bytes),
            Entry::Owners(bytes) => builder.encoded_owners(bytes),
            Entry::TakeBack(bytes) => builder.encoded_take_back(bytes),
        }
    }
    Ok(builder.build())
}
