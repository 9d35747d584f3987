//! When the tables are merged that hold what the duplicate check remembers.
//!
//! Every checkpoint adds one. A merge takes in all that wait, and takes as long as some checkpoints do, so it is left for a time
//! with less to do, as long as not too many wait: a thread of its own merges them, not the state store's, which has
//! other keyspaces to look after, takes no failure, and lets nobody interrupt a merge. What is merged is what was there before;
//! a merge that is given up, or fails, leaves everything as it was. Never decides what is remembered, or for how long.
//!
//! The store holds up whoever writes single keys into a keyspace in which too many tables wait, without end if it does not merge
//! them by itself. So what a checkpoint brings is ingested, and whoever removes single identities [sees to that](crate::identities::make_room) first.

use std::{
    cell::RefCell,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender};
use fjall::{
    AbstractTree, KeyspaceCreateOptions, LsmError,
    compaction::{
        Leveled,
        filter::{CompactionFilter, CompactionFilterResult, Context, Factory, ItemAccessor, Verdict},
    },
    config::{
        BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry, PartitioningPolicy, PinningPolicy,
    },
};
use muster_store::error::ReadError;
use parking_lot::Mutex;
use tracing::{error, info, warn};

use crate::{error::state_failed, room::Room, state::State, views::Views};

/// The keyspace's name.
pub const NAME: &str = "identities";
/// Tables that are worth a merge once there is time. Nearly all look-ups are for identities that are not there, and are answered by
/// [a filter over everything](crate::writer::sieve); the others ask a filter of each table.
const TABLES_MIN: u8 = 16;
/// Tables that may wait for such a time.
const TABLES_MAX: usize = 64;
/// Tables beside which the store takes single keys without holding anybody up, with some to spare for checkpoints meanwhile.
const TABLES_BESIDE_KEYS: usize = 20;
/// Bytes of a table that comes of a merge; sixteen of them are as much as is merged anew each time.
const TABLE_BYTES: u64 = 64 << 20;
/// What merging a table is taken to last until there was a merge.
const TABLE_TIME: Duration = Duration::from_millis(400);
/// After a merge that failed, or had no room.
const RETRY_PAUSE: Duration = Duration::from_secs(60);
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// How the keyspace is created. What is created keeps that: in directories of earlier versions the store merges by itself, sooner.
pub fn options(usual: KeyspaceCreateOptions) -> KeyspaceCreateOptions {
    let bloom = FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(12.0));
    usual
        .filter_policy(FilterPolicy::all(bloom))
        .filter_block_pinning_policy(PinningPolicy::all(true))
        // Filters of one piece are as large as they are many: a look-up would read a megabyte for each.
        .filter_block_partitioning_policy(PartitioningPolicy::all(true))
        // Nothing compresses them.
        .data_block_compression_policy(CompressionPolicy::disabled())
        .compaction_strategy(Arc::new(merging(u8::MAX)))
}

fn merging(tables: u8) -> Leveled {
    Leveled::default().with_l0_threshold(tables).with_table_target_size(TABLE_BYTES)
}

/// Lets merges of the keyspace be interrupted, for those who open the store.
pub fn interruptible(keyspace: &str) -> Option<Arc<dyn Factory>> {
    (keyspace == NAME).then(|| Arc::new(Interruptible) as Arc<dyn Factory>)
}

/// How long it is until the next checkpoint is due, if any is in sight.
type Left = Option<Duration>;

/// Says when there is time.
pub struct Offer(Sender<Left>);

impl Offer {
    /// There is so much until the next checkpoint.
    pub fn time(&self, left: Left) {
        // Whoever merges already is not to hear of it.
        let _ = self.0.try_send(left);
    }
}

/// The thread's own things.
pub struct Merger {
    views: Arc<Views>,
    room: Arc<Room>,
    closing: Arc<AtomicBool>,
    offered: Receiver<Left>,
    table_time: Duration,
    /// Not before, after something went wrong.
    not_before: Option<Instant>,
}

