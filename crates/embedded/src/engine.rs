//! The engine as a whole: opened, used through the seam, closed.
//!
//! Threads of its own: the writer, the checkpointer, the eraser, one that keeps up what lists ask of memory, one that fills the
//! filter of identities and, after the first start on what an earlier version kept, one that counts records; reads run on the
//! caller's blocking threads. Once closed and dropped, the directory can be opened again at once. Dropping an engine without
//! closing it is a crash as far as the data is concerned, and as harmless.

use std::{
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::Sender;
use muster_history::disk;
use muster_model::{
    id::{RecordId, WorkspaceId},
    time::Micros,
};
use muster_store::{
    Answer,
    batch::{Batch, Entry},
    credentials::{Credentials, Key, NewKey, TokenHash, Workspace},
    error::{AdminError, AppendError, ReadError},
    journal::Journal,
    receipt::Receipt,
    status::{Figures, Health, Records, Size, Status},
    team::{Member, NewMember, SignIn},
};
use rustc_hash::FxHashMap;

use crate::{
    backup,
    checkpoint::{Checkpointer, compaction::Forecast},
    counters::Counters,
    credentials::Registry,
    erase::{eraser::Eraser, expiry::Expiry, leftover},
    error::{OpenError, reading},
    follow::book::Bounds,
    health::HealthCell,
    identities::Merger,
    idle::Idle,
    journal::log::Log,
    lists::keeper::{self, Keeper},
    options::Options,
    recovery::{self, Layout, Recovered, Recovery},
    room::Room,
    saved::Shelf,
    state::State,
    state_log, tally,
    team::Teams,
    views::Views,
    writer::{
        Writer,
        awaiting::Awaiting,
        collect::{self, Command, Intake},
        dedupe,
        sieve::Filling,
    },
};

/// Of the bytes that the overlay may take, the part that messages may which are heard again to make records anew.
const RENEWED_SHARE: usize = 4;

/// Of as many bytes, the part that columns may take which lists have not asked for.
const COLUMNS_SHARE: usize = 4;

/// When whoever deletes or imports while everything is moved is told to come again.
const HELD_RETRY: Duration = Duration::from_secs(10);

/// The embedded engine.
pub struct Embedded {
    pub(crate) views: Arc<Views>,
    pub(crate) registry: Arc<Registry>,
    teams: Arc<Teams>,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) options: Arc<Options>,
    intake: Intake,
    counters: Arc<Counters>,
    health: Arc<HealthCell>,
    room: Arc<Room>,
    closing: Arc<AtomicBool>,
    layout: Layout,
    idle: Arc<Idle>,
}

impl Embedded {
    /// Opens a data directory, creating it if need be, and says what the last stop left behind.
    pub fn open(options: Options, _now: Micros) -> Result<(Embedded, Recovery), OpenError> {
        let layout = Layout::new(&options.data_dir);
        let lock = layout.lock()?;
        let counters = Arc::new(Counters::default());
        let (registry, teams, shelf, recovered) = recover(&layout, &options, &counters)?;
        backup::clear_staging(&layout)?;
        let log = Log::start(&layout.journal, recovered.replayed.files, recovered.replayed.next_sequence)?;
        counters.journal_bytes(log.bytes());
        let (views, options) = (Arc::new(recovered.views), Arc::new(options));
        let (intake, collector) = collect::queue(&options);
        let (jobs, jobs_taken) = crossbeam_channel::bounded(1);
        let (done, done_taken) = crossbeam_channel::bounded(1);
        let (health, idle) = (Arc::new(HealthCell::default()), Arc::new(Idle::default()));
        let (room, closing) = (Arc::new(Room::new(&layout.root, options.free_bytes_min)), Arc::default());
        let next_segment = Arc::new(AtomicU64::new(views.look().manifest.next_id()));
        let (wake, woken) = crossbeam_channel::bounded(1);
        // One asks at a time. What it asked is to be dropped with the writer, which a channel with a bound does not do.
        let (ask, asked) = crossbeam_channel::unbounded();
        let erasing = wake_if_erasing(&views, &idle, &wake)?;
        let eraser = Eraser {
            views: Arc::clone(&views),
            ask,
            layout: layout.clone(),
            next_segment: Arc::clone(&next_segment),
            wake: woken,
            idle: Arc::clone(&idle),
            expiry: Expiry::new(options.identity_retention.map(dedupe::days)),
            renewed_bytes_max: options.checkpoint_bytes_max / RENEWED_SHARE,
            room: Arc::clone(&room),
            closing: Arc::clone(&closing),
        };
        let checkpointer = Checkpointer {
            views: Arc::clone(&views),
            registry: Arc::clone(&registry),
            options: Arc::clone(&options),
            counters: Arc::clone(&counters),
            health: Arc::clone(&health),
            room: Arc::clone(&room),
            history_dir: layout.history.clone(),
            next_segment,
            wake,
            idle: Arc::clone(&idle),
            jobs: jobs_taken,
            done,
            closing: Arc::clone(&closing),
            forecast: Forecast::new(views.look().freezes, Instant::now()),
        };
        let mut writer = Writer {
            checkpointing: recovered.begun.is_some_and(|job| jobs.send(job).is_ok()),
            views: Arc::clone(&views),
            options: Arc::clone(&options),
            counters: Arc::clone(&counters),
            health: Arc::clone(&health),
            log,
            identities: recovered.identities,
            collector,
            jobs,
            done: done_taken,
            asked,
            changed_at: None,
            // A deletion that came back from the journal is to leave it.
            hurry: erasing,
            awaiting: Awaiting::default(),
        };
        writer.note_recovered();
        start(writer, recovered.filling, checkpointer, eraser, &health, lock)?;
        let engine =
            Embedded { views, registry, teams, shelf, options, intake, counters, health, room, closing, layout, idle };
        Ok((engine, recovered.report))
    }

