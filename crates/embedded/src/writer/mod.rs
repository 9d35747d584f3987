//! The one thread that owns all change.
//!
//! collect → dedupe → append (one sync a group) → apply → publish → acknowledge. A group is whatever is waiting; no
//! timer delays a lone message. Each stage is a plain function of the stage before; this file calls them in order and
//! holds the branching. What a group will change is fetched while it is synced; nothing of it shows before. JSON is never
//! parsed here.

/// Taking what is waiting, within bounds.
pub mod collect;

/// What is remembered of a stored message.
pub mod known;

/// Whether a message was certainly never heard of, told from memory alone.
pub mod sieve;

/// Telling new messages from repeated and conflicting ones.
pub mod dedupe;

/// Making a group durable.
pub mod append;

/// Decoding a durable group and fetching the profiles it will change.
pub mod apply;

/// The overlay as the model's folding sees it.
pub mod ledger;

/// Folding a group in, so that every later read sees it.
pub mod publish;

/// Answering everyone who waits, exactly once.
pub mod acknowledge;

/// Who waits for a checkpoint.
pub mod awaiting;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, select};
use muster_store::error::{AppendError, ReadError};
use tokio::sync::oneshot;
use tracing::{error, info};

use crate::{
    checkpoint::Done,
    commit::Job,
    counters::Counters,
    health::{HINDERED_RETRY, HealthCell, Hindrance},
    journal::log::{Log, LogError},
    options::Options,
    room,
    views::Views,
};
use awaiting::Awaiting;
use collect::{Collector, Command};
use dedupe::Identities;

/// The writer's own things.
pub struct Writer {
    pub views: Arc<Views>,
    pub options: Arc<Options>,
    pub counters: Arc<Counters>,
    pub health: Arc<HealthCell>,
    pub log: Log,
    pub identities: Identities,
    pub collector: Collector,
    pub jobs: Sender<Job>,
    pub done: Receiver<Done>,
    /// Whoever removes what was deleted asks for a checkpoint here.
    pub asked: Receiver<Command>,
    /// A checkpoint is under way.
    pub checkpointing: bool,
    /// When the oldest change in the live overlay was made.
    pub changed_at: Option<Instant>,
    /// The next checkpoint is not to wait for its time.
    pub hurry: bool,
    /// Who waits for a checkpoint.
    pub awaiting: Awaiting,
}

/// How often is looked whether what stands in the way of writes is gone.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

impl Writer {
    /// Works until it is told to close, and returns whom to tell that it has; or until nobody is left to tell it.
    pub fn run(mut self) -> Option<oneshot::Sender<()>> {
        while let Some(command) = self.wait() {
            match command {
                Command::Append(first) => self.write_group(first),
                // What is sent meanwhile is taken as ever.
                Command::Checkpoint(reply) => self.awaiting.add(reply),
                // Whoever asked may have gone.
                Command::Pass(reply) => drop(reply.send(())),
                Command::Close(reply) => {
                    self.checkpoint_and_wait();
                    return Some(reply);
                }
            }
        }
        None
    }

    /// Waits for a command, tending to checkpoints meanwhile. Sleeps without waking as long as nothing changes.
    fn wait(&mut self) -> Option<Command> {
        loop {
            if let Some(held) = self.collector.held() {
                return Some(held);
            }
            self.start_due_checkpoint();
            let commands = self.collector.receiver().clone();
            let timer = self.due().map_or_else(crossbeam_channel::never, crossbeam_channel::at);
            select! {
                recv(commands) -> command => return command.ok(),
                recv(self.asked) -> asked => match asked {
                    Ok(command) => {
                        // What was corrected came by no message.
                        self.changed_at.get_or_insert_with(Instant::now);
                        if let Command::Append(pending) = &command {
                            self.collector.count_in(pending);
                        }
                        return Some(command);
                    }
                    Err(_) => self.asked = crossbeam_channel::never(),
                },
                recv(self.done) -> done => match done {
                    Ok(done) => self.finish_checkpoint(&done),
                    Err(_) => return self.fail_rest(),
                },
                recv(timer) -> _ => {
                    self.look_again();
                    self.start_due_checkpoint();
                }
            }
        }
    }

