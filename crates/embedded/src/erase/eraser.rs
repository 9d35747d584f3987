//! The thread that removes bytes.
//!
//! One pass serves every deletion that is on disk when it begins, in this order, each step repeatable after a crash:
//!
//! 1. look which history files hold anything of them, and what else the messages concerned that go;
//! 2. correct the records that stay, and have that checkpointed; the journal lets go of what came before;
//! 3. write the files anew, one by one: what the receipt counts changes in the same commit as the manifest;
//! 4. remove messages set aside, and what is kept for followers;
//! 5. have the state store drop old bytes;
//! 6. seal the receipts.
//!
//! Intake goes on meanwhile: the writer is held up for a moment in step 2, the checkpoints by nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use muster_history::{
    error::not_a_record,
    find,
    manifest::{Manifest, Segment},
    rewrite::{Place, rewrite},
};
use muster_model::{
    id::{Identity, RecordId, WorkspaceId},
    kind::RecordKind,
    time::Micros,
};
use muster_store::{
    batch::decode_refused,
    clock::{Clock, SystemClock},
    codec,
    deletion::{Concerned, Deletion, Erasure, Instants, Removed, Stage, mentions, receipt::chain_end},
    error::ReadError,
};
use rustc_hash::FxHashMap;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use super::{expiry::Expiry, known, purge, rebuild::Rebuild};
use crate::{
    credentials,
    error::state_failed,
    follow,
    history::manifest,
    identities::make_room,
    idle::Idle,
    keys,
    recovery::Layout,
    room::Room,
    views::Views,
    writer::{collect::Command, known::Known},
};

/// The thread's own things.
pub struct Eraser {
    pub views: Arc<Views>,
    /// Asks the writer for a checkpoint, and to take in how far something has come.
    pub ask: Sender<Command>,
    pub layout: Layout,
    pub next_segment: Arc<AtomicU64>,
    /// Told after every checkpoint that made a deletion durable, and once at the start.
    pub wake: Receiver<()>,
    pub idle: Arc<Idle>,
    pub expiry: Expiry,
    /// Bytes of messages that are held while records are made anew.
    pub renewed_bytes_max: usize,
    pub room: Arc<Room>,
    pub closing: Arc<AtomicBool>,
}

/// Between two tries of a pass that failed.
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// After a pass so many times as long as it took is left to everybody else, within a bound; what is deleted meanwhile is
/// removed by one pass then. A pass merges keyspaces whole, however little it removes.
const REST_FACTOR: u32 = 4;
const REST_MAX: Duration = Duration::from_secs(600);
/// Entries of the duplicate check that are removed in one commit. Each is looked up on disk first, and a checkpoint waits meanwhile.
const IDENTITIES_MAX: usize = 2_000;

/// Why a pass ended.
pub(super) enum Ended {
    Closing,
    Failed(ReadError),
}

impl From<ReadError> for Ended {
    fn from(error: ReadError) -> Self {
        Ended::Failed(error)
    }
}

/// A deletion whose bytes are being removed.
struct Job {
    deletion: Deletion,
    removed: Removed,
}

impl Eraser {
    /// Works until nobody wakes it any more, or the store closes.
    pub fn run(mut self) {
        let mut rested_until: Option<Instant> = None;
        while self.wake.recv().is_ok() {
            let erases = self.views.is_rewriting();
            if let Some(until) = rested_until.filter(|_| erases) {
                self.idle.rest(until.saturating_duration_since(Instant::now()));
            }
            let (asked, started) = (self.idle.asked(), Instant::now());
            if !self.erase_all() {
                break;
            }
            if erases {
                rested_until = Some(Instant::now() + (started.elapsed() * REST_FACTOR).min(REST_MAX));
            }
            self.idle.done(asked);
            if let Err(fault) = self.expire() {
                error!(error = %fault, "expired identities could not be removed; this is tried again tomorrow");
            }
        }
        self.idle.end();
    }

    /// Removes expired identities as long as there is nothing more urgent to do.
    fn expire(&mut self) -> Result<(), ReadError> {
        while self.wake.is_empty() && !self.closing.load(Ordering::Acquire) {
            if !self.expiry.step(&self.views, &self.closing, SystemClock.now())? {
                break;
            }
        }
        Ok(())
    }

