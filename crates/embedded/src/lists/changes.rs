//! What a checkpoint changes in lists.
//!
//! Changes of a small checkpoint are part of its commit. Those of a large one are ingested before it, sorted and in runs,
//! which is many times faster and takes no memory for a commit of millions of keys. Until the commit they belong to records
//! that memory hides, and after a crash in between to records that the journal brings back into memory: what was put in too
//! early leads to a record that does not stand there, and whoever reads a list looks at the record as well; what was taken
//! out too early is missed by nobody as long as the record is in memory. The checkpoint after that cannot tell which places
//! are still there, so of records that the journal brought back it puts in every place that they ask for.
//!
//! Nor could it tell what was put in too early, and each crash in between would leave some of that for ever. So the position
//! of the checkpoint is noted before the first place is ingested, and a start that finds it uncommitted freezes what the journal
//! has up to there: the same messages on top of the same records, hence the same places, however often that is cut again, and the commit
//! makes them true. Places that depend on more than the messages are those by first and last track, where these are
//! uncertain: of a record that was made certain they are part of the commit, and one that was not when the checkpoint was cut
//! has the place taken out that it asked for then.

use std::borrow::Cow;

use fjall::OwnedWriteBatch;
use muster_model::time::Micros;
use muster_store::{error::ReadError, lists::with_seen};
use tracing::debug;

use super::{
    entries::{self, Entry, Listed},
    gaps::{GapBook, List},
    moves::Moves,
    settle::Settled,
};
use crate::{
    keys::{self, ProfileKey, TimePlace},
    overlay::Overlay,
    slots::Slot,
    state::State,
    views::{self, Latest},
};

/// Keys that are ingested at once. Each such run is a table more that waits to be merged.
const RUN: usize = 1_000_000;

/// Changes for a commit.
#[derive(Debug)]
pub struct Changes {
    fields: Moves<38>,
    updated: Moves<29>,
    /// Always part of the commit: as many places by creation as records, so that these can be counted by them.
    created: Moves<29>,
}

/// Why the changes could not be prepared.
#[derive(Debug)]
pub enum Fault {
    Store(fjall::Error),
    Read(ReadError),
}

impl Changes {
    /// Finds what changes by an overlay, and ingests what is much.
    pub fn prepare(
        (overlay, position): (&Overlay, u64),
        settled: &Settled,
        (state, gaps): (&State, &GapBook),
        bulk_min: usize,
    ) -> Result<Changes, Fault> {
        let mut changes = Changes {
            fields: Moves::new(List::Field),
            created: Moves::new(List::Created),
            updated: Moves::new(List::Updated),
        };
        let mut ingested = 0;
        let mut profiles: Vec<(&ProfileKey, &Slot)> = overlay.profiles.iter().collect();
        profiles.sort_unstable_by_key(|(key, _)| **key);
        for (key, slot) in profiles.iter().filter(|(key, _)| !settled.contains_key(*key)) {
            let now = entries::entries(&slot.profile);
            changes.move_fields(key, &before(key, slot, overlay, state)?, &now, overlay.brought_back);
            changes.move_times(key, slot, overlay.brought_back);
            if changes.count() >= RUN {
                ingested += changes.ingest(position, state, gaps).map_err(Fault::Store)?;
            }
        }
        if ingested > 0 || changes.count() >= bulk_min {
            ingested += changes.ingest(position, state, gaps).map_err(Fault::Store)?;
        }
        if ingested > 0 {
            debug!(places = ingested, "places in lists were ingested");
        }
        for (key, slot) in profiles {
            let Some(seen) = settled.get(key) else { continue };
            let certain = with_seen(&slot.profile, *seen);
            let mut before = before(key, slot, overlay, state)?;
            if overlay.brought_back {
                before.to_mut().extend(entries::entries(&slot.profile));
            }
            changes.move_fields(key, &before, &entries::entries(&certain), overlay.brought_back);
            changes.move_times(key, slot, overlay.brought_back);
        }
        Ok(changes)
    }

    /// Moves a record to where its fields place it; `anew` when places that it had may be gone.
    fn move_fields(&mut self, key: &ProfileKey, before: &[Entry], now: &[Entry], anew: bool) {
        let place = |(field, value): &Entry| keys::field_key(key.workspace, key.kind, *field, *value, key.id);
        let gone = before.iter().filter(|entry| now.binary_search(entry).is_err());
        gone.for_each(|entry| self.fields.remove(place(entry)));
        let come = now.iter().filter(|entry| anew || before.binary_search(entry).is_err());
        come.for_each(|entry| self.fields.insert(place(entry)));
    }

    /// Moves a record to its places by times of receipt. Anonymous ids are in no list.
    fn move_times(&mut self, key: &ProfileKey, slot: &Slot, anew: bool) {
        let profile = &slot.profile;
        if profile.as_anonymous().is_some() {
            return;
        }
        let place = |at: Micros| keys::list_key(key.workspace, key.kind, TimePlace { at, id: profile.id });
        let was = slot.below.as_ref();
        debug_assert!(was.is_none_or(|was| was.created_at == profile.created_at), "a record's creation never moves");
        if was.is_none() {
            self.created.insert(place(profile.created_at));
        }
        let moved_from = was.map(|was| was.updated_at).filter(|at| *at != profile.updated_at);
        if let Some(at) = moved_from {
            self.updated.remove(place(at));
        }
        if anew || was.is_none() || moved_from.is_some() {
            self.updated.insert(place(profile.updated_at));
        }
    }

    /// How many may be ingested.
    fn count(&self) -> usize {
        self.fields.count() + self.updated.count()
    }

    /// Ingests all that may be; how many these were.
    fn ingest(&mut self, position: u64, state: &State, gaps: &GapBook) -> fjall::Result<usize> {
        let count = self.count();
        if count > 0 {
            state.note_begun(position)?;
        }
        self.fields.ingest(&state.by_field, gaps)?;
        self.updated.ingest(&state.by_updated, gaps)?;
        Ok(count)
    }

    /// Adds the rest to the commit.
    pub fn put(self, batch: &mut OwnedWriteBatch, state: &State, gaps: &GapBook) {
        self.fields.put(batch, &state.by_field, gaps);
        self.created.put(batch, &state.by_created, gaps);
        self.updated.put(batch, &state.by_updated, gaps);
    }
}

/// The entries that a record has on disk.
fn before<'s>(key: &ProfileKey, slot: &'s Slot, overlay: &Overlay, state: &State) -> Result<Cow<'s, [Entry]>, Fault> {
    let gone = overlay.gone.contains_key(key);
    match &slot.below {
        Some(Listed { entries: Some(entries), .. }) if !gone => Ok(Cow::Borrowed(entries)),
        None if !gone => Ok(Cow::Borrowed(&[])),
        _ => {
            let found = views::read_profile(&Latest, state, key).map_err(Fault::Read)?;
            Ok(Cow::Owned(found.as_ref().map(entries::entries).unwrap_or_default()))
        }
    }
}