impl Merger {
    /// What merges, and what tells it when.
    pub fn new(views: &Arc<Views>, room: &Arc<Room>, closing: &Arc<AtomicBool>) -> (Merger, Offer) {
        let (offer, offered) = crossbeam_channel::bounded(0);
        let (views, room, closing) = (Arc::clone(views), Arc::clone(room), Arc::clone(closing));
        let merger = Merger { views, room, closing, offered, table_time: TABLE_TIME, not_before: None };
        (merger, Offer(offer))
    }

    /// Works until nobody offers time any more.
    pub fn run(mut self) {
        while let Ok(left) = self.offered.recv() {
            let waiting = self.views.state.identities.l0_table_count();
            if self.lets_begin(waiting, left) && self.has_room() {
                self.merge(waiting);
            }
        }
    }

    /// Whether a merge may begin: it is likely to be done before the next checkpoint is due, or no more tables may wait.
    fn lets_begin(&self, waiting: usize, left: Left) -> bool {
        let expected = self.table_time.saturating_mul(u32::try_from(waiting).unwrap_or(u32::MAX));
        let in_time = waiting >= usize::from(TABLES_MIN) && left.is_none_or(|left| expected <= left);
        (in_time || waiting >= TABLES_MAX) && self.not_before.is_none_or(|at| at <= Instant::now())
    }

    fn has_room(&mut self) -> bool {
        let bytes = self.views.state.identities.disk_space();
        let has = self.room.spares(bytes);
        if !has {
            warn!(bytes, "the disk has no room to merge what the duplicate check remembers; it is merged once it has");
            self.not_before = Some(Instant::now() + RETRY_PAUSE);
        }
        has
    }

    fn merge(&mut self, tables: usize) {
        let started = Instant::now();
        match merge(&self.views.state, &self.views.merging, &self.closing) {
            Ok(true) => {
                self.table_time = started.elapsed() / u32::try_from(tables).unwrap_or(u32::MAX);
                info!(
                    tables,
                    millis = started.elapsed().as_millis() as u64,
                    "merged what the duplicate check remembers"
                );
            }
            Ok(false) => {}
            Err(fault) => {
                error!(error = %fault, "what the duplicate check remembers could not be merged; this is tried again");
                self.not_before = Some(Instant::now() + RETRY_PAUSE);
            }
        }
    }
}

/// Sees to it that single identities can be removed at once; `false` when the store closed before that.
pub fn make_room(views: &Views, closing: &Arc<AtomicBool>) -> Result<bool, ReadError> {
    if views.state.identities.l0_table_count() < TABLES_BESIDE_KEYS {
        return Ok(true);
    }
    merge(&views.state, &views.merging, closing)
}

/// Merges the tables that wait; `false` when the store closed before that was done.
fn merge(state: &State, merges: &Mutex<()>, closing: &Arc<AtomicBool>) -> Result<bool, ReadError> {
    let _merges = merges.lock();
    let identities = &state.identities;
    let strategy = Arc::new(merging(TABLES_MIN));
    let _until = Until::closing(closing);
    loop {
        let waiting = identities.l0_table_count();
        if waiting < usize::from(TABLES_MIN) {
            return Ok(true);
        }
        // What a snapshot still sees stays.
        let merged = identities.tree.compact(strategy.clone(), state.unseen());
        if closing.load(Ordering::Acquire) {
            return Ok(false);
        }
        merged.map_err(|error| state_failed(&error.into()))?;
        if identities.l0_table_count() >= waiting {
            // The level below came first, or the store is at it.
            std::thread::sleep(LOOK_PAUSE);
        }
    }
}