    /// Makes passes until there is nothing to remove; `false` when the store closes meanwhile.
    fn erase_all(&self) -> bool {
        let mut told = String::new();
        loop {
            match self.pass() {
                Ok(true) => {}
                Ok(false) => return true,
                Err(Ended::Closing) => return false,
                Err(Ended::Failed(fault)) => {
                    let fault = fault.to_string();
                    if fault != told {
                        error!(error = fault, "what was deleted could not be removed from disk; this is tried again");
                        told = fault;
                    }
                    if self.wake.recv_timeout(RETRY_PAUSE) == Err(RecvTimeoutError::Disconnected) {
                        return false;
                    }
                }
            }
        }
    }

    /// One pass over everything that is to be removed; `false` when there is nothing.
    fn pass(&self) -> Result<bool, Ended> {
        // An import that is taken back knows its messages by the files that they were in, which nobody else may write anew.
        let mut any = self.undo_all()?;
        for workspace in credentials::workspace_ids(&self.views.state)? {
            let deletions = known::all_on_disk(&self.views.state, workspace)?;
            let erasing = |deletion: &Deletion| matches!(deletion.stage, Stage::Erasing(_));
            let jobs: Vec<Job> = deletions
                .into_iter()
                .filter(erasing)
                .map(|deletion| Job { deletion, removed: Removed::default() })
                .collect();
            if !jobs.is_empty() {
                any = true;
                self.erase(workspace, jobs)?;
            }
        }
        Ok(any)
    }

    fn erase(&self, workspace: WorkspaceId, mut jobs: Vec<Job>) -> Result<(), Ended> {
        let started = Instant::now();
        // Nobody else merges or removes files meanwhile.
        let _files = self.views.files.lock();
        let deleted = Arc::new(instants(&jobs));
        let ids = self.views.id_space(workspace)?;
        let (mut concerned, mut files) = (Concerned::default(), Vec::new());
        let manifest = Arc::clone(&self.views.look().manifest);
        let erasures = jobs.iter().filter_map(|job| job.deletion.erasure());
        let filter = find::filter(erasures.flat_map(|erasure| {
            let parts = erasure.parts.iter().map(|part| (RecordKind::Anonymous, part.anonymous));
            erasure.subjects.iter().copied().chain(parts)
        }));
        for segment in manifest.of(workspace) {
            self.go_on()?;
            if find::look_through(segment, ids, &deleted, filter.as_ref(), &mut concerned)? {
                files.push(segment);
            }
        }
        let rebuild = Rebuild::new(&self.views, workspace, Arc::clone(&deleted), &concerned)?;
        if !rebuild.is_empty() {
            rebuild.correct()?;
        }
        self.checkpoint()?;
        for segment in &files {
            self.go_on()?;
            self.spare(segment.bytes)?;
            let rewritten = self.rewrite(workspace, segment, &deleted, &mut jobs);
            self.go_on()?;
            rewritten?;
        }
        self.remove_refused(workspace, &deleted, &mut jobs)?;
        follow::erase::erase(&self.views, workspace, ids, &deleted)?;
        self.spare(purge::bytes(&self.views.state))?;
        if !purge::purge(&self.views.state, &self.layout.state, &|| self.go_on().is_ok())? {
            return Err(Ended::Closing);
        }
        self.seal(workspace, &mut jobs)?;
        let millis = started.elapsed().as_millis() as u64;
        info!(deletions = jobs.len(), files = files.len(), millis, "what was deleted is removed from disk");
        Ok(())
    }

    pub(super) fn go_on(&self) -> Result<(), Ended> {
        if self.closing.load(Ordering::Acquire) { Err(Ended::Closing) } else { Ok(()) }
    }

    /// Nothing is written anew that the disk has no room for beside what is to stay free.
    pub(super) fn spare(&self, bytes: u64) -> Result<(), ReadError> {
        if self.room.spares(bytes) {
            return Ok(());
        }
        let what = format!("the disk has no room for {} MiB while what was deleted is removed", (bytes >> 20) + 1);
        Err(ReadError::Failed { what })
    }

