//! Letting the duplicate check forget for good what its retention ended.
//!
//! An expired identity does not count any more from the day on which it expires; this removes its bytes. Once a day all
//! of them are looked through, in bounded steps between which checkpoints and intake go on.

use std::{
    ops::Bound,
    sync::{Arc, atomic::AtomicBool},
};

use fjall::UserKey;
use muster_model::time::Micros;
use muster_store::error::ReadError;

use crate::{
    error::{damaged, state_failed},
    identities,
    views::Views,
    writer::known::{Known, Whose},
};

/// Identities looked at in one step, and removed in one commit at the most.
const STEP_MAX: usize = 20_000;

/// How far today's look has come.
#[derive(Debug, Default)]
pub struct Expiry {
    /// Days that an identity is remembered; for ever when `None`.
    retention_days: Option<u32>,
    /// The day that was looked through last.
    done: Option<i64>,
    after: Option<UserKey>,
}

impl Expiry {
    /// Nothing looked at yet.
    pub fn new(retention_days: Option<u32>) -> Expiry {
        Expiry { retention_days, ..Expiry::default() }
    }

    /// Looks at the next identities; `false` once there is nothing to look at until tomorrow, or when the store closes.
    pub fn step(&mut self, views: &Views, closing: &Arc<AtomicBool>, now: Micros) -> Result<bool, ReadError> {
        let Some(retention_days) = self.retention_days else { return Ok(false) };
        let today = Known { received_at: now, ..Known::gone() }.day();
        if self.done == Some(today) || !identities::make_room(views, closing)? {
            return Ok(false);
        }
        let state = &views.state;
        let _committing = views.committing.lock();
        let from = self.after.take().map_or(Bound::Unbounded, Bound::Excluded);
        let mut batch = state.batch();
        let mut looked = 0;
        for entry in state.identities.range::<UserKey, _>((from, Bound::Unbounded)).take(STEP_MAX) {
            let (key, value) = entry.into_inner().map_err(|error| state_failed(&error))?;
            let known = Known::from_bytes(&value).ok_or_else(|| damaged("an identity"))?;
            looked += 1;
            // What was taken back is removed by whoever does that.
            let kept = known.whose == Whose::Gone;
            if !kept && known.day().saturating_add(i64::from(retention_days)) < today {
                batch.remove(&state.identities, key.clone());
            }
            self.after = Some(key);
        }
        batch.commit().map_err(|error| state_failed(&error))?;
        if looked < STEP_MAX {
            (self.done, self.after) = (Some(today), None);
        }
        Ok(looked == STEP_MAX)
    }
}
