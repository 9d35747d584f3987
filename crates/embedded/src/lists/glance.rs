//! What was in memory when a list began.
//!
//! Records in memory hide their entries on disk. Which these are is not copied: the live overlay numbers its records as
//! they come, so those with a number below the next one at the beginning were there. The lock is held for some thousand
//! records at a time, never for all of them.

use std::sync::Arc;

use muster_model::{id::WorkspaceId, kind::RecordKind, profile::Profile};
use muster_store::error::ReadError;

use crate::{
    keys::ProfileKey,
    overlay::Overlay,
    slots::{Slot, SlotNumber, Slots},
    views::{Below, Current, Views},
};

/// Records looked at under one lock.
pub const LOOK_RECORDS: usize = 4_096;

/// What was in memory at one moment, and what was below.
pub struct Glance {
    pub below: Below,
    freezes: u64,
    live: SlotNumber,
}

/// Why a list cannot go on.
#[derive(Debug)]
pub enum Fault {
    Read(ReadError),
    /// What was in memory at the beginning is there no more; the list begins anew.
    Passed,
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        Fault::Read(error)
    }
}

impl Glance {
    pub fn take(views: &Views) -> Glance {
        let current = views.look();
        Glance { below: views.below(&current), freezes: current.freezes, live: current.live.profiles.next_number() }
    }

    /// How often an overlay had been frozen.
    pub fn number(&self) -> u64 {
        self.freezes
    }

    /// The overlay that was live.
    pub fn live<'c>(&self, current: &'c Current) -> Result<&'c Overlay, Fault> {
        match current.freezes - self.freezes {
            0 => Ok(&current.live),
            1 => current.frozen.as_deref().ok_or(Fault::Passed),
            _ => Err(Fault::Passed),
        }
    }

    /// Records that were in memory, of all kinds, at the most.
    pub fn records(&self) -> usize {
        self.live.index() + self.below.frozen.as_ref().map_or(0, |frozen| frozen.profiles.next_number().index())
    }

    /// Messages in memory, at least those that there were.
    pub fn messages(&self, views: &Views) -> Result<usize, Fault> {
        let frozen = self.below.frozen.as_ref().map_or(0, |frozen| frozen.rows().len());
        Ok(frozen + self.live(&views.look())?.rows().len())
    }

    /// The number from which on records of the live overlay were not there yet.
    pub fn end(&self) -> SlotNumber {
        self.live
    }

    /// Whether the live overlay says more of a record than what is below.
    pub fn is_above(&self, live: &Overlay, key: &ProfileKey) -> bool {
        self.is_live(live, key) || live.gone.contains_key(key)
    }

    fn is_live(&self, live: &Overlay, key: &ProfileKey) -> bool {
        live.profiles.number(key).is_some_and(|number| number < self.live)
    }

    /// Whether memory knew the record better than the disk.
    pub fn hides(&self, views: &Views, key: &ProfileKey) -> Result<bool, Fault> {
        let frozen = self.below.frozen.as_ref();
        if frozen.is_some_and(|frozen| frozen.profiles.contains_key(key) || frozen.gone.contains_key(key)) {
            return Ok(true);
        }
        let current = views.look();
        let live = self.live(&current)?;
        Ok(self.is_above(live, key))
    }

    /// Shows every record of a kind that was in memory, as it is now or was then; `look` is called under the lock.
    pub fn each(
        &self,
        views: &Views,
        (workspace, kind): (WorkspaceId, RecordKind),
        mut look: impl FnMut(&Arc<Profile>),
    ) -> Result<(), Fault> {
        let of_kind = |key: &ProfileKey| key.workspace == workspace && key.kind == kind;
        let mut done = 0;
        while done < self.live.index() {
            let current = views.look();
            let some = done..self.live.index().min(done + LOOK_RECORDS);
            let some = self.live(&current)?.profiles.between(some);
            some.filter(|(key, _)| of_kind(key)).for_each(|(_, slot)| look(&slot.profile));
            done += LOOK_RECORDS;
        }
        let Some(frozen) = &self.below.frozen else { return Ok(()) };
        let frozen: Vec<(&ProfileKey, &Slot)> = frozen.profiles.iter().filter(|(key, _)| of_kind(key)).collect();
        for some in frozen.chunks(LOOK_RECORDS) {
            let current = views.look();
            let live = self.live(&current)?;
            some.iter().filter(|(key, _)| !self.is_above(live, key)).for_each(|(_, slot)| look(&slot.profile));
        }
        Ok(())
    }
}

/// An overlay that a list reads.
pub enum Side<'g> {
    Live(&'g Glance, &'g Views),
    Frozen(&'g Slots),
}

impl Side<'_> {
    /// Looks at its records; briefly, if they are live.
    pub fn look<T>(&self, look: impl FnOnce(&Slots) -> T) -> Result<T, Fault> {
        match self {
            Side::Live(glance, views) => Ok(look(&glance.live(&views.look())?.profiles)),
            Side::Frozen(slots) => Ok(look(slots)),
        }
    }
}
