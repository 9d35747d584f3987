//! Bringing a frozen overlay into its final place, in the background.
//!
//! In this order, each step leaving everything as it was if it is the last one that happens:
//! 1. history rows as Parquet files, synced, name and content; no manifest entry names them yet;
//! 2. identities, statements and, if it is much, what changes in lists, ingested in sorted order; a replay does not ask for
//!    them, whoever reads lists looks at the records too, and what is gone from lists too early is in memory;
//! 3. profiles, what else changes in lists, the catalogue of traits, children, messages set aside, manifest entries and
//!    the journal position, in one commit;
//! 4. the shared view: the frozen overlay goes, the new manifest comes;
//! 5. the journal lets go of what the commit covers (the writer does).
//!
//! While files cannot be written (a full disk) the checkpoint is tried again after a pause; the room that the commit may
//! take is tried out before it begins. A failure of the commit itself stops writes until a restart. The journal holds
//! everything meanwhile.

/// When files are merged, and putting what came of it in their place.
pub mod compaction;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use muster_history::{
    error::not_written,
    manifest::{Manifest, Segment},
    schema::Layout,
    segment::SegmentWriter,
};
use muster_model::id::WorkspaceId;
use muster_store::error::ReadError;
use tracing::{error, warn};

use crate::{
    commit::{self, Job},
    counters::Counters,
    credentials::Registry,
    engine::Reader,
    error::{cause, state_failed},
    follow::shed,
    health::HealthCell,
    history::rows,
    identities::Offer,
    idle::Idle,
    lists::{
        ahead::{self, Ahead},
        catalogue,
        changes::Fault,
        keeper::Waker,
        settle,
    },
    options::Options,
    overlay::Overlay,
    read_ahead::ReadAhead,
    recovery, room,
    room::Room,
    views::Views,
};
use compaction::Forecast;

/// A job that is done.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    pub position: u64,
    pub rows: usize,
    pub micros: u64,
}

/// The thread's own things.
pub struct Checkpointer {
    pub views: Arc<Views>,
    pub registry: Arc<Registry>,
    pub options: Arc<Options>,
    pub counters: Arc<Counters>,
    pub health: Arc<HealthCell>,
    pub room: Arc<Room>,
    pub history_dir: PathBuf,
    pub next_segment: Arc<AtomicU64>,
    /// Told when a checkpoint made a deletion durable.
    pub wake: Sender<()>,
    pub idle: Arc<Idle>,
    pub jobs: Receiver<Job>,
    pub done: Sender<Done>,
    pub closing: Arc<AtomicBool>,
    pub forecast: Forecast,
}

/// Between two looks at the state store while there is nothing to do.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Between two tries of a failed checkpoint.
const RETRY_PAUSE: Duration = Duration::from_secs(2);
/// Tries of one checkpoint before a store that is closing gives up; the journal keeps what was not brought into place.
const CLOSING_TRIES_MAX: u32 = 2;