    /// Brings everything accepted so far into its final place. For tests and tools; the engine does it by itself.
    pub async fn checkpoint(&self) {
        let intake = self.intake.clone();
        let asked = tokio::task::spawn_blocking(move || intake.ask(Command::Checkpoint)).await;
        if let Ok(Some(answer)) = asked {
            let _ = answer.await;
        }
        let idle = Arc::clone(&self.idle);
        let _ = tokio::task::spawn_blocking(move || idle.wait()).await;
    }

    /// Waits until the writer is done with everything that came before.
    pub(crate) async fn passed(&self) {
        if let Some(answer) = self.intake.ask(Command::Pass) {
            let _ = answer.await;
        }
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Runs a read on a thread that may block.
    pub(crate) fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Answer<'_, T, ReadError> {
        let reader = Reader {
            views: Arc::clone(&self.views),
            registry: Arc::clone(&self.registry),
            options: Arc::clone(&self.options),
        };
        Box::pin(async move {
            let ended =
                |error: tokio::task::JoinError| ReadError::Failed { what: format!("a read ended early: {error}") };
            tokio::task::spawn_blocking(move || read(&reader)).await.map_err(ended)?
        })
    }
}

/// What reads need of the engine.
pub(crate) struct Reader {
    pub views: Arc<Views>,
    pub registry: Arc<Registry>,
    pub options: Arc<Options>,
}

/// What is read when a directory is opened.
type Opened = (Arc<Registry>, Arc<Teams>, Arc<Shelf>, Recovered);

/// Opens the state store and folds in what the journal has beyond it.
fn recover(layout: &Layout, options: &Options, counters: &Counters) -> Result<Opened, OpenError> {
    let started = Instant::now();
    layout.check_not_left()?;
    layout.check_not_bereft()?;
    let state = State::open_within(&layout.state, options.state_cache_bytes, options.state_files_max)?;
    let (registry, teams, shelf, recovered) = reading("the state store", || {
        let (registry, teams) = (Arc::new(Registry::load(&state)?), Arc::new(Teams::load(&state)?));
        let shelf = Arc::new(Shelf::load(&state)?);
        let filter_bytes = options.identity_filter_bytes;
        Ok((registry, teams, shelf, recovery::recover(layout, (state, started), filter_bytes, counters)?))
    })?;
    recovered.views.footers.keep_within(options.history_cache_bytes);
    recovered.views.texts.keep_within(options.search_bytes);
    recovered.views.gaps.remember_from(options.long_step);
    *recovered.views.book.bounds.lock() = Bounds {
        bytes_max: options.forward_bytes_max,
        letters_max: options.letters_max as u64,
        letters_retention: options.letters_retention,
    };
    Ok((registry, teams, shelf, recovered))
}

/// Has what an earlier process left to be removed removed; whether there is any.
fn wake_if_erasing(views: &Views, idle: &Idle, wake: &Sender<()>) -> Result<bool, ReadError> {
    let erasing = views.is_rewriting();
    if erasing || leftover::is_any(&views.state)? {
        idle.ask();
        let _ = wake.try_send(());
    }
    Ok(erasing)
}