    /// Waits until everything up to now is in its final place, and the journal holds nothing of it any more.
    pub(super) fn checkpoint(&self) -> Result<(), Ended> {
        self.go_on()?;
        let (reply, answer) = oneshot::channel();
        self.ask.send(Command::Checkpoint(reply)).map_err(|_| Ended::Closing)?;
        if answer.blocking_recv().map_err(|_| Ended::Closing)? {
            return Ok(());
        }
        let what = "the journal still holds what came before the deletion".to_owned();
        Err(Ended::Failed(ReadError::Failed { what }))
    }

    fn rewrite(
        &self,
        workspace: WorkspaceId,
        segment: &Arc<Segment>,
        deleted: &Instants,
        jobs: &mut [Job],
    ) -> Result<(), ReadError> {
        let state = &self.views.state;
        let name = credentials::workspace_name(state, workspace)?;
        let next_id = || self.next_segment.fetch_add(1, Ordering::Relaxed);
        let place = Place { history_dir: &self.layout.history, workspace, name: &name, next_id: &next_id };
        let because = by_subject(jobs);
        let mut counts: Vec<Removed> = vec![Removed::default(); jobs.len()];
        let mut identities: Vec<(usize, Identity, Micros)> = Vec::new();
        let ids = self.views.id_space(workspace)?;
        let rewritten = rewrite(segment, ids, deleted, &place, &mut |row| {
            let job = row.because.iter().filter_map(|id| because.get(id)).max().copied().unwrap_or(0);
            counts[job].messages += 1;
            identities.push((job, row.identity, row.received_at));
            if identities.len() == IDENTITIES_MAX {
                self.remove_identities(workspace, &mut identities, &mut counts)?;
            }
            Ok(())
        })?;
        self.remove_identities(workspace, &mut identities, &mut counts)?;
        counts[0].redacted += rewritten.redacted;
        for (job, counted) in jobs.iter_mut().zip(&mut counts) {
            counted.files = u64::from(counted.messages + counted.redacted > 0);
            job.removed.add(counted);
        }
        {
            let _committing = self.views.committing.lock();
            let mut batch = state.batch();
            batch.remove(&state.manifest, manifest::key(segment));
            rewritten
                .outputs
                .iter()
                .for_each(|output| batch.insert(&state.manifest, manifest::key(output), manifest::value(output)));
            put(&mut batch, &self.views, workspace, jobs);
            batch.commit().map_err(|error| state_failed(&error))?;
            // What the disk has counted is not counted again.
            jobs.iter_mut().for_each(Job::settle);
        }
        self.replaced(segment, rewritten.outputs);
        Ok(())
    }

    /// Has readers go to the files that took the place of one, and removes that.
    pub(super) fn replaced(&self, segment: &Arc<Segment>, outputs: Vec<Arc<Segment>>) {
        self.views.change(|current| {
            let mut manifest = Manifest::clone(&current.manifest);
            manifest.remove(segment);
            outputs.into_iter().for_each(|output| manifest.add(output));
            current.manifest = Arc::new(manifest);
        });
        let _names = self.views.names.lock();
        if let Err(fault) = segment.remove() {
            warn!(error = %fault, file = segment.relative_path, "a file that holds what was deleted could not be removed; the next start removes it");
        }
    }

    /// Lets the duplicate check forget messages that are gone; not those that were sent again since.
    fn remove_identities(
        &self,
        workspace: WorkspaceId,
        identities: &mut Vec<(usize, Identity, Micros)>,
        counts: &mut [Removed],
    ) -> Result<(), ReadError> {
        let state = &self.views.state;
        if !make_room(&self.views, &self.closing)? {
            return Err(ReadError::Failed { what: "the store closes".to_owned() });
        }
        let _committing = self.views.committing.lock();
        let mut batch = state.batch();
        for (job, identity, received_at) in identities.drain(..) {
            let kept = Known::read(&state.identities, (workspace, identity))?;
            if kept.is_some_and(|kept| kept.received_at == received_at) {
                batch.remove(&state.identities, keys::identity_key(workspace, identity));
                counts[job].identities += 1;
            }
        }
        batch.commit().map_err(|error| state_failed(&error))
    }

