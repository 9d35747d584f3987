//! What lists ask of the records in memory, kept in columns beside the overlays.
//!
//! Records in memory lie anywhere in it, and to look at a hundred thousand of them for a page takes as long as the processor
//! waits for each. So what was asked of them once is kept: for each kind of record in an overlay a [mirror](crate::lists::mirror) with its
//! [columns](crate::lists::columns) and, for searches, its folded texts, one value after the other. The writer does nothing
//! for it but to note, for each record, in which group it was changed; whoever asks looks again at those that were changed
//! since, and so does [a thread of its own](crate::lists::keeper), which makes columns of kinds with many records before anybody asks. A
//! mirror belongs to one overlay and goes with it. It never decides what is on a page: who finds a record here looks at the
//! record as well.

use std::sync::Arc;

use muster_model::id::WorkspaceId;
use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use rustc_hash::FxHashMap;

use super::{
    columns::Asked,
    glance::{Fault, Side},
    mirror::{Mirror, Of},
};

pub type Shared = Arc<RwLock<Mirror>>;

/// Every mirror there is, by the number of freezes before its overlay was live.
#[derive(Debug, Default)]
pub struct Mirrors(Mutex<FxHashMap<(u64, Of), Shared>>);

impl Mirrors {
    /// The mirror of a kind of record in an overlay, which is empty at first.
    pub fn of(&self, overlay: u64, of: Of) -> Shared {
        Arc::clone(self.0.lock().entry((overlay, of)).or_default())
    }

    /// Those of an overlay.
    pub fn all_of(&self, overlay: u64) -> Vec<(Of, Shared)> {
        let held = self.0.lock();
        let of_overlay = held.iter().filter(|((number, _), _)| *number == overlay);
        of_overlay.map(|((_, of), mirror)| (*of, Arc::clone(mirror))).collect()
    }

    /// Bytes of all of them but one.
    pub fn bytes_but(&self, one: &Shared) -> usize {
        let others: Vec<Shared> = self.0.lock().values().filter(|other| !Arc::ptr_eq(other, one)).cloned().collect();
        others.iter().map(|other| other.read().bytes()).sum()
    }

    /// Lets go of the mirrors of overlays before the live one, with this number. What somebody asked of them lately is likely
    /// to be asked again.
    pub fn forget_before(&self, live: u64) {
        let gone: Vec<_> = self.0.lock().extract_if(|(number, _), _| *number < live).collect();
        for ((_, of), mirror) in gone {
            let mirror = mirror.read();
            if mirror.is_wanted() {
                mirror.pass_on(&mut self.of(live, of).write());
            }
        }
    }
}

/// A mirror that has all that is asked, as of now or later than this was called.
pub fn fresh<'m>(
    mirror: &'m RwLock<Mirror>,
    side: &Side<'_>,
    (workspace, asked): (WorkspaceId, &Asked),
) -> Result<RwLockReadGuard<'m, Mirror>, Fault> {
    let state = side.look(|slots| (slots.clock(), slots.next_number().index()))?;
    {
        let known = mirror.read();
        if known.is_fresh(asked, state) {
            return Ok(known);
        }
    }
    let mut changing = mirror.write();
    changing.bring_up(side, (workspace, asked.kind), asked)?;
    Ok(RwLockWriteGuard::downgrade(changing))
}
