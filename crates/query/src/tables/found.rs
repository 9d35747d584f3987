//! Records that one query looked up, kept within a bound.
//!
//! A join of events with their accounts looks up the same few records a million times. What is true at the query's moment
//! does not change, so what was found once is found again here, with what was made of it. Never
//! decides which records a table shows.

use std::sync::{Arc, OnceLock};

use muster_model::{
    id::RecordId,
    kind::RecordKind,
    profile::{Profile, Span},
};
use muster_store::scan::Moment;
use quick_cache::{Weighter, sync::Cache};

use super::json;
use crate::{error::QueryError, stop::Stop};

/// A record, and what was made of it for some row.
pub struct Record {
    pub profile: Arc<Profile>,
    traits: OnceLock<String>,
    seen: OnceLock<Span>,
}

impl Record {
    pub fn new(profile: Arc<Profile>) -> Record {
        Record { profile, traits: OnceLock::new(), seen: OnceLock::new() }
    }

    /// Its traits as one object.
    pub fn traits(&self) -> &str {
        self.traits.get_or_init(|| json::object_of(&self.profile.traits))
    }

    /// Its first and last track, as far as [`Record::look_for_tracks`] found out.
    pub fn seen(&self) -> Span {
        self.seen.get().copied().unwrap_or_default()
    }

    /// Finds out its first and last track.
    pub fn look_for_tracks(&self, moment: &dyn Moment, stop: &Stop) -> Result<(), QueryError> {
        if self.seen.get().is_some() {
            return Ok(());
        }
        let seen = moment.seen(&self.profile, &|| stop.reason().is_none());
        match (seen, stop.reason()) {
            (Err(_), Some(reason)) => Err(reason),
            (seen, _) => {
                let _ = self.seen.set(seen?);
                Ok(())
            }
        }
    }
}

type Key = (RecordKind, RecordId);

/// Records by id; none where there is no such record.
pub struct Found {
    records: Cache<Key, Option<Arc<Record>>, Weigh>,
}

#[derive(Clone)]
struct Weigh;

impl Weighter<Key, Option<Arc<Record>>> for Weigh {
    fn weight(&self, _: &Key, record: &Option<Arc<Record>>) -> u64 {
        /// Bytes of an entry in its table, about.
        const ENTRY_BYTES: usize = 128;
        // As it grows when its traits are asked for.
        let made = record.as_ref().map_or(0, |record| {
            size_of::<Record>() + record.profile.weight_bytes() + record.profile.traits.text_bytes() * 5 / 4
        });
        (ENTRY_BYTES + made) as u64
    }
}

impl Found {
    /// None yet; keeps about so many bytes at the most.
    pub fn within(bytes_max: u64) -> Found {
        /// Records that tables are made for; they grow.
        const ITEMS: usize = 64;
        Found { records: Cache::with_weighter(ITEMS, bytes_max, Weigh) }
    }

    /// A record as it is at a moment, always the same one.
    pub fn record(
        &self,
        moment: &dyn Moment,
        kind: RecordKind,
        id: RecordId,
    ) -> Result<Option<Arc<Record>>, QueryError> {
        self.records.get_or_insert_with(&(kind, id), || {
            let profile = moment.profile(kind, id)?;
            Ok(profile.map(|profile| Arc::new(Record::new(profile))))
        })
    }
}