    fn remove_refused(&self, workspace: WorkspaceId, deleted: &Instants, jobs: &mut [Job]) -> Result<(), ReadError> {
        let state = &self.views.state;
        let ids = self.views.id_space(workspace)?;
        let because = by_subject(jobs);
        let _committing = self.views.committing.lock();
        let mut batch = state.batch();
        for entry in state.refused.prefix(workspace.0.to_be_bytes()) {
            let (key, value) = entry.into_inner().map_err(|error| state_failed(&error))?;
            let refused = decode_refused(&value).map_err(not_a_record("the state store"))?;
            let hit = std::cell::Cell::new(None);
            let named = |id: RecordId| {
                let named = deleted.deleted_at(id).is_some_and(|at| refused.received_at <= at);
                if named {
                    hit.set(Some(id));
                }
                named
            };
            if mentions(&refused.body, ids, named) {
                batch.remove(&state.refused, key);
                batch.remove(&state.refused_ids, keys::refused_id_key(workspace, refused.id));
                let job = hit.get().and_then(|id| because.get(&id).copied()).unwrap_or(0);
                jobs[job].removed.refused += 1;
            }
        }
        put(&mut batch, &self.views, workspace, jobs);
        batch.commit().map_err(|error| state_failed(&error))?;
        jobs.iter_mut().for_each(Job::settle);
        Ok(())
    }

    /// Seals the receipts, oldest first, and lifts the veil.
    fn seal(&self, workspace: WorkspaceId, jobs: &mut [Job]) -> Result<(), ReadError> {
        let state = &self.views.state;
        let mut end = chain_end(&known::all_on_disk(state, workspace)?);
        let mut batch = state.batch();
        let mut value = Vec::new();
        for job in jobs.iter_mut().rev() {
            job.deletion.finish(end, SystemClock.now());
            if let Some(seal) = job.deletion.seal() {
                end = (seal.number, seal.hash);
            }
            value.clear();
            codec::deletion::encode(&job.deletion, &mut value);
            batch.insert(&state.deletions, keys::deletion_key(workspace, job.deletion.id), value.as_slice());
        }
        batch.commit().map_err(|error| state_failed(&error))?;
        // What searches look through held it, too.
        self.views.texts.forget(workspace);
        let erasures: Vec<&Erasure> = jobs.iter().filter_map(|job| job.deletion.erasure()).collect();
        self.views.tombstones.erased(workspace, &erasures);
        Ok(())
    }
}

impl Job {
    /// Adds what was counted to what the disk has.
    fn settle(&mut self) {
        let removed = std::mem::take(&mut self.removed);
        if let Some(erasure) = self.deletion.erasure_mut() {
            erasure.removed.add(&removed);
        }
    }
}

/// Adds the deletions with what was counted so far to a commit.
fn put(batch: &mut fjall::OwnedWriteBatch, views: &Views, workspace: WorkspaceId, jobs: &[Job]) {
    let mut value = Vec::new();
    for job in jobs {
        let mut deletion = job.deletion.clone();
        if let Some(erasure) = deletion.erasure_mut() {
            erasure.removed.add(&job.removed);
        }
        value.clear();
        codec::deletion::encode(&deletion, &mut value);
        batch.insert(&views.state.deletions, keys::deletion_key(workspace, deletion.id), value.as_slice());
    }
}

fn instants(jobs: &[Job]) -> Instants {
    let mut instants = Instants::default();
    for erasure in jobs.iter().filter_map(|job| job.deletion.erasure()) {
        instants.note(&erasure.subjects, &erasure.parts, erasure.at);
    }
    instants
}

/// The deletion that each record is counted for: the oldest, which is the last.
fn by_subject(jobs: &[Job]) -> FxHashMap<RecordId, usize> {
    let mut because = FxHashMap::default();
    for (number, job) in jobs.iter().enumerate() {
        let Some(erasure) = job.deletion.erasure() else { continue };
        because.extend(erasure.subjects.iter().map(|(_, id)| (*id, number)));
        because.extend(erasure.parts.iter().map(|part| (part.anonymous, number)));
    }
    because
}
