//! The stream: where batches are durable before anything else happens to them.
//!
//! A stream of its own for each lane, so that a lane's last sequence number can be asked for by itself, and so that lanes have
//! leaders of their own. What a lane holds is a sequence of parcels ([`crate::stream::parcel`]), each with a number that only
//! grows. Beside the streams go messages that nobody keeps: what became of a batch, and how far a lane is.

/// Where the stream is, and what it is called there.
pub mod address;

/// A batch on its way.
pub mod parcel;

/// What nodes tell each other, and nobody keeps.
pub mod told;

/// Turning from a server of which nothing comes.
mod turn;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_nats::{
    Client, ConnectOptions,
    jetstream::{
        self, Context,
        consumer::{DeliverPolicy, pull::OrderedConfig},
        context::{ContextBuilder, PublishError, PublishErrorKind},
        message::{PublishMessage, StreamMessage},
        stream::{Config, DiscardPolicy, PeerInfo, RetentionPolicy, StorageType},
    },
};
use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use crate::fault::Fault;
use address::Address;
use turn::Trouble;

/// How long an answer of the stream is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two questions to a server whether it is there. One that leaves two of them without an answer is given up for another.
const ASKED_EVERY: Duration = Duration::from_secs(2);
/// A leader that has heard of a majority within this is the only one: elections begin after four seconds.
const LED_WITHIN: Duration = Duration::from_secs(3);
/// Appends that wait for the stream's acknowledgement at once; how many may is bounded before that.
const IN_FLIGHT_MAX: usize = 65_536;
/// How long is waited for somebody who hands out a lane's messages.
const HANDED_OUT_WITHIN: Duration = Duration::from_secs(2);
/// Messages, and their bytes, that are taken one after the other before anybody looks for more, and how many are on their way at once.
const TAKEN_MAX: u64 = 256;
const TAKEN_BYTES_MAX: usize = 16 << 20;
const TAKEN_AT_ONCE: usize = 8;
/// Bytes of a message that are not its payload, at the most.
const OVERHEAD_BYTES: usize = 1_024;

/// Why a batch was not published. It may be there all the same unless it was refused.
#[derive(Debug, PartialEq, Eq)]
pub enum NotPublished {
    /// The stream holds as much as it may.
    Full,
    /// It could not be reached, or has no majority.
    Unreachable(String),
}

/// The streams of all lanes.
#[derive(Clone)]
pub struct Stream {
    client: Client,
    context: Context,
    name: String,
    /// The last number that each lane gave for a publication of this node.
    given: Arc<[AtomicU64]>,
    trouble: Arc<Trouble>,
}

/// A message out of a lane.
pub struct Taken {
    pub sequence: u64,
    pub payload: Bytes,
    /// What it takes of the room for messages that are held ready.
    pub room: Option<OwnedSemaphorePermit>,
}

