//! All figures of the server and of its store.
//!
//! Counters start at zero with the process. Labels have few values each: routes, not paths; codes, not messages. The
//! store's own figures are asked for when they are read, so that they cost nothing in between.

use std::{
    fmt, fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::State,
    http::{HeaderValue, Method, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use muster_model::rejection::Code;
use muster_store::{
    Store,
    status::{Figures, Health},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text},
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
    },
    registry::{Registry, Unit},
};
use utoipa::openapi::Content;

use crate::{
    error::ApiError,
    forward::{self, Office},
    ingest::check::Refusal,
    openapi::{Words, schema},
    router::{Access, Route},
    state::AppState,
};

const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Label = (&'static str, String);

/// Seconds of a request; ingest answers take a sync of the disk at least, pages of large timelines up to seconds.
const DURATION_BUCKETS: [f64; 12] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Every figure the server keeps itself.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<[Label; 3], Counter>,
    durations: Family<[Label; 1], Histogram>,
    messages: Family<[Label; 1], Counter>,
    refused: Family<[Label; 1], Counter>,
    /// Bytes of bodies received, as they came.
    pub body_bytes: Counter,
    /// Bytes reserved for bodies in memory.
    pub in_flight_bytes: Gauge,
    /// Connections open.
    pub connections: Gauge,
    /// Connections turned away because too many were open.
    pub connections_refused: Counter,
    /// Connections ended because the client was too slow.
    pub connections_timed_out: Counter,
    /// Connections ended because they did not come to an agreement about TLS.
    pub handshakes_failed: Counter,
    /// Requests with no token or one that is not known.
    pub unrecognised: Counter,
    /// Requests beyond their key's rate.
    pub rate_limited: Counter,
    /// Tasks ended by a panic.
    pub panics: Counter,
    /// Requests, failures among them, and the microseconds of all.
    answered: [AtomicU64; 3],
}

/// Requests answered since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub requests: u64,
    /// Those answered with a status of 500 or more.
    pub failures: u64,
    pub micros: u64,
}

impl Metrics {
    /// Figures at zero, with those of a store beside them.
    pub(crate) fn new(store: Arc<dyn Store>, office: Arc<Office>) -> Metrics {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("muster"),
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
            messages: Family::default(),
            refused: Family::default(),
            body_bytes: Counter::default(),
            in_flight_bytes: Gauge::default(),
            connections: Gauge::default(),
            connections_refused: Counter::default(),
            connections_timed_out: Counter::default(),
            handshakes_failed: Counter::default(),
            unrecognised: Counter::default(),
            rate_limited: Counter::default(),
            panics: office.panics.clone(),
            answered: Default::default(),
        };
        metrics.register(store);
        metrics.registry.register_collector(Box::new(forward::Figures(office)));
        metrics
    }

    fn register(&mut self, store: Arc<dyn Store>) {
        let Metrics { registry, .. } = self;
        registry.register("http_requests", "Requests answered", self.requests.clone());
        let seconds = Unit::Seconds;
        let help = "Time from a request's head to its answer's";
        registry.register_with_unit("http_request_duration", help, seconds, self.durations.clone());
        registry.register("ingest_messages", "Messages received, by what became of them", self.messages.clone());
        registry.register("ingest_refused", "Messages refused, by the reason's code", self.refused.clone());
        let bytes = || Unit::Bytes;
        registry.register_with_unit("ingest_body", "Bytes of bodies as received", bytes(), self.body_bytes.clone());
        let help = "Bytes reserved for bodies in memory";
        registry.register_with_unit("ingest_in_flight", help, bytes(), self.in_flight_bytes.clone());
        registry.register("connections", "Connections open", self.connections.clone());
        let help = "Connections turned away because too many were open";
        registry.register("connections_refused", help, self.connections_refused.clone());
        let help = "Connections ended because the client was too slow";
        registry.register("connections_timed_out", help, self.connections_timed_out.clone());
        let help = "Connections ended in a TLS handshake that failed";
        registry.register("tls_handshakes_failed", help, self.handshakes_failed.clone());
        let help = "Requests without a token that is known";
        registry.register("requests_unrecognised", help, self.unrecognised.clone());
        registry.register("requests_rate_limited", "Requests beyond their key's rate", self.rate_limited.clone());
        registry.register("panics", "Tasks ended by a panic", self.panics.clone());
        registry.register_collector(Box::new(StoreFigures(store)));
    }

    /// Counts one answered request.
    pub(crate) fn count_request(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let labels = [
            ("method", method_label(method).to_owned()),
            ("route", route.to_owned()),
            ("status", status.as_str().to_owned()),
        ];
        self.requests.get_or_create(&labels).inc();
        let counts = [1, u64::from(status.is_server_error()), took.as_micros() as u64];
        for (counter, count) in self.answered.iter().zip(counts) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
        self.durations.get_or_create(&[("route", route.to_owned())]).observe(took.as_secs_f64());
    }

    /// How many requests were answered, and how.
    pub(crate) fn answered(&self) -> Answered {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let [requests, failures, micros] = self.answered.each_ref().map(count);
        Answered { requests, failures, micros }
    }

    /// Counts the messages of one request.
    pub(crate) fn count_messages(
        &self,
        [stored, duplicates, conflicts, deleted, accepted]: [usize; 5],
        refusals: &[Refusal],
    ) {
        let outcomes = [
            ("stored", stored),
            ("duplicate", duplicates),
            ("conflict", conflicts),
            ("deleted", deleted),
            ("accepted", accepted),
            ("refused", refusals.len()),
        ];
        for (outcome, count) in outcomes.into_iter().filter(|(_, count)| *count > 0) {
            self.messages.get_or_create(&[("outcome", outcome.to_owned())]).inc_by(count as u64);
        }
        for refusal in refusals {
            self.count_refused(refusal.rejection.code);
        }
    }

    fn count_refused(&self, code: Code) {
        self.refused.get_or_create(&[("code", code.as_str().to_owned())]).inc();
    }
}

