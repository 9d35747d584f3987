//! Taking batches: onto the stream, and the answer once they are folded in.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use muster_store::{Answer, batch::Batch, error::AppendError, journal::Journal, receipt::Receipt};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use tokio::sync::oneshot;

use crate::{
    cluster::{Cluster, Inner},
    fault::Fault,
    options::Options,
    sql::{connection::Mode, values::Id},
    stream::{
        NotPublished,
        parcel::{Body, Parcel, Sender},
        told,
    },
};

/// When a sender is told to come again.
const FULL_RETRY: Duration = Duration::from_secs(1);
const UNREACHABLE_RETRY: Duration = Duration::from_secs(2);
/// How often the table is looked at for an answer that nobody told.
const LOOK_FOR_ANSWER: Duration = Duration::from_millis(500);

/// Bounds on what is on its way.
pub struct Intake {
    batches: AtomicUsize,
    bytes: AtomicUsize,
    batches_max: usize,
    bytes_max: usize,
    requests: AtomicU64,
    closed: AtomicBool,
    /// Of each lane, when the batch that was offered last is on its way to the stream.
    last: Mutex<FxHashMap<u32, oneshot::Receiver<()>>>,
}

/// A batch's turn among those of its lane, which go to the stream in the order in which they were offered: parts of an import
/// count on it. The turn is over when it is dropped.
struct Turn {
    before: oneshot::Receiver<()>,
    _over: oneshot::Sender<()>,
}

impl Turn {
    /// Waits until it comes. One that is not waited for would let those after it pass those before it.
    async fn come(&mut self) {
        // The one before drops its end, which is all that it has to say.
        let _ = (&mut self.before).await;
    }
}

/// A place on the way, given back when it is dropped.
struct Place {
    inner: Arc<Inner>,
    bytes: usize,
}

impl Intake {
    pub fn new(options: &Options) -> Intake {
        Intake {
            batches: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            batches_max: options.queue_batches_max,
            bytes_max: options.queue_bytes_max,
            requests: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            last: Mutex::default(),
        }
    }

    /// The next turn of a lane.
    fn turn(&self, lane: u32) -> Turn {
        let (over, last) = oneshot::channel();
        // Nobody is before the first, whose receiver is one of a sender that is gone.
        let before = self.last.lock().insert(lane, last).unwrap_or_else(|| oneshot::channel().1);
        Turn { before, _over: over }
    }

    /// Takes nothing more; whether that was so already.
    pub fn close(&self) -> bool {
        self.closed.swap(true, Ordering::AcqRel)
    }

    /// A number that no other request of this node has.
    pub fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed)
    }

    /// Batches and bytes that are on their way.
    pub fn waiting(&self) -> (usize, usize) {
        (self.batches.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    fn take_place(inner: &Arc<Inner>, bytes: usize) -> Option<Place> {
        let intake = &inner.intake;
        let place = Place { inner: Arc::clone(inner), bytes };
        let batches = intake.batches.fetch_add(1, Ordering::AcqRel);
        let all_bytes = intake.bytes.fetch_add(bytes, Ordering::AcqRel);
        // One that is alone goes in any case; it is bounded at the edge.
        let fits = batches == 0 || (batches < intake.batches_max && all_bytes + bytes <= intake.bytes_max);
        fits.then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.inner.intake.batches.fetch_sub(1, Ordering::AcqRel);
        self.inner.intake.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// Requests of this node that wait for what becomes of their batches.
#[derive(Default)]
pub struct Waiters(Mutex<FxHashMap<u64, oneshot::Sender<Receipt>>>);

impl Waiters {
    /// Somebody waits; the number of the request.
    pub fn wait(&self, intake: &Intake) -> (u64, oneshot::Receiver<Receipt>) {
        let (reply, answer) = oneshot::channel();
        let request = intake.next_request();
        self.0.lock().insert(request, reply);
        (request, answer)
    }

    /// What became of it.
    pub fn answer(&self, request: u64, receipt: Receipt) {
        if let Some(reply) = self.0.lock().remove(&request) {
            // Whoever sent it may have gone.
            let _ = reply.send(receipt);
        }
    }

    fn forget(&self, request: u64) {
        self.0.lock().remove(&request);
    }
}

impl Journal for Cluster {
    fn append(&self, batch: Batch) -> Answer<'_, Receipt, AppendError> {
        if batch.is_empty() {
            return Box::pin(async { Ok(Receipt::default()) });
        }
        self.on_threads_of_its_own(batch, |inner, batch, turn| async move {
            let (request, answer) = inner.waiters.wait(&inner.intake);
            match inner.publish(&batch, turn, request, true).await {
                Ok((lane, sequence)) => inner.receipt(request, answer, lane, sequence).await,
                Err(error) => {
                    inner.waiters.forget(request);
                    Err(error)
                }
            }
        })
    }

    fn accept(&self, batch: Batch) -> Answer<'_, Option<Receipt>, AppendError> {
        if batch.is_empty() {
            return Box::pin(async { Ok(None) });
        }
        self.on_threads_of_its_own(batch, |inner, batch, turn| async move {
            let request = inner.intake.next_request();
            inner.publish(&batch, turn, request, false).await.map(|_| None)
        })
    }
}

impl Cluster {
    /// Has a batch taken on threads of the engine's own, where it goes on if whoever asked has gone.
    fn on_threads_of_its_own<T: Send + 'static, F>(
        &self,
        batch: Batch,
        take: impl FnOnce(Arc<Inner>, Batch, Turn) -> F + Send + 'static,
    ) -> Answer<'_, T, AppendError>
    where
        F: Future<Output = Result<T, AppendError>> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            if inner.intake.closed.load(Ordering::Acquire) {
                return Err(AppendError::Closing);
            }
            // All this happens as soon as whoever offers it asks for the first time: then it has its place in the order, or none.
            let lane = inner.lanes.of(batch.workspace());
            if inner.lanes.lags(lane, inner.options.freshness_timeout / 2) {
                return Err(AppendError::Full { retry_after: FULL_RETRY });
            }
            let bytes = batch.bytes().len();
            let place = Intake::take_place(&inner, bytes).ok_or(AppendError::Full { retry_after: FULL_RETRY })?;
            let turn = inner.intake.turn(lane);
            let handle = inner.handle.clone();
            let taken = handle.spawn(async move {
                let taken = take(inner, batch, turn).await;
                drop(place);
                taken
            });
            taken.await.unwrap_or(Err(AppendError::Closing))
        })
    }
}