/// Starts the threads. The lock is let go of once none of them uses the directory any more.
fn start(
    writer: Writer,
    filling: Filling,
    checkpointer: Checkpointer,
    eraser: Eraser,
    health: &Arc<HealthCell>,
    lock: File,
) -> Result<(), OpenError> {
    let (layout, room) = (eraser.layout.clone(), Arc::clone(&checkpointer.room));
    let (ending, idle) = (Arc::clone(&checkpointer.closing), Arc::clone(&checkpointer.idle));
    let texts = Arc::clone(&writer.views.texts);
    let counting = count(&writer.views, &ending, health)?;
    let (waker, woken) = keeper::waking();
    let (merger, offer) = Merger::new(&writer.views, &room, &ending);
    let merging = spawn("identities", Arc::clone(health), move || merger.run())?;
    let checkpointing = spawn("checkpoint", Arc::clone(health), move || checkpointer.run(waker, &offer))?;
    let erasing = spawn("eraser", Arc::clone(health), move || eraser.run())?;
    let (state, stopped) = (writer.views.state.clone(), Arc::clone(health));
    let (disk, closing) = (state.identities.clone(), Arc::clone(&ending));
    let filling = spawn("sieve", Arc::clone(health), move || filling.run(&disk, &closing))?;
    let (keeper, closing) = (Keeper::new(Arc::clone(&writer.views), made_ahead(&writer.options)), Arc::clone(&ending));
    let keeping = spawn("columns", Arc::clone(health), move || keeper.run(&woken, &closing))?;
    spawn("writer", Arc::clone(health), move || {
        let closed = writer.run();
        ending.store(true, Ordering::Release);
        idle.hurry();
        // The writer is gone and with it the jobs; whoever waits is told once nothing of the directory is in use.
        let _ = checkpointing.join();
        let _ = merging.join();
        let _ = keeping.join();
        let _ = erasing.join();
        let _ = filling.join();
        let _ = counting.map(thread::JoinHandle::join);
        texts.end();
        if closed.is_some() && stopped.left_undone().is_none() {
            state_log::leave_little(&state, &layout.state, &room);
        }
        drop(state);
        drop(lock);
        if let Some(closed) = closed {
            let _ = closed.send(());
        }
    })?;
    Ok(())
}

/// What a server makes of the records in memory before lists ask for it.
fn made_ahead(options: &Options) -> Option<keeper::Bounds> {
    let bytes_max = options.checkpoint_bytes_max / COLUMNS_SHARE;
    options.reads_ahead.then_some(keeper::Bounds { records_min: keeper::MANY_RECORDS, bytes_max })
}

/// Has the records counted of a directory that does not say how many there are. Nothing may have changed it yet.
fn count(
    views: &Arc<Views>,
    closing: &Arc<AtomicBool>,
    health: &Arc<HealthCell>,
) -> Result<Option<thread::JoinHandle<()>>, OpenError> {
    if !views.look().on_disk.is_counting() {
        return Ok(None);
    }
    let (disk, views, closing) = (views.state.database.snapshot(), Arc::clone(views), Arc::clone(closing));
    spawn("count", Arc::clone(health), move || tally::count(&views, &disk, &closing)).map(Some)
}

/// A thread whose panic stops the store instead of going unnoticed.
fn spawn(
    name: &'static str,
    health: Arc<HealthCell>,
    work: impl FnOnce() + Send + 'static,
) -> Result<thread::JoinHandle<()>, OpenError> {
    let guarded = move || {
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err() {
            tracing::error!(thread = name, "a thread of the store panicked");
            health.stop(&format!("the {name} thread panicked"));
        }
    };
    Ok(thread::Builder::new().name(format!("muster-{name}")).spawn(guarded)?)
}

/// Whether a batch changes what whoever takes everything over has been told of already.
fn is_more_than_messages(batch: &Batch) -> bool {
    batch.entries().any(|entry| match entry {
        Entry::Message(_) | Entry::Refused(_) | Entry::Forget(_) | Entry::Owners(_) => false,
        Entry::Decree(_) | Entry::Import(_) | Entry::TakeBack(_) => true,
    })
}

impl Journal for Embedded {
    fn append(&self, batch: Batch) -> Answer<'_, Receipt, AppendError> {
        self.room.look(&self.health);
        let offered = match self.health.refusal() {
            Some(refusal) => Err(refusal),
            None if self.views.book.is_held() && is_more_than_messages(&batch) => Err(AppendError::Busy {
                what: "everything is being moved elsewhere; deletions and imports are taken when that is done"
                    .to_owned(),
                retry_after: HELD_RETRY,
            }),
            None => self.intake.offer(batch),
        };
        Box::pin(async move {
            // A writer that ends without answering promised nothing.
            offered?.await.unwrap_or(Err(AppendError::Closing))
        })
    }
}

impl Credentials for Embedded {
    fn authenticate(&self, token_hash: &TokenHash) -> Option<Arc<Key>> {
        self.registry.authenticate(token_hash)
    }

