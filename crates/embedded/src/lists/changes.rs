//! What a checkpoint changes in the index of fields.
//!
//! New entries of a small checkpoint are part of its commit. Those of a large one are ingested before it, sorted and in
//! runs, which is many times faster and takes no memory for a commit of millions of keys. Until the commit such entries
//! belong to records that memory hides. A crash in between leaves some that no commit follows; whoever reads the index
//! looks at the record as well, so they are in the way of nobody. Entries that are no more always go in the commit: what
//! is missing would be missed.

use std::borrow::Cow;

use fjall::OwnedWriteBatch;
use muster_store::error::ReadError;

use super::{
    entries::{self, Entry, Listed},
    gaps::{GapBook, List},
    settle::{self, Settled},
};
use crate::{
    keys::{self, ProfileKey},
    overlay::Overlay,
    slots::Slot,
    state::State,
    views::{self, Latest},
};

type Key = [u8; 38];

/// Entries that are ingested at once.
const RUN: usize = 250_000;
/// Entries up to which they are part of the commit.
const SMALL: usize = 10_000;

/// Entries for a commit.
#[derive(Debug, Default)]
pub struct Changes {
    inserted: Vec<Key>,
    removed: Vec<Key>,
}

/// Why the index could not be prepared.
#[derive(Debug)]
pub enum Fault {
    Store(fjall::Error),
    Read(ReadError),
}

impl Changes {
    /// Finds what changes by an overlay, and ingests what is much.
    pub fn prepare(overlay: &Overlay, settled: &Settled, state: &State, gaps: &GapBook) -> Result<Changes, Fault> {
        let mut changes = Changes::default();
        let mut ingested = false;
        let mut profiles: Vec<(&ProfileKey, &Slot)> = overlay.profiles.iter().collect();
        profiles.sort_unstable_by_key(|(key, _)| **key);
        for (key, slot) in profiles {
            let certain = settled.get(key).map(|seen| settle::settled(&slot.profile, *seen));
            let now = entries::entries(certain.as_ref().unwrap_or(&slot.profile));
            changes.add(key, &before(key, slot, overlay, state)?, &now);
            if changes.inserted.len() >= RUN {
                changes.ingest(state, gaps).map_err(Fault::Store)?;
                ingested = true;
            }
        }
        if ingested || changes.inserted.len() > SMALL {
            changes.ingest(state, gaps).map_err(Fault::Store)?;
        }
        Ok(changes)
    }

    fn add(&mut self, key: &ProfileKey, before: &[Entry], now: &[Entry]) {
        let place = |(field, value): &Entry| keys::field_key(key.workspace, key.kind, *field, *value, key.id);
        self.removed.extend(before.iter().filter(|entry| now.binary_search(entry).is_err()).map(place));
        self.inserted.extend(now.iter().filter(|entry| before.binary_search(entry).is_err()).map(place));
    }

    fn ingest(&mut self, state: &State, gaps: &GapBook) -> fjall::Result<()> {
        self.inserted.sort_unstable();
        gaps.fill(List::Field, self.inserted.iter().map(Key::as_slice));
        if !self.inserted.is_empty() {
            let mut ingestion = state.by_field.start_ingestion()?;
            for key in &self.inserted {
                ingestion.write(key.as_slice(), [].as_slice())?;
            }
            ingestion.finish()?;
        }
        self.inserted.clear();
        Ok(())
    }

    /// Adds the rest to the commit, in the order of the keys: neighbours are found in the processor's caches.
    pub fn put(mut self, batch: &mut OwnedWriteBatch, state: &State, gaps: &GapBook) {
        self.removed.sort_unstable();
        self.removed.iter().for_each(|key| batch.remove(&state.by_field, *key));
        self.inserted.sort_unstable();
        gaps.fill(List::Field, self.inserted.iter().map(Key::as_slice));
        self.inserted.iter().for_each(|key| batch.insert(&state.by_field, *key, []));
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