impl Inner {
    /// Has the stream keep a batch; the lane and its number there. `awaited` whether somebody waits for what becomes of it.
    async fn publish(
        self: &Arc<Self>,
        batch: &Batch,
        mut turn: Turn,
        request: u64,
        awaited: bool,
    ) -> Result<(u32, u64), AppendError> {
        let lane = self.lanes.of(batch.workspace());
        let sender = Sender { node: self.node, request };
        let parcel = Parcel::of(batch, sender, awaited, self.stream.payload_bytes_max());
        let put = match parcel.body {
            Body::Elsewhere => self.put_elsewhere(sender, batch).await,
            _ => Ok(()),
        };
        turn.come().await;
        // What waits behind others finds out as soon as they do; the client would keep it for a server that may not come back.
        if !self.stream.is_connected() {
            return Err(hindered("JetStream cannot be reached".to_owned()));
        }
        put.map_err(|fault| hindered(fault.to_string()))?;
        let published = self.stream.publish(lane, sender.id(), parcel.encode(), turn).await;
        let sequence = published.map_err(|error| match error {
            NotPublished::Full => AppendError::Full { retry_after: UNREACHABLE_RETRY },
            NotPublished::Unreachable(says) => hindered(format!("JetStream: {says}")),
        })?;
        self.lanes.sent(lane, sequence);
        Ok((lane, sequence))
    }

    /// Waits for what became of a batch that the stream has.
    async fn receipt(
        self: &Arc<Self>,
        request: u64,
        mut answer: oneshot::Receiver<Receipt>,
        lane: u32,
        sequence: u64,
    ) -> Result<Receipt, AppendError> {
        loop {
            match tokio::time::timeout(LOOK_FOR_ANSWER, &mut answer).await {
                Ok(Ok(receipt)) => return Ok(receipt),
                Ok(Err(_)) => return Err(AppendError::Closing),
                Err(_) => {}
            }
            let look = "select outcomes, lane.sequence >= $2 from lane left join outcome
                on outcome.lane = lane.lane and outcome.sequence = $2 where lane.lane = $1";
            let looked = self.pool.ask(move |connection| connection.ask(look, &[&(lane as i32), &(sequence as i64)]));
            // PostgreSQL may be away; the batch is durable, and waits for it as this does.
            let Some(row) = looked.await.ok().and_then(|rows| rows.into_iter().next()) else { continue };
            // Of a lane that was put back there are outcomes of what had these numbers before.
            if !row.get::<_, bool>(1) {
                continue;
            }
            let outcomes = match row.get::<_, Option<Vec<u8>>>(0) {
                Some(outcomes) => {
                    told::receipt(&outcomes).map_err(|_| hindered("an answer could not be read".to_owned()))
                }
                // The lane went on without it.
                None => Err(hindered("the batch came out of the stream as something else".to_owned())),
            };
            self.waiters.forget(request);
            return outcomes;
        }
    }

    /// Keeps the bytes of a batch that is too large for the stream.
    async fn put_elsewhere(self: &Arc<Self>, sender: Sender, batch: &Batch) -> Result<(), Fault> {
        let body = batch.bytes().clone();
        let put = move |connection: &mut crate::sql::connection::Connection| {
            let mut transaction = connection.begin(Mode::Write, None)?;
            let insert = "insert into parcel (id, body) values ($1, $2) on conflict do nothing";
            transaction.execute(insert, &[&Id(sender.id()), &body.as_ref()])?;
            transaction.commit()
        };
        self.pool.ask(put).await
    }
}

fn hindered(reason: String) -> AppendError {
    AppendError::Hindered { reason, retry_after: UNREACHABLE_RETRY }
}