impl Checkpointer {
    /// Works until the writer ends. Whoever keeps up what lists ask of memory sleeps while nothing changes there, and is woken.
    pub fn run(mut self, mut waker: Waker, identities: &Offer) {
        let mut ahead = Ahead::after_start(&self.registry.workspace_ids(), Instant::now());
        self.go_through(&mut ahead);
        let mut unasked = ReadAhead::default();
        self.read_ahead(&mut unasked);
        loop {
            let job = match self.jobs.recv_timeout(LOOK_INTERVAL) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => {
                    self.look();
                    shed::shed(&self.views, &self.room);
                    self.go_through(&mut ahead);
                    waker.wake(&self.views);
                    self.read_ahead(&mut unasked);
                    self.compact_what_waits();
                    identities.time(self.time_left());
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.forecast.begin(self.views.look().freezes, Instant::now());
            let Some(done) = self.checkpoint(&job) else { return };
            // Whoever removes what was deleted also removes what expired.
            if !job.overlay.deletions.is_empty()
                || self.views.closed_imports.is_undoing()
                || self.options.identity_retention.is_some()
            {
                self.idle.ask();
                // One that waits already is enough.
                let _ = self.wake.try_send(());
            }
            ahead.checkpointed(&job.overlay, self.views.gaps.wanted());
            drop(job);
            if self.done.send(done).is_err() {
                return;
            }
            shed::shed(&self.views, &self.room);
            self.go_through(&mut ahead);
            self.compact();
            identities.time(self.time_left());
        }
    }

    /// The state store merges its files when it likes and takes nothing more once that failed. Senders and readiness
    /// are to know at once, not with the next commit.
    fn look(&self) {
        if self.health.reason().is_none()
            && let Err(fault) = self.views.state.takes_writes()
        {
            self.stop(state_failed(&fault));
        }
    }

    fn checkpoint(&mut self, job: &Job) -> Option<Done> {
        let started = Instant::now();
        let mut tries = 0;
        while let Err(fault) = self.try_checkpoint(job) {
            tries += 1;
            let fault = cause(fault);
            error!(error = fault, tries, "a checkpoint failed; the journal keeps what it was to bring into place");
            self.health.note_checkpoint(Some(fault.clone()));
            if self.health.reason().is_some() {
                return None;
            }
            if self.closing.load(Ordering::Acquire) && tries >= CLOSING_TRIES_MAX {
                self.health.stop(&format!("the last checkpoint failed: {fault}"));
                return None;
            }
            std::thread::sleep(RETRY_PAUSE);
        }
        self.health.note_checkpoint(None);
        let micros = self.counters.checkpointed(started.elapsed());
        Some(Done { position: job.position, rows: job.overlay.rows().len(), micros })
    }

    fn try_checkpoint(&mut self, job: &Job) -> Result<(), ReadError> {
        let written = self.write_history(&job.overlay).inspect_err(|_| self.sweep())?;
        let settled = settle::settle(&self.reader(), &job.overlay);
        let no_room = |error| ReadError::Failed { what: format!("no room for the state store: {error}") };
        self.room.try_out(job.bytes()).map_err(no_room).inspect_err(|_| self.sweep())?;
        let (state, gaps) = (&self.views.state, &*self.views.gaps);
        gaps.begin();
        let ingested = {
            let _committing = self.views.committing.lock();
            commit::ingest(job, &settled, (state, gaps), &self.options)
        };
        let changes = match ingested {
            Ok(changes) => changes,
            Err(Fault::Store(fjall::Error::Storage(fjall::LsmError::Io(error)) | fjall::Error::Io(error)))
                if room::is_lack_of_room(&error) =>
            {
                // What was ingested is in the way of nothing, and the rest is ingested by the next attempt.
                self.sweep();
                return Err(no_room(error));
            }
            Err(Fault::Store(fault)) => return Err(self.stop(state_failed(&fault))),
            Err(Fault::Read(fault)) => return Err(self.stop(fault)),
        };
        let heard = catalogue::heard(&self.views, &job.overlay).map_err(|fault| self.stop(fault))?;
        // Whether a commit that failed happened is unknown; the next opening finds out and goes on from there.
        let on_disk = self.views.look().on_disk.clone();
        {
            let _committing = self.views.committing.lock();
            let of_lists = (changes, &settled, &heard);
            commit::commit(job, (&written, &on_disk), of_lists, (state, gaps), &self.options)
                .map_err(|fault| self.stop(fault))?;
        }
        gaps.end(&state.database.snapshot());
        self.views.texts.note(&job.overlay);
        let mut freezes = 0;
        self.views.change(|current| {
            let mut manifest = Manifest::clone(&current.manifest);
            written.into_iter().for_each(|segment| manifest.add(segment));
            current.manifest = Arc::new(manifest);
            current.frozen = None;
            freezes = current.freezes;
            current.on_disk.committed(&on_disk, job.overlay.profiles.tally());
        });
        self.views.mirrors.forget_before(freezes);
        self.views.hearings.forget_before(freezes);
        Ok(())
    }

    fn reader(&self) -> Reader {
        let (views, registry) = (Arc::clone(&self.views), Arc::clone(&self.registry));
        Reader { views, registry, options: Arc::clone(&self.options) }
    }

    fn stop(&self, fault: ReadError) -> ReadError {
        let reason = format!("the state store failed: {fault}");
        error!(reason, "the store takes no more writes until a restart");
        self.health.stop(&reason);
        fault
    }

    fn write_history(&mut self, overlay: &Overlay) -> Result<Vec<Arc<Segment>>, ReadError> {
        let mut workspaces: Vec<WorkspaceId> = overlay.rows().iter().map(|row| row.workspace).collect();
        workspaces.sort_unstable();
        workspaces.dedup();
        let mut written = Vec::new();
        for workspace in workspaces {
            let name = self.workspace_name(workspace)?;
            let sorted = rows::sort(overlay, workspace);
            let id = self.next_id();
            let mut writer = SegmentWriter::create(&self.history_dir, (workspace, &name), id, (None, Layout::Plain))
                .map_err(|error| not_written(&error))?;
            for batch in sorted.batches() {
                writer.write(&batch.map_err(|error| not_written(&error))?).map_err(|error| not_written(&error))?;
            }
            written.extend(writer.finish().map_err(|error| not_written(&error))?);
        }
        Ok(written)
    }

    /// Steps over what is gone at the beginnings of lists, so that nobody who reads them has to; as long as there is nothing more
    /// urgent to do.
    fn go_through(&self, ahead: &mut Ahead) {
        let at_rest = ahead.at_rest(self.views.look().applied);
        while self.has_time() {
            let began = Instant::now();
            let Some(beginning) = ahead.next(began, at_rest) else { return };
            ahead::go_through(&self.views.state, &self.views.gaps, beginning);
            ahead.took(began, began.elapsed());
        }
    }

    /// Reads what nobody has asked for yet, if the store is to.
    fn read_ahead(&self, ahead: &mut ReadAhead) {
        if self.options.reads_ahead {
            ahead.look(&self.views, &self.registry, || self.has_time());
        }
    }

    /// Whether there is nothing more urgent to do.
    fn has_time(&self) -> bool {
        self.jobs.is_empty() && !self.closing.load(Ordering::Acquire)
    }

    /// Removes what a failed attempt left behind.
    fn sweep(&self) {
        let Some(_files) = self.views.files.try_lock() else { return };
        self.clear();
    }

    /// The same while no other thread writes or removes files.
    fn clear(&self) {
        let _names = self.views.names.lock();
        let manifest = Arc::clone(&self.views.look().manifest);
        if let Err(fault) = recovery::sweep(&self.history_dir, &manifest) {
            warn!(error = %fault, "left-over history files could not be removed; the next start removes them");
        }
    }

    fn workspace_name(&self, workspace: WorkspaceId) -> Result<String, ReadError> {
        let what = || format!("no workspace has number {}", workspace.0);
        self.registry.workspace(workspace).map(|found| found.name).ok_or_else(|| ReadError::Damaged { what: what() })
    }

    fn next_id(&mut self) -> u64 {
        self.next_segment.fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use muster_model::{
        id::{IdSpace, ImportId},
        kind::RecordKind,
        time::Micros,
    };
    use muster_store::{
        batch::BatchBuilder,
        credentials::{Credentials, NewKey, Scopes},
        import::{Note, Source},
        journal::Journal,
        status::{Health, Status},
        suite::Sent,
    };

    use super::*;
    use crate::{
        engine::Embedded,
        lists::gaps::{List, Order},
    };

    /// How long it may take on a machine that is busy.
    const PATIENCE: Duration = Duration::from_secs(60);

    fn tables(state: &Path) -> Vec<PathBuf> {
        let keyspaces = std::fs::read_dir(state.join("keyspaces")).unwrap();
        keyspaces.map(|keyspace| keyspace.unwrap().path().join("tables")).collect()
    }

    pub(super) async fn workspace(engine: &Embedded, name: &str) -> WorkspaceId {
        let token_hash = [name.len() as u8; 32];
        let (workspace_name, name) = (name.to_owned(), "test".to_owned());
        let new = NewKey { workspace_name, name, scopes: Scopes::ALL, token_hash, created_at: Micros(0) };
        engine.create_key(new).await.unwrap().workspace.id
    }

    /// Has a user brought into place.
    async fn place_user(engine: &Embedded, workspace: WorkspaceId) {
        let mut batch = BatchBuilder::new(workspace, 64);
        let user = r#"{"type":"user","userId":"u","accountId":null,"messageId":"1"}"#;
        Sent::new(user, Micros(1_700_000_000_000_000)).add_to(&mut batch, IdSpace::new("any"));
        engine.append(batch.build()).await.unwrap();
        engine.checkpoint().await;
    }

    /// Nobody sends anything, no checkpoint is due, and the state store fails on its own.
    #[test]
    fn a_state_store_that_failed_is_noticed_while_idle() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { checkpoint_interval: Duration::from_secs(86_400), ..Options::new(dir.path()) };
        let (engine, _) = Embedded::open(options, Micros(0)).unwrap();
        assert_eq!(engine.health(), Health::Ready);
        let state = engine.views.state.clone();
        // What is to be written out has no place to go.
        state.filler.insert("key", "value").unwrap();
        for tables in tables(&dir.path().join("state")) {
            std::fs::remove_dir_all(tables).unwrap();
        }
        state.filler.rotate_memtable().unwrap();
        let until = Instant::now() + PATIENCE;
        while engine.health() == Health::Ready {
            assert!(Instant::now() < until, "nobody noticed");
            std::thread::sleep(Duration::from_millis(10));
        }
        let health = format!("{:?}", engine.health());
        assert!(health.contains("the state store failed"), "{health}");
    }

    /// Nobody has read a list since the start, and where no place is left at its beginning is known.
    #[tokio::test(flavor = "multi_thread")]
    async fn beginnings_of_lists_are_gone_through_after_a_start_and_after_checkpoints() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { long_step: Duration::ZERO, ..Options::new(dir.path()) };
        let (engine, _) = Embedded::open(options.clone(), Micros(0)).unwrap();
        let workspace = workspace(&engine, "default").await;
        engine.close().await.unwrap();
        drop(engine);
        let (engine, _) = Embedded::open(options, Micros(0)).unwrap();
        let until = Instant::now() + PATIENCE;
        for list in [List::Updated, List::Created] {
            let order = Order::of_times(list, workspace, RecordKind::User);
            while list == List::Updated && engine.views.gaps.of(order).is_empty() {
                assert!(Instant::now() < until, "nobody went through it");
                std::thread::sleep(Duration::from_millis(10));
            }
            assert_eq!(engine.views.gaps.of(order).is_empty(), list == List::Created, "places of creation stay");
        }
        // Of a workspace that there was not then: after the first checkpoint that changes something in it, and nothing before.
        let later = self::workspace(&engine, "later").await;
        let known = |kind| !engine.views.gaps.of(Order::of_times(List::Updated, later, kind)).is_empty();
        assert!(!known(RecordKind::User));
        place_user(&engine, later).await;
        while !known(RecordKind::User) {
            assert!(Instant::now() < until + PATIENCE, "nobody went through it");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(!known(RecordKind::Organization), "none was changed");
        engine.close().await.unwrap();
    }

    /// As for whoever removes what was deleted; the checkpoint cannot go on for now.
    #[test]
    fn intake_goes_on_while_somebody_waits_for_a_checkpoint() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let engine = Arc::new(Embedded::open(Options::new(dir.path()), Micros(0)).unwrap().0);
        let (workspace_name, name) = ("default".to_owned(), "test".to_owned());
        let key = NewKey { workspace_name, name, scopes: Scopes::ALL, token_hash: [7; 32], created_at: Micros(0) };
        let workspace = runtime.block_on(engine.create_key(key)).unwrap().workspace.id;
        let append = |number| {
            let source = Source { name: "a".into(), form: "muster".into(), bytes: None, fingerprint: None };
            let mut batch = BatchBuilder::new(workspace, 64);
            batch.import(&Note::Begin { id: ImportId(number), at: Micros(0), key_id: 0, source });
            let appended = engine.append(batch.build());
            runtime.block_on(async { tokio::time::timeout(PATIENCE, appended).await }).unwrap().unwrap();
        };
        append(1);
        let held = engine.views.committing.lock();
        let asking = Arc::clone(&engine);
        let waiting = runtime.spawn(async move { asking.checkpoint().await });
        let until = Instant::now() + PATIENCE;
        while engine.views.look().frozen.is_none() {
            assert!(Instant::now() < until, "no checkpoint began");
            std::thread::sleep(Duration::from_millis(1));
        }
        append(2);
        assert!(!waiting.is_finished());
        drop(held);
        runtime.block_on(waiting).unwrap();
        runtime.block_on(engine.close()).unwrap();
    }

    /// Nobody has asked for anything, and what files say of themselves and the texts of a workspace that came later are read.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_pages_and_searches_wait_for_is_read_ahead() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { reads_ahead: true, ..Options::new(dir.path()) };
        let (engine, _) = Embedded::open(options, Micros(0)).unwrap();
        let workspace = workspace(&engine, "later").await;
        place_user(&engine, workspace).await;
        let until = Instant::now() + PATIENCE;
        let read = || {
            let manifest = Arc::clone(&engine.views.look().manifest);
            let files = manifest.all().count() == 1 && manifest.all().all(|segment| engine.views.footers.has(segment));
            files && engine.views.texts.has((workspace, RecordKind::User))
        };
        while !read() {
            assert!(Instant::now() < until, "nobody read it");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        engine.close().await.unwrap();
    }
}