    fn live_key(&self, id: u64) -> Option<(Arc<Key>, TokenHash)> {
        self.registry.live_key(id)
    }

    fn keys(&self) -> Vec<Arc<Key>> {
        self.registry.keys()
    }

    fn workspaces(&self) -> Vec<Workspace> {
        self.registry.workspaces()
    }

    fn create_key(&self, new: NewKey) -> Answer<'_, Arc<Key>, AdminError> {
        self.admin(move |registry| registry.create_key(new))
    }

    fn revoke_key(&self, id: u64, at: Micros) -> Answer<'_, Arc<Key>, AdminError> {
        self.admin(move |registry| registry.revoke_key(id, at))
    }
}

impl muster_store::team::Teams for Embedded {
    fn team(&self, workspace: WorkspaceId) -> Vec<Member> {
        self.teams.team(workspace)
    }

    fn add_member(&self, workspace: WorkspaceId, new: NewMember) -> Answer<'_, Member, AdminError> {
        let teams = Arc::clone(&self.teams);
        self.admin(move |registry| teams.add(registry.workspace(workspace), new))
    }

    fn set_sign_in(
        &self,
        workspace: WorkspaceId,
        id: RecordId,
        sign_in: Option<SignIn>,
    ) -> Answer<'_, Member, AdminError> {
        let teams = Arc::clone(&self.teams);
        self.admin(move |_| teams.set_sign_in(workspace, id, sign_in))
    }

    fn remove_member(&self, workspace: WorkspaceId, id: RecordId) -> Answer<'_, Member, AdminError> {
        let teams = Arc::clone(&self.teams);
        self.admin(move |_| teams.remove(workspace, id))
    }
}

impl Embedded {
    pub(crate) fn admin<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Registry) -> Result<T, AdminError> + Send + 'static,
    ) -> Answer<'_, T, AdminError> {
        let registry = Arc::clone(&self.registry);
        Box::pin(async move {
            let ended = |error: tokio::task::JoinError| AdminError::Failed(error.to_string());
            tokio::task::spawn_blocking(move || change(&registry)).await.map_err(ended)?
        })
    }
}

impl Status for Embedded {
    fn health(&self) -> Health {
        self.room.look(&self.health);
        self.health.health()
    }

    fn figures(&self) -> Figures {
        let (queued_batches, queued_bytes) = self.intake.waiting();
        let (files, bytes, overlay_messages, overlay_bytes) = {
            let current = self.views.look();
            let manifest = &current.manifest;
            (
                manifest.all().count() as u64,
                manifest.all().map(|segment| segment.bytes).sum(),
                current.overlays().map(|overlay| overlay.rows().len() as u64).sum(),
                current.overlays().map(|overlay| overlay.bytes() as u64).sum(),
            )
        };
        Figures {
            queued_batches: queued_batches as u64,
            queued_bytes: queued_bytes as u64,
            history_files: files,
            history_bytes: bytes,
            overlay_messages,
            overlay_bytes,
            state_bytes: disk::bytes_below(&self.layout.state),
            free_bytes: self.room.free_bytes(),
            ..self.counters.figures()
        }
    }

    fn sizes(&self) -> Vec<(WorkspaceId, Size)> {
        let mut sizes: FxHashMap<WorkspaceId, Size> = FxHashMap::default();
        let current = self.views.look();
        for segment in current.manifest.all() {
            let size = sizes.entry(segment.workspace).or_default();
            size.messages += segment.rows;
            size.history_bytes += segment.bytes;
        }
        for overlay in current.overlays() {
            overlay.rows().iter().for_each(|row| sizes.entry(row.workspace).or_default().messages += 1);
        }
        sizes.into_iter().collect()
    }

    fn records(&self, workspace: WorkspaceId) -> Option<Records> {
        let current = self.views.look();
        current.on_disk.with(current.overlays().map(|overlay| overlay.profiles.tally()), workspace)
    }

    fn close(&self) -> Answer<'_, (), ReadError> {
        self.intake.close();
        self.closing.store(true, Ordering::Release);
        let intake = self.intake.clone();
        let health = Arc::clone(&self.health);
        Box::pin(async move {
            let ended = |error: tokio::task::JoinError| ReadError::Failed { what: error.to_string() };
            let asked = tokio::task::spawn_blocking(move || intake.ask(Command::Close)).await.map_err(ended)?;
            if let Some(answer) = asked {
                let _ = answer.await;
            }
            match health.left_undone() {
                Some(what) => Err(ReadError::Failed { what }),
                None => Ok(()),
            }
        })
    }
}