    /// When something is to be done although nobody asks: a checkpoint, or a look at what stands in the way.
    fn due(&self) -> Option<Instant> {
        if self.health.reason().is_some() {
            return None;
        }
        let checkpoint = self.changed_at.filter(|_| !self.checkpointing);
        let checkpoint = checkpoint.map(|at| at + self.options.checkpoint_interval);
        let look = self.is_blocked().then(|| Instant::now() + LOOK_INTERVAL);
        checkpoint.into_iter().chain(look).min()
    }

    /// Without a checkpoint thread nothing can be brought into place; what still comes is answered, not taken.
    fn fail_rest(&mut self) -> Option<Command> {
        self.stop("the checkpoint thread ended");
        self.awaiting.none_comes(false);
        self.done = crossbeam_channel::never();
        self.collector.receiver().recv().ok()
    }

    fn write_group(&mut self, first: collect::Pending) {
        let group = self.collector.collect(first, &self.options);
        let moved = || self.views.book.is_stopped().then_some(AppendError::Closing);
        if let Some(refusal) = self.health.refusal().or_else(moved) {
            return acknowledge::refuse(group, &refusal);
        }
        let sifted = match dedupe::sift(group, &mut self.identities, &self.views, &self.options) {
            Ok(sifted) => sifted,
            Err((group, fault @ ReadError::Failed { .. })) => {
                let refusal = self.hinder(Hindrance::Reading, &format!("identities could not be read: {fault}"));
                return acknowledge::refuse(group, &refusal);
            }
            Err((group, fault)) => {
                let reason = self.stop(&format!("identities could not be read: {fault}"));
                return acknowledge::refuse(group, &AppendError::Stopped { reason });
            }
        };
        let dedupe::Sifted { kept, replies, fresh } = sifted;
        // What is prepared while the sync is under way must still be true when it is applied.
        let alone = self.views.correcting.lock();
        let prepared = match append::append(&kept, &mut self.log, &self.views, &self.counters) {
            Ok(prepared) => prepared,
            Err(LogError::Refused(fault)) => {
                self.identities.take_back(&fresh);
                let refusal = self.hinder(Hindrance::Journal, &format!("the journal refused a write: {fault}"));
                return acknowledge::refuse_replies(replies, &refusal);
            }
            Err(LogError::Broken(fault)) => {
                let reason = self.stop(&format!("the journal could not be synced: {fault}"));
                return acknowledge::refuse_replies(replies, &AppendError::Stopped { reason });
            }
        };
        let frame = self.log.last_sequence();
        let published = prepared.and_then(|prepared| publish::publish(prepared, frame, &self.views, &self.counters));
        drop(alone);
        match published {
            // What was deleted should leave the journal soon.
            Ok(deleted) => self.hurry |= deleted,
            Err(fault) => {
                // Durable but not visible: a restart applies it. Nobody is told that it succeeded.
                let reason = self.stop(&format!("a durable group could not be applied: {fault}"));
                return acknowledge::refuse_replies(replies, &AppendError::Stopped { reason });
            }
        }
        self.changed_at.get_or_insert_with(Instant::now);
        self.views.book.appended(frame, &kept);
        acknowledge::acknowledge(replies, &self.counters);
        self.keep_within_bounds();
    }

    /// Starts a checkpoint when enough has changed; waits for the one under way when memory is at its bound. While that
    /// one fails nothing is waited for: senders are told, and hear so until it is done.
    fn keep_within_bounds(&mut self) {
        if !self.over_bounds() {
            return;
        }
        while self.checkpointing && self.health.reason().is_none() {
            if let Some(fault) = self.health.checkpoint_fault() {
                self.hinder(Hindrance::Checkpoint, &format!("memory is full and a checkpoint fails: {fault}"));
                return;
            }
            self.wait_for_checkpoint();
        }
        self.freeze();
    }

    /// Whether something stands in the way that only this thread can find gone.
    fn is_blocked(&self) -> bool {
        [Hindrance::Journal, Hindrance::Reading].iter().any(|hindrance| self.health.is_hindered_by(*hindrance))
    }

