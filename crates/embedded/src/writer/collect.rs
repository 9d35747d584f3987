//! Taking what is waiting, within bounds.
//!
//! The queue has a bound in batches and one in bytes; a batch that does not fit is refused at once by whoever offers
//! it, before it costs anything here. What still waits when the writer ends is dropped, and with it whoever waits for it
//! hears that the store closes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender};
use muster_store::{batch::Batch, error::AppendError, receipt::Receipt};
use tokio::sync::oneshot;

use crate::options::Options;

/// Where an answer goes.
pub type Reply = oneshot::Sender<Result<Receipt, AppendError>>;

/// A batch and whoever waits for its fate.
pub struct Pending {
    pub batch: Batch,
    pub reply: Reply,
}

/// What the writer can be asked.
pub enum Command {
    Append(Pending),
    /// Bring everything into its final place, and go on meanwhile; whether the journal holds nothing of it any more then.
    Checkpoint(oneshot::Sender<bool>),
    /// Say that everything that came before is done with.
    Pass(oneshot::Sender<()>),
    /// Bring everything into its final place, and end.
    Close(oneshot::Sender<()>),
}

/// What one sync will cover.
pub struct Group {
    pub pending: Vec<Pending>,
}

/// How long a sender is told to wait when the queue is full.
const FULL_RETRY: Duration = Duration::from_secs(1);

/// What waits.
#[derive(Default)]
struct Queued {
    batches: AtomicUsize,
    bytes: AtomicUsize,
}

impl Queued {
    fn add(&self, bytes: usize) -> (usize, usize) {
        (self.batches.fetch_add(1, Ordering::AcqRel), self.bytes.fetch_add(bytes, Ordering::AcqRel))
    }

    fn remove(&self, batches: usize, bytes: usize) {
        self.batches.fetch_sub(batches, Ordering::AcqRel);
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }
}

/// The offering end of the queue.
#[derive(Clone)]
pub struct Intake {
    sender: Sender<Command>,
    queued: Arc<Queued>,
    queue_batches_max: usize,
    queue_bytes_max: usize,
    closing: Arc<AtomicBool>,
}

/// The taking end of the queue.
pub struct Collector {
    receiver: Receiver<Command>,
    queued: Arc<Queued>,
    /// A command that was taken while collecting a group and ended it.
    held: Option<Command>,
}

/// A queue with the bounds of `options`.
pub fn queue(options: &Options) -> (Intake, Collector) {
    // Bounded by what is counted in `Queued`. A channel with a bound of its own keeps what was sent when its receiver is
    // gone, and whoever waits for an answer would wait for ever.
    let (sender, receiver) = crossbeam_channel::unbounded();
    let queued = Arc::new(Queued::default());
    let intake = Intake {
        sender,
        queued: Arc::clone(&queued),
        queue_batches_max: options.queue_batches_max,
        queue_bytes_max: options.queue_bytes_max,
        closing: Arc::default(),
    };
    (intake, Collector { receiver, queued, held: None })
}

impl Intake {
    /// Offers a batch. Never waits.
    pub fn offer(&self, batch: Batch) -> Result<oneshot::Receiver<Result<Receipt, AppendError>>, AppendError> {
        if self.closing.load(Ordering::Acquire) {
            return Err(AppendError::Closing);
        }
        let bytes = batch.bytes().len();
        let (batches, queued) = self.queued.add(bytes);
        // A batch larger than the whole bound is let in when nothing else waits, or it never could be.
        if batches >= self.queue_batches_max || queued > 0 && queued + bytes > self.queue_bytes_max {
            self.queued.remove(1, bytes);
            return Err(AppendError::Full { retry_after: FULL_RETRY });
        }
        let (reply, answer) = oneshot::channel();
        if self.sender.send(Command::Append(Pending { batch, reply })).is_err() {
            self.queued.remove(1, bytes);
            return Err(AppendError::Closing);
        }
        Ok(answer)
    }

    /// Asks the writer something other than to append. `None` when the writer has ended.
    pub fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<oneshot::Receiver<T>> {
        let (reply, answer) = oneshot::channel();
        self.sender.send(command(reply)).ok().map(|()| answer)
    }

    /// Refuses everything offered from now on.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Batches and bytes that wait.
    pub fn waiting(&self) -> (usize, usize) {
        (self.queued.batches.load(Ordering::Acquire), self.queued.bytes.load(Ordering::Acquire))
    }
}

impl Collector {
    /// The queue, for waiting on it. Look at [`Collector::held`] first.
    pub fn receiver(&self) -> &Receiver<Command> {
        &self.receiver
    }

    /// Counts a batch in that came by another way than the queue.
    pub fn count_in(&self, pending: &Pending) {
        self.queued.add(pending.batch.bytes().len());
    }

    /// A command that came while the last group was collected and is still to be done.
    pub fn held(&mut self) -> Option<Command> {
        self.held.take()
    }

    /// Everything that waits behind `first`, as far as one sync may cover.
    pub fn collect(&mut self, first: Pending, options: &Options) -> Group {
        let mut messages = first.batch.messages();
        let mut bytes = first.batch.bytes().len();
        // A deletion, and the end of an import, is a group of its own, so that nothing in its group comes after it.
        let alone = first.batch.is_alone();
        let mut pending = vec![first];
        while !alone && messages < options.group_messages_max && bytes < options.group_bytes_max {
            match self.receiver.try_recv() {
                Ok(Command::Append(next)) if !next.batch.is_alone() => {
                    messages += next.batch.messages();
                    bytes += next.batch.bytes().len();
                    pending.push(next);
                }
                Ok(other) => {
                    self.held = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        self.queued.remove(pending.len(), bytes);
        Group { pending }
    }
}
