//! Handing everything out while the engine goes on: first as of one moment, then what came since, again and again.
//!
//! Meanwhile nothing is deleted, imported or taken back, and no follower is added, changed or removed: whoever would is told to come
//! again. What came since is messages, in frames of the journal, which are kept for it. In the end nothing is taken at all. Dropping
//! a departure ends all that.

use std::{collections::BTreeMap, sync::Arc};

use muster_model::id::WorkspaceId;
use muster_store::{
    batch::{Batch, Entry},
    follow::FollowerId,
    transfer::{Piece, Take, TransferError},
};

use super::source::{Source, Standing, registered};
use crate::{
    engine::Embedded,
    follow::{
        following::entries,
        frames::{NotFound, Spot, Walk},
        letters,
    },
    views::Views,
};

/// Shows batches to whoever takes them over.
type TakeBatch<'t> = dyn FnMut(&Batch) -> Result<(), TransferError> + 't;

/// An engine that is being left.
pub struct Departure {
    hold: Hold,
    /// Where followers stood then.
    placed: Vec<Standing>,
    /// The last frame that was handed out, and where the next one was last seen; and the last one that is handed out next.
    position: u64,
    near: Option<Spot>,
    until: u64,
}

/// Frames are kept as long as it lives.
struct Hold(Arc<Views>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.book.release(&self.0.names);
    }
}

impl Embedded {
    /// Begins to hand everything out while messages are taken as ever: what there is now, and whatever comes since.
    ///
    /// # Errors
    /// While something is being deleted, taken back or backed up, or somebody does the same already.
    pub async fn depart(&self) -> Result<(Source, Departure), TransferError> {
        if !self.views.book.hold() {
            return Err(TransferError::Busy("everything is being moved already".to_owned()));
        }
        let hold = Hold(Arc::clone(&self.views));
        // What was taken before nothing but messages comes is in its place, or refused below.
        self.checkpoint().await;
        let source = self.everything()?;
        let (placed, position) = (source.places()?, source.position());
        Ok((source, Departure { hold, placed, position, near: None, until: position }))
    }
}

impl Departure {
    /// Nothing more is taken, as long as this lives: what was acknowledged is handed out next, whoever is still at it.
    pub async fn stop(&self, engine: &Embedded) {
        self.hold.0.book.stop();
        // By the answer the writer is done with whatever it had begun.
        engine.passed().await;
    }

    /// Hands out workspaces, keys, members and saved views, as they are by now. What is handed out next needs no others.
    pub fn registered(&mut self, take: &mut Take<'_>) -> Result<(), TransferError> {
        self.until = self.hold.0.book.last();
        registered(&self.hold.0.state, take).map(drop)
    }

    /// Hands out what came since, up to the moment of the last [`Departure::registered`]; how many messages that were.
    pub fn later(&mut self, take: &mut TakeBatch<'_>) -> Result<u64, TransferError> {
        let book = &self.hold.0.book;
        let mut walk = Walk::new(book, self.position + 1, self.near.clone()).up_to(self.until);
        let mut messages = 0;
        while let Some(batches) = walk.step().map_err(gone)? {
            for batch in &batches {
                messages += batch.messages() as u64;
                take(batch)?;
            }
        }
        self.near.clone_from(walk.near());
        self.position = walk.last();
        // A file that went meanwhile was perhaps never read.
        if book.has_held() { Ok(messages) } else { Err(too_much()) }
    }

    /// Hands out the letters of all followers, as they are by now.
    pub fn letters(&self, take: &mut Take<'_>) -> Result<(), TransferError> {
        for known in self.hold.0.book.all() {
            for letter in letters::all(&self.hold.0, &known.follower, None) {
                let letter = letter.map_err(|error| TransferError::Source(error.to_string()))?;
                take(Piece::Letter(known.follower.workspace, known.follower.id, letter))?;
            }
        }
        Ok(())
    }

    /// How many messages each follower has had since the beginning. One that reads the history, or has to, is where it was: it gets
    /// a few messages again rather than none of some.
    pub fn had_since(&self) -> Result<BTreeMap<FollowerId, u64>, TransferError> {
        let book = &self.hold.0.book;
        let mut moved = Vec::new();
        for (of, id, before) in &self.placed {
            let Some(known) = book.known(*id) else { continue };
            if before.past.is_none() && known.place.past.is_none() {
                let place = |place: &crate::follow::place::Place| (place.sequence, place.entry);
                moved.push((*of, *id, place(before), place(&known.place)));
            }
        }
        let mut had: BTreeMap<FollowerId, u64> = moved.iter().map(|(_, id, ..)| (*id, 0)).collect();
        let passed: Vec<_> = moved.into_iter().filter(|(.., before, now)| before < now).collect();
        let Some(first) = passed.iter().map(|(.., before, _)| before.0).min() else { return Ok(had) };
        let mut walk = Walk::new(book, first, None);
        let mut sequence = first;
        while let Some(batches) = walk.step().map_err(gone)? {
            for (number, (workspace, entry)) in (0..).zip(entries(&batches)) {
                if !matches!(entry, Entry::Message(_)) {
                    continue;
                }
                let spot = (sequence, number);
                let got = |(of, _, before, now): &&(WorkspaceId, _, _, _)| {
                    *of == workspace && (*before..*now).contains(&spot)
                };
                passed.iter().filter(got).for_each(|(_, id, ..)| *had.entry(*id).or_default() += 1);
            }
            sequence += 1;
        }
        Ok(had)
    }
}

fn gone(error: NotFound) -> TransferError {
    match error {
        NotFound::Gone { .. } => too_much(),
        NotFound::Failed(error) => TransferError::Source(error.to_string()),
    }
}

fn too_much() -> TransferError {
    let says = "more came in meanwhile than is kept for it (forward.kept_bytes_max, and what the disk has free); move at a calmer \
                time, or raise it";
    TransferError::Source(says.to_owned())
}
