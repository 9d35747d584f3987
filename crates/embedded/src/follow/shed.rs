//! Keeping what is kept for followers within its bound.
//!
//! The oldest file goes first, also when the disk has no room left for what is received: a follower that is away must not
//! stop those who send. Before it goes, each follower that has not had all of it is moved to the file's end, with the
//! interval of receipt of its workspace's messages to read from the history, where they all are.

use std::{collections::BTreeMap, io};

use muster_history::error::not_a_record;
use muster_model::{id::WorkspaceId, time::Micros};
use muster_store::{batch::Entry, error::ReadError, record};
use tracing::{error, info};

use super::{
    book::Kept,
    frames::FrameFile,
    place::{Past, Place, place_key},
};
use crate::{error::state_failed, room::Room, views::Views};

/// Bytes that are to be free beside what is to stay free anyway; with less, files kept for followers go.
const SPARE_BYTES: u64 = 256 << 20;

/// Lets files go until the rest is within its bound and the disk has room. Whoever writes does not wait for it.
pub fn shed(views: &Views, room: &Room) {
    let book = &views.book;
    let bytes_max = book.bounds.lock().bytes_max;
    while let Some(oldest) = book.kept().into_iter().next() {
        if book.kept_bytes() <= bytes_max && room.spares(SPARE_BYTES) {
            return;
        }
        book.lose(oldest.last);
        match let_go(views, &oldest) {
            Ok(followers) => {
                info!(
                    followers,
                    bytes = oldest.bytes,
                    "a file kept for destinations goes; they go on from the history"
                );
                book.trim(&views.names);
            }
            Err(fault) => {
                error!(error = %fault, "a file kept for destinations could not be let go of; this is tried again");
                return;
            }
        }
    }
}

/// Moves every follower past a file. How many that were.
fn let_go(views: &Views, kept: &Kept) -> Result<usize, ReadError> {
    let book = &views.book;
    let _one_at_a_time = book.settling.lock();
    let concerned = |place: &Place| place.sequence <= kept.last;
    let spans = spans(kept)?;
    let state = &views.state;
    let mut batch = state.batch();
    let mut moved = Vec::new();
    for known in book.all().into_iter().filter(|known| concerned(&known.place)) {
        let (id, workspace) = (known.follower.id, known.follower.workspace);
        let past = match spans.get(&workspace) {
            Some((first, last)) => Some(Past::with(known.place.past, *first, *last)),
            None => known.place.past,
        };
        let place = Place { past, ..Place::at(kept.last + 1) };
        batch.insert(&state.followers, place_key(workspace, id), place.encode());
        moved.push((id, place));
    }
    batch.commit().map_err(|error| state_failed(&error))?;
    for (id, place) in &moved {
        book.note(*id, |known| (known.place, known.moves) = (*place, known.moves + 1));
    }
    Ok(moved.len())
}

/// The first and the last time of receipt of each workspace's messages in a file.
fn spans(kept: &Kept) -> Result<BTreeMap<WorkspaceId, (Micros, Micros)>, ReadError> {
    let unreadable = |error: io::Error| ReadError::Failed { what: format!("a file kept for followers: {error}") };
    let mut spans = BTreeMap::new();
    let mut file = FrameFile::open(&kept.path).map_err(unreadable)?;
    while let Some((_, batches)) = file.take_frame().map_err(unreadable)? {
        for batch in &batches {
            for entry in batch.entries() {
                let Entry::Message(bytes) = entry else { continue };
                let at = record::peek(bytes).map_err(not_a_record("the journal"))?.received_at;
                let span = spans.entry(batch.workspace()).or_insert((at, at));
                *span = (span.0.min(at), span.1.max(at));
            }
        }
    }
    Ok(spans)
}