impl Stream {
    /// Connects, trying until it works or the time is over.
    pub async fn connect(address: &Address) -> Result<Stream, Fault> {
        let mut options = ConnectOptions::new()
            .name("muster")
            .connection_timeout(PATIENCE)
            .request_timeout(Some(PATIENCE))
            .ping_interval(ASKED_EVERY)
            .retain_servers_order();
        if let Some((user, password)) = &address.credentials {
            options = options.user_and_password(user.clone(), password.clone());
        }
        if address.tls {
            options = options.require_tls(true);
        }
        if let Some(authorities) = &address.authorities {
            options = options.add_root_certificates(authorities.clone());
        }
        if let (Some(certificate), Some(key)) = (&address.certificate, &address.key) {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        let client =
            options.connect(address.servers.clone()).await.map_err(|error| Fault::Stream(error.to_string()))?;
        let context = ContextBuilder::new().timeout(PATIENCE).max_ack_inflight(IN_FLIGHT_MAX).build(client.clone());
        let given = (0..address::LANES_MAX).map(|_| AtomicU64::new(0)).collect();
        Ok(Stream { client, context, name: address.stream.clone(), given, trouble: Arc::default() })
    }

    /// Makes the streams of so many lanes, those that there are left as they are.
    pub async fn make(&self, lanes: u32, address: &Address) -> Result<(), Fault> {
        for lane in 0..lanes {
            let config = Config {
                name: self.lane_name(lane),
                subjects: vec![self.lane_subject(lane)],
                retention: RetentionPolicy::Limits,
                storage: StorageType::File,
                num_replicas: address.replicas,
                max_bytes: address.bytes_max,
                // What is not folded in yet is never let go of to make room.
                discard: DiscardPolicy::New,
                duplicate_window: Duration::from_secs(120),
                ..Config::default()
            };
            self.context.get_or_create_stream(config).await.map_err(|error| Fault::Stream(error.to_string()))?;
        }
        Ok(())
    }

    /// Bytes of payload that one message of the stream takes.
    pub fn payload_bytes_max(&self) -> usize {
        self.client.server_info().max_payload.saturating_sub(OVERHEAD_BYTES)
    }

    /// Publishes, and waits until the stream's replicas have it; its sequence number. `turn` is dropped once it is on its way,
    /// where nothing that is published afterwards overtakes it.
    pub async fn publish<T>(&self, lane: u32, id: u128, payload: Bytes, turn: T) -> Result<u64, NotPublished> {
        let message = PublishMessage::build().payload(payload).message_id(format!("{id:032x}"));
        let unreachable = |error: &dyn std::fmt::Display| NotPublished::Unreachable(error.to_string());
        let asked_at = Instant::now();
        // The client takes it at once, unless it keeps as much as it may for a server that is away.
        let sent = timeout(PATIENCE, self.context.send_publish(self.lane_subject(lane), message)).await;
        drop(turn);
        let ack = sent.map_err(|error| unreachable(&error))?.map_err(|error| unreachable(&error))?.await;
        let is_full = |error: &PublishError| error.kind() == PublishErrorKind::Other && is_full(error);
        self.trouble.note(&self.client, asked_at, ack.as_ref().map_or_else(is_full, |_| true));
        match ack {
            Ok(ack) => {
                if let Some(given) = self.given.get(lane as usize) {
                    given.fetch_max(ack.sequence, Ordering::AcqRel);
                }
                Ok(ack.sequence)
            }
            Err(error) if is_full(&error) => Err(NotPublished::Full),
            Err(error) => Err(unreachable(&error)),
        }
    }

    /// The number of the last message of a lane, as its leader tells it. One that has just become that may be behind; see
    /// [`Stream::given`].
    pub async fn last_sequence(&self, lane: u32) -> Result<u64, Fault> {
        let asked_at = Instant::now();
        let asked = self.ask_leader(lane).await;
        self.trouble.note(&self.client, asked_at, asked.is_ok());
        asked
    }

    async fn ask_leader(&self, lane: u32) -> Result<u64, Fault> {
        let fail = |error: &dyn std::fmt::Display| Fault::Stream(error.to_string());
        let stream = self.context.get_stream_no_info(self.lane_name(lane)).await.map_err(|error| fail(&error))?;
        let info = stream.get_info().await.map_err(|error| fail(&error))?;
        // One that is cut off from the others believes for a while that it leads, and does not know of what they have taken since.
        if !info.cluster.is_none_or(|cluster| leads(&cluster.replicas)) {
            return Err(Fault::Stream("whoever leads the lane hears of no majority".to_owned()));
        }
        Ok(info.state.last_sequence)
    }

    /// The last number that a lane gave for a publication of this node.
    pub fn given(&self, lane: u32) -> u64 {
        self.given.get(lane as usize).map_or(0, |given| given.load(Ordering::Acquire))
    }

    /// The messages of a lane after one, in order, those included that are still to come. Whoever hands them out is chosen by the
    /// node that leads all of JetStream, so that it takes a while where there is none.
    pub async fn after(&self, lane: u32, sequence: u64) -> Result<BoxStream<'static, Result<Taken, Fault>>, Fault> {
        let handed_out = timeout(HANDED_OUT_WITHIN, self.handed_out(lane, sequence)).await;
        handed_out.unwrap_or_else(|_| Err(Fault::Stream("nobody hands out the messages of a lane".to_owned())))
    }