    /// Finds out whether what stood in the way is gone.
    fn look_again(&mut self) {
        if self.health.is_hindered_by(Hindrance::Journal) {
            match self.log.mend().map_err(std::io::Error::from).and_then(|()| room::try_write(self.log.dir())) {
                Ok(()) => self.health.clear(Hindrance::Journal),
                Err(fault) if self.log.is_broken() => {
                    drop(self.stop(&format!("the journal could not be cut: {fault}")))
                }
                Err(_) => {}
            }
        }
        if self.health.is_hindered_by(Hindrance::Reading) && self.identities.read_again(&self.views.state.identities) {
            self.health.clear(Hindrance::Reading);
        }
    }

    fn over_bounds(&self) -> bool {
        let current = self.views.look();
        let (rows, bytes) = (current.live.rows().len(), current.live.bytes());
        rows >= self.options.checkpoint_rows_max || bytes >= self.options.checkpoint_bytes_max
    }

    fn start_due_checkpoint(&mut self) {
        if self.health.reason().is_some() {
            return self.awaiting.none_comes(false);
        }
        if self.checkpointing {
            return;
        }
        let asked = self.awaiting.is_asked();
        match self.changed_at {
            Some(at) if asked || self.hurry || at.elapsed() >= self.options.checkpoint_interval => self.freeze(),
            None if asked => self.awaiting.none_comes(self.log.holds_nothing_until(self.log.last_sequence())),
            _ => {}
        }
    }

    /// Hands the live overlay to the checkpoint thread and starts a new one.
    fn freeze(&mut self) {
        if self.checkpointing || self.health.reason().is_some() || self.changed_at.is_none() {
            return;
        }
        match self.log.rotate() {
            Ok(()) => {}
            // Until it works nothing more is taken, and the journal holds everything.
            Err(LogError::Refused(fault)) => {
                self.changed_at = Some(Instant::now());
                self.hinder(Hindrance::Journal, &format!("the journal could not start a new file: {fault}"));
                return;
            }
            Err(LogError::Broken(fault)) => {
                self.stop(&format!("the journal could not start a new file: {fault}"));
                return;
            }
        }
        let job = Job::freeze(&self.views, self.identities.freeze(), self.log.last_sequence());
        self.checkpointing = true;
        self.changed_at = None;
        self.hurry = false;
        self.awaiting.begun();
        if self.jobs.send(job).is_err() {
            self.stop("the checkpoint thread ended");
        }
    }

    fn finish_checkpoint(&mut self, done: &Done) {
        self.checkpointing = false;
        self.health.clear(Hindrance::Checkpoint);
        self.identities.thaw();
        let released = {
            let _names = self.views.names.lock();
            self.views.book.covers(done.position);
            self.log.release(done.position, |path, first, last| self.views.book.retire(path, first, last))
        };
        if let Err(fault) = released {
            error!(error = %fault, "journal files could not be removed; they are removed later");
        }
        self.awaiting.done(self.log.holds_nothing_until(done.position));
        self.counters.journal_bytes(self.log.bytes());
        info!(rows = done.rows, millis = done.micros / 1_000, "checkpoint");
    }

    fn wait_for_checkpoint(&mut self) {
        match self.done.recv_timeout(LOOK_INTERVAL / 10) {
            Ok(done) => self.finish_checkpoint(&done),
            // The caller looks whether it fails, and waits on.
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                self.stop("the checkpoint thread ended");
            }
        }
    }

    fn checkpoint_and_wait(&mut self) {
        while self.checkpointing && self.health.reason().is_none() {
            self.wait_for_checkpoint();
        }
        self.freeze();
        while self.checkpointing && self.health.reason().is_none() {
            self.wait_for_checkpoint();
        }
    }

    /// Appends are refused until what stands in the way is gone. Returns what senders are told.
    fn hinder(&self, hindrance: Hindrance, reason: &str) -> AppendError {
        self.health.hinder(hindrance, reason);
        AppendError::Hindered { reason: reason.to_owned(), retry_after: HINDERED_RETRY }
    }

    /// From now on every append is refused; reads go on. Returns the reason that stands.
    fn stop(&self, reason: &str) -> String {
        error!(reason, "the store takes no more writes until a restart");
        self.health.stop(reason)
    }

    /// The overlay that a recovery filled counts as changed.
    pub fn note_recovered(&mut self) {
        self.changed_at = (!self.views.look().live.is_empty()).then(Instant::now);
    }
}