thread_local! {
    /// What interrupts the merges of this thread.
    static STOP: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

/// As long as it lives, this thread's merges end when the store closes.
struct Until;

impl Until {
    fn closing(closing: &Arc<AtomicBool>) -> Until {
        STOP.set(Some(Arc::clone(closing)));
        Until
    }
}

impl Drop for Until {
    fn drop(&mut self) {
        STOP.take();
    }
}

struct Interruptible;

impl Factory for Interruptible {
    fn name(&self) -> &str {
        "interruptible"
    }

    fn make_filter(&self, _: &Context) -> Box<dyn CompactionFilter> {
        Box::new(Watch(STOP.with_borrow(Clone::clone)))
    }
}

/// Keeps everything, as long as the store does not close.
struct Watch(Option<Arc<AtomicBool>>);

impl CompactionFilter for Watch {
    fn filter_item(&mut self, _: ItemAccessor<'_>, _: &Context) -> CompactionFilterResult {
        match &self.0 {
            Some(stop) if stop.load(Ordering::Relaxed) => Err(LsmError::Io(io::ErrorKind::Interrupted.into())),
            _ => Ok(Verdict::Keep),
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_model::{
        id::{Identity, WorkspaceId},
        time::Micros,
    };
    use muster_store::import::Owners;

    use super::*;
    use crate::{
        keys, state_log,
        writer::known::{IdentityKey, Known, Whose},
    };

    const OF_A_TABLE: u128 = 500;

    fn key(table: usize, at: u128) -> IdentityKey {
        // Tables overlap, as those of checkpoints do.
        (WorkspaceId(1), Identity(at << 32 | table as u128))
    }

    fn known(table: usize) -> Known {
        let whose = Whose::Owned(Owners::default());
        Known { content: table as u64, received_at: Micros(1_000 * table as i64), whose }
    }

    /// As checkpoints do it.
    fn add_table(state: &State, table: usize) {
        state.forget_versions(&state.identities).unwrap();
        let mut ingestion = state.identities.start_ingestion().unwrap();
        for at in 0..OF_A_TABLE {
            let (workspace, identity) = key(table, at);
            ingestion.write(keys::identity_key(workspace, identity), known(table).to_bytes().as_ref()).unwrap();
        }
        ingestion.finish().unwrap();
    }

    fn add_tables(state: &State, tables: std::ops::Range<usize>) {
        tables.for_each(|table| add_table(state, table));
    }

    fn all_there(state: &State, tables: usize) -> bool {
        let there = |table| {
            (0..OF_A_TABLE).all(|at| Known::read(&state.identities, key(table, at)).unwrap() == Some(known(table)))
        };
        (0..tables).all(there) && state.identities.iter().count() == tables * OF_A_TABLE as usize
    }

    /// A store whose keyspace was created by a version that left merging to the store, after so many tables.
    fn created_before(dir: &std::path::Path, tables: u8) {
        let database = fjall::Database::builder(dir).worker_threads(1).open().unwrap();
        let options = || KeyspaceCreateOptions::default().compaction_strategy(Arc::new(merging(tables)));
        database.keyspace(NAME, options).unwrap();
    }

    fn merge_all(state: &State) -> bool {
        merge(state, &Mutex::new(()), &Arc::new(AtomicBool::new(false))).unwrap()
    }

    #[test]
    fn what_is_merged_is_what_there_was() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path(), 1 << 20).unwrap();
        let mut tables = 0;
        for more in [TABLES_MAX + 10, 20, 15] {
            add_tables(&state, tables..tables + more);
            tables += more;
            // It may move a table that is the only one.
            assert!(state.identities.l0_table_count() >= more - 1, "the store merges nothing by itself");
            assert!(merge_all(&state));
            assert!(state.identities.l0_table_count() < usize::from(TABLES_MIN));
            assert!(all_there(&state, tables));
            let versions = std::fs::read_dir(state.identities.path()).unwrap().count();
            assert!(versions < 10, "{versions} files beside the tables");
        }
        drop(state);
        assert!(all_there(&State::open(dir.path(), 1 << 20).unwrap(), tables));
    }

    #[test]
    fn what_is_removed_stays_so() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path(), 1 << 20).unwrap();
        add_tables(&state, 0..16);
        let (workspace, identity) = key(3, 7);
        state.identities.remove(keys::identity_key(workspace, identity)).unwrap();
        add_tables(&state, 16..32);
        assert!(merge_all(&state));
        assert_eq!(Known::read(&state.identities, (workspace, identity)).unwrap(), None);
        assert_eq!(state.identities.iter().count(), 32 * OF_A_TABLE as usize - 1);
    }

    #[test]
    fn a_merge_that_is_interrupted_changes_nothing_and_may_come_again() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path(), 1 << 20).unwrap();
        add_tables(&state, 0..20);
        let before = state.identities.l0_table_count();
        assert!(!merge(&state, &Mutex::new(()), &Arc::new(AtomicBool::new(true))).unwrap());
        assert_eq!(state.identities.l0_table_count(), before);
        assert!(all_there(&state, 20));
        state.takes_writes().unwrap();
        assert!(merge_all(&state));
        assert!(all_there(&state, 20));
        drop(state);
        assert!(all_there(&State::open(dir.path(), 1 << 20).unwrap(), 20), "what it left behind is in nobody's way");
    }

    /// The store holds up whoever writes a single key beside thirty tables until it has merged them.
    #[test]
    fn many_tables_do_not_hold_up_a_stop() {
        for created in [None, Some(32)] {
            let dir = tempfile::tempdir().unwrap();
            if let Some(tables) = created {
                created_before(dir.path(), tables);
            }
            let state = State::open(dir.path(), 1 << 20).unwrap();
            add_tables(&state, 0..31);
            assert!(state_log::begin_anew(&state, dir.path(), &|| true).unwrap());
            assert!(all_there(&state, 31));
        }
    }

    #[test]
    fn nor_whoever_removes_single_identities() {
        let dir = tempfile::tempdir().unwrap();
        let views = crate::engine::Embedded::open(crate::options::Options::new(dir.path()), Micros(0)).unwrap().0.views;
        add_tables(&views.state, 0..40);
        assert!(
            !make_room(&views, &Arc::new(AtomicBool::new(true))).unwrap()
                || views.state.identities.l0_table_count() < 20
        );
        assert!(make_room(&views, &Arc::default()).unwrap());
        let (workspace, identity) = key(0, 0);
        views.state.identities.remove(keys::identity_key(workspace, identity)).unwrap();
        assert_eq!(views.state.identities.iter().count(), 40 * OF_A_TABLE as usize - 1);
    }

    #[test]
    fn tables_wait_for_time_but_only_so_many() {
        let dir = tempfile::tempdir().unwrap();
        let engine = crate::engine::Embedded::open(crate::options::Options::new(dir.path()), Micros(0)).unwrap().0;
        let room = Arc::new(Room::new(dir.path(), 0));
        let (mut merger, _offer) = Merger::new(&engine.views, &room, &Arc::default());
        merger.table_time = Duration::from_millis(500);
        let least = usize::from(TABLES_MIN);
        assert!(!merger.lets_begin(least - 1, None), "it is not worth it");
        assert!(merger.lets_begin(least, None), "nothing comes in");
        assert!(merger.lets_begin(least, Some(Duration::from_secs(8))));
        assert!(!merger.lets_begin(least, Some(Duration::from_secs(7))), "the next checkpoint is due sooner");
        assert!(!merger.lets_begin(TABLES_MAX - 1, Some(Duration::from_secs(3))));
        assert!(merger.lets_begin(TABLES_MAX, Some(Duration::ZERO)), "no more may wait");
        merger.not_before = Some(Instant::now() + RETRY_PAUSE);
        assert!(!merger.lets_begin(TABLES_MAX, None), "it failed a moment ago");
    }
}