    /// Those that there are, some at a time, one after the other: it takes nobody but the lane's leader.
    pub async fn some_after(&self, lane: u32, sequence: u64) -> Result<Vec<Taken>, Fault> {
        let fail = |error: &dyn std::fmt::Display| Fault::Stream(error.to_string());
        let last = self.last_sequence(lane).await?;
        let stream = self.context.get_stream_no_info(self.lane_name(lane)).await.map_err(|error| fail(&error))?;
        let numbers = sequence + 1..=last.min(sequence + TAKEN_MAX);
        let got = numbers.map(|sequence| stream.get_raw_message(sequence));
        let mut got = futures_util::stream::iter(got).buffered(TAKEN_AT_ONCE);
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while bytes < TAKEN_BYTES_MAX
            && let Some(message) = got.next().await
        {
            let StreamMessage { sequence, payload, .. } = message.map_err(|error| fail(&error))?;
            bytes += payload.len();
            taken.push(Taken { sequence, payload, room: None });
        }
        Ok(taken)
    }

    async fn handed_out(&self, lane: u32, sequence: u64) -> Result<BoxStream<'static, Result<Taken, Fault>>, Fault> {
        let fail = |error: &dyn std::fmt::Display| Fault::Stream(error.to_string());
        let stream = self.context.get_stream_no_info(self.lane_name(lane)).await.map_err(|error| fail(&error))?;
        let start_sequence = sequence + 1;
        let config = OrderedConfig {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
            ..OrderedConfig::default()
        };
        let consumer = stream.create_consumer(config).await.map_err(|error| fail(&error))?;
        let messages = consumer.messages().await.map_err(|error| fail(&error))?;
        Ok(messages.map(taken).boxed())
    }

    /// Lets go of a lane's messages up to one.
    pub async fn let_go(&self, lane: u32, through: u64) -> Result<(), Fault> {
        let fail = |error: &dyn std::fmt::Display| Fault::Stream(error.to_string());
        let stream = self.context.get_stream_no_info(self.lane_name(lane)).await.map_err(|error| fail(&error))?;
        stream.purge().sequence(through + 1).await.map_err(|error| fail(&error))?;
        Ok(())
    }

    /// Tells every node something, or one of them.
    pub async fn tell(&self, whom: told::Whom, what: Bytes) -> Result<(), Fault> {
        let subject = whom.subject(&self.name);
        self.client.publish(subject, what).await.map_err(|error| Fault::Stream(error.to_string()))
    }

    /// The same, and waits until the server at hand has it.
    pub async fn tell_now(&self, whom: told::Whom, what: Bytes) -> Result<(), Fault> {
        self.tell(whom, what).await?;
        self.client.flush().await.map_err(|error| Fault::Stream(error.to_string()))
    }

    /// What is told to all nodes and to this one.
    pub async fn listen(&self, node: u64) -> Result<BoxStream<'static, Bytes>, Fault> {
        let fail = |error: &dyn std::fmt::Display| Fault::Stream(error.to_string());
        let all = self.client.subscribe(told::Whom::All.subject(&self.name)).await.map_err(|error| fail(&error))?;
        let own =
            self.client.subscribe(told::Whom::Node(node).subject(&self.name)).await.map_err(|error| fail(&error))?;
        self.client.flush().await.map_err(|error| fail(&error))?;
        Ok(futures_util::stream::select(all, own).map(|message| message.payload).boxed())
    }

    /// Whether the connection stands.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }

    fn lane_name(&self, lane: u32) -> String {
        format!("{}_{lane}", self.name)
    }

    fn lane_subject(&self, lane: u32) -> String {
        format!("{}.lane.{lane}", self.name)
    }
}

/// Whether a leader has heard of so many others that none of them can lead instead.
fn leads(others: &[PeerInfo]) -> bool {
    others.iter().filter(|other| other.active < LED_WITHIN).count() >= others.len() / 2
}

/// The stream refuses what would make it hold more than it may.
fn is_full(error: &PublishError) -> bool {
    use std::error::Error;
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(refusal) = cause.downcast_ref::<jetstream::Error>() {
            let code = refusal.error_code();
            return code == jetstream::ErrorCode::STREAM_STORE_FAILED
                || code == jetstream::ErrorCode::INSUFFICIENT_RESOURCES
                || code == jetstream::ErrorCode::STORAGE_RESOURCES_EXCEEDED;
        }
        source = cause.source();
    }
    false
}

fn taken<E: std::fmt::Display>(message: Result<jetstream::Message, E>) -> Result<Taken, Fault> {
    let message = message.map_err(|error| Fault::Stream(error.to_string()))?;
    let sequence = message.info().map_err(|error| Fault::Stream(error.to_string()))?.stream_sequence;
    Ok(Taken { sequence, payload: message.message.payload, room: None })
}