/// Methods a client makes up must not become labels, nor stand in the log.
pub(crate) fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Answers `/metrics`.
pub(crate) async fn show(State(state): State<AppState>) -> Response {
    let mut out = String::with_capacity(8 * 1024);
    if text::encode(&mut out, &state.metrics.registry).is_err() {
        return ApiError::Internal.into_response();
    }
    ([(CONTENT_TYPE, HeaderValue::from_static(KIND))], out).into_response()
}

/// The route of this file, with its words in the API document.
pub(crate) fn routes() -> [Route; 1] {
    let words = Words::new("Service", "Shows all figures", "Counters and gauges in the text form of OpenMetrics.");
    let words = words.answer_as(200, "The figures.", KIND, Content::new(Some(schema::text())));
    [Route::new(Method::GET, "/metrics", Access::Open, show, words)]
}

/// The store's figures, as of the moment they are read.
struct StoreFigures(Arc<dyn Store>);

impl fmt::Debug for StoreFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreFigures")
    }
}

impl Collector for StoreFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let figures = self.0.figures();
        for (name, help, value) in counters(&figures) {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        let ready = u64::from(self.0.health() == Health::Ready);
        let readiness = ("store_ready", "Whether the store takes writes", ready);
        let free = figures.free_bytes.map(|free| ("store_free_bytes", "Bytes free where the store lies", free));
        let more = [Some(readiness), free, resident_memory(), open_handles()];
        for (name, help, value) in gauges(&figures).into_iter().chain(more.into_iter().flatten()) {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

type Figure = (&'static str, &'static str, u64);

/// What the system says this process has in memory, if it says so.
fn resident_memory() -> Option<Figure> {
    let pages = fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse::<u64>().ok()?;
    let bytes = pages.saturating_mul(rustix::param::page_size() as u64);
    Some(("process_resident_memory_bytes", "Bytes of memory that the process has", bytes))
}

fn open_handles() -> Option<Figure> {
    // The listing itself has one.
    let handles = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as u64;
    Some(("process_open_file_handles", "File handles that the process has open", handles))
}

fn counters(figures: &Figures) -> [Figure; 10] {
    [
        ("store_messages_stored", "Messages stored", figures.stored),
        ("store_messages_duplicate", "Messages dropped because they were stored before", figures.duplicates),
        ("store_messages_conflict", "Messages set aside as conflicts", figures.conflicts),
        ("store_messages_refused", "Messages set aside as refused", figures.refused),
        ("store_groups", "Groups of batches made durable with one sync", figures.groups),
        ("store_sync_micros", "Microseconds spent in syncing", figures.sync_micros),
        ("store_checkpoints", "Checkpoints done", figures.checkpoints),
        ("store_checkpoint_micros", "Microseconds spent in checkpoints", figures.checkpoint_micros),
        ("store_compactions", "Compactions done", figures.compactions),
        ("store_compaction_micros", "Microseconds spent in compactions", figures.compaction_micros),
    ]
}

fn gauges(figures: &Figures) -> [Figure; 8] {
    [
        ("store_queued_batches", "Batches waiting to be taken", figures.queued_batches),
        ("store_queued_bytes", "Bytes waiting to be taken", figures.queued_bytes),
        ("store_overlay_messages", "Messages folded in since the last checkpoint", figures.overlay_messages),
        ("store_overlay_bytes", "Bytes folded in since the last checkpoint", figures.overlay_bytes),
        ("store_journal_bytes", "Bytes of the journal on disk", figures.journal_bytes),
        ("store_history_bytes", "Bytes of the history on disk", figures.history_bytes),
        ("store_history_files", "Files of the history", figures.history_files),
        ("store_state_bytes", "Bytes of the state on disk", figures.state_bytes),
    ]
}
