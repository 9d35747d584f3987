//! Taking what is waiting, within bounds.
//!
//! The queue has a bound in batches and one in bytes; a batch that does not fit is refused at once by whoever offers
//! it, before it costs anything here.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, TrySendError};
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
    /// Bring everything into its final place; for tests and tools.
    Checkpoint(oneshot::Sender<()>),
    /// The same, and end.
    Close(oneshot::Sender<()>),
}

/// What one sync will cover.
pub struct Group {
    pub pending: Vec<Pending>,
}

/// How long a sender is told to wait when the queue is full.
const FULL_RETRY: Duration = Duration::from_secs(1);

/// The offering end of the queue.
#[derive(Clone)]
pub struct Intake {
    sender: Sender<Command>,
    queued_bytes: Arc<AtomicUsize>,
    queue_bytes_max: usize,
    closing: Arc<AtomicBool>,
}

/// The taking end of the queue.
pub struct Collector {
    receiver: Receiver<Command>,
    queued_bytes: Arc<AtomicUsize>,
    /// A command that was taken while collecting a group and ended it.
    held: Option<Command>,
}

/// A queue with the bounds of `options`.
pub fn queue(options: &Options) -> (Intake, Collector) {
    let (sender, receiver) = crossbeam_channel::bounded(options.queue_batches_max);
    let queued_bytes = Arc::new(AtomicUsize::new(0));
    let intake = Intake {
        sender,
        queued_bytes: Arc::clone(&queued_bytes),
        queue_bytes_max: options.queue_bytes_max,
        closing: Arc::default(),
    };
    (intake, Collector { receiver, queued_bytes, held: None })
}

impl Intake {
    /// Offers a batch. Never waits.
    pub fn offer(&self, batch: Batch) -> Result<oneshot::Receiver<Result<Receipt, AppendError>>, AppendError> {
        if self.closing.load(Ordering::Acquire) {
            return Err(AppendError::Closing);
        }
        let bytes = batch.bytes().len();
        let queued = self.queued_bytes.fetch_add(bytes, Ordering::AcqRel);
        // A batch larger than the whole bound is let in when nothing else waits, or it never could be.
        if queued > 0 && queued + bytes > self.queue_bytes_max {
            self.queued_bytes.fetch_sub(bytes, Ordering::AcqRel);
            return Err(AppendError::Full { retry_after: FULL_RETRY });
        }
        let (reply, answer) = oneshot::channel();
        self.sender.try_send(Command::Append(Pending { batch, reply })).map_err(|refused| {
            self.queued_bytes.fetch_sub(bytes, Ordering::AcqRel);
            match refused {
                TrySendError::Full(_) => AppendError::Full { retry_after: FULL_RETRY },
                TrySendError::Disconnected(_) => AppendError::Closing,
            }
        })?;
        Ok(answer)
    }

    /// Asks the writer something other than to append; waits for a place. `None` when the writer has ended.
    pub fn ask(&self, command: impl FnOnce(oneshot::Sender<()>) -> Command) -> Option<oneshot::Receiver<()>> {
        let (reply, answer) = oneshot::channel();
        self.sender.send(command(reply)).ok().map(|()| answer)
    }

    /// Refuses everything offered from now on.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Batches and bytes that wait.
    pub fn waiting(&self) -> (usize, usize) {
        (self.sender.len(), self.queued_bytes.load(Ordering::Acquire))
    }
}

impl Collector {
    /// The queue, for waiting on it. Look at [`Collector::held`] first.
    pub fn receiver(&self) -> &Receiver<Command> {
        &self.receiver
    }

    /// A command that came while the last group was collected and is still to be done.
    pub fn held(&mut self) -> Option<Command> {
        self.held.take()
    }

    /// Everything that waits behind `first`, as far as one sync may cover.
    pub fn collect(&mut self, first: Pending, options: &Options) -> Group {
        let mut messages = first.batch.messages();
        let mut bytes = first.batch.bytes().len();
        // A deletion is a group of its own, so that nothing in its group comes after it.
        let alone = first.batch.decrees() > 0;
        let mut pending = vec![first];
        while !alone && messages < options.group_messages_max && bytes < options.group_bytes_max {
            match self.receiver.try_recv() {
                Ok(Command::Append(next)) if next.batch.decrees() == 0 => {
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
        self.queued_bytes.fetch_sub(bytes, Ordering::AcqRel);
        Group { pending }
    }
}
