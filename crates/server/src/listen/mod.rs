//! Accepting connections, each within its bounds of time and memory.
//!
//! The number of connections is bounded, as is what each may hold and how long each may take for anything. When asked
//! to stop, the server accepts no more, lets requests under way end, and ends the rest after a deadline.

/// Keeping what a connection is doing, and since when.
mod activity;

/// Speaking TLS: what proves who this server is, and the handshake.
mod tls;

/// A socket that gives up on clients that take nothing of their answer.
mod socket;

/// Whether the client of a request is still there.
mod client;

/// A connection's bytes, as they are or inside TLS.
mod stream;

/// One connection, from its first byte to its last.
mod connection;

/// Telling a client that there is no place for it.
mod turn_away;

use std::{
    future::Future,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};

use crate::{
    deletions::due, metrics::Metrics, router::router, settings::ServerSettings, spawn::spawn, state::AppState, ui,
};
pub(crate) use client::{origin, while_there};
use connection::Service;
pub use tls::{Certificate, Tls};
use turn_away::TurnAway;

/// How long to wait before accepting again when the system has run out of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// After so long without one, a shortage is over.
const SHORTAGE_CALM: Duration = Duration::from_secs(10);
/// How long connections that were cut off may take to end.
const CUT_OFF_TIMEOUT: Duration = Duration::from_secs(1);

/// What connections are told about the life of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    /// Finish the request under way and take no other.
    Draining,
    /// End now.
    Over,
}

/// Serves until `shutdown` completes, then until requests under way have ended or
/// [`ServerSettings::shutdown_timeout`] has passed.
///
/// # Errors
/// The listener's, when it cannot accept connections at all. While file descriptors have run out, clients are told so one by
/// one.
pub async fn serve(listener: TcpListener, state: AppState, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let service = Arc::new(Service::new(router(state.clone()), &state.settings, Arc::clone(&state.metrics)));
    due::start(&state);
    ui::admin::start_sampling(&state);
    if state.settings.forwards {
        state.office.start();
    }
    let served = run(listener, service, &state.settings, shutdown, || state.start_draining()).await;
    let office = Arc::clone(&state.office);
    // A panic in there was noticed where it happened.
    let _ = tokio::task::spawn_blocking(move || office.stop()).await;
    served
}

/// Serves a router that parses and drops, with the same connections as [`serve`]; for benchmarks.
///
/// # Errors
/// As of [`serve`].
pub async fn serve_baseline(
    listener: TcpListener,
    state: AppState,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let router = crate::ingest::baseline::baseline_router();
    let service = Arc::new(Service::new(router, &state.settings, Arc::clone(&state.metrics)));
    run(listener, service, &state.settings, shutdown, || {}).await
}

async fn run(
    listener: TcpListener,
    service: Arc<Service>,
    settings: &ServerSettings,
    shutdown: impl Future<Output = ()>,
    draining: impl FnOnce(),
) -> io::Result<()> {
    let connections_max = settings.connections_max.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
    let places = Arc::new(Semaphore::new(connections_max));
    let turn_away = TurnAway::new(settings.turned_away_max);
    let (phase, watching) = watch::channel(Phase::Serving);
    let accepted = tokio::select! {
        biased;
        () = shutdown => Ok(()),
        error = accept_all(&listener, &service, (&places, turn_away), &watching) => Err(error),
    };
    draining();
    drop(listener);
    phase.send_replace(Phase::Draining);
    let all = places.acquire_many(connections_max as u32);
    if timeout(settings.shutdown_timeout, all).await.is_err() {
        let open = connections_max - places.available_permits();
        tracing::warn!(connections = open, "connections were cut off because they took too long to end");
        phase.send_replace(Phase::Over);
        let all = places.acquire_many(connections_max as u32);
        let _ = timeout(CUT_OFF_TIMEOUT, all).await;
    }
    accepted
}

/// Accepts connections until that fails for good.
async fn accept_all(
    listener: &TcpListener,
    service: &Arc<Service>,
    (places, mut turn_away): (&Arc<Semaphore>, TurnAway),
    phase: &watch::Receiver<Phase>,
) -> io::Error {
    let mut shortage = Shortage::default();
    loop {
        let accepted = listener.accept().await;
        if accepted.is_ok() && shortage.is_over(Instant::now()) {
            tracing::info!("connections are accepted again");
        }
        match accepted {
            Ok((stream, _)) => match Arc::clone(places).try_acquire_owned() {
                Ok(place) => start(stream, place, Arc::clone(service), phase.clone()),
                Err(_) => turn_away.tell(stream, service.speaks_tls(), &service.metrics),
            },
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) if is_shortage(&error) => {
                if shortage.begins(Instant::now()) {
                    tracing::warn!(%error, "no connection can be accepted for now");
                }
                if !turn_away.tell_without_handles(listener, service.speaks_tls(), &service.metrics).await {
                    sleep(ACCEPT_PAUSE).await;
                }
            }
            Err(error) => return error,
        }
    }
}

fn start(stream: TcpStream, place: OwnedSemaphorePermit, service: Arc<Service>, phase: watch::Receiver<Phase>) {
    let metrics: Arc<Metrics> = Arc::clone(&service.metrics);
    spawn("connection", &metrics, async move {
        let _place = place;
        service.metrics.connections.inc();
        let _open = Open(Arc::clone(&service.metrics));
        connection::run(stream, &service, phase).await;
    });
}

/// Times in which no connection could be accepted: told of once each, however often it is tried, and although one may be
/// accepted now and then.
#[derive(Debug, Default)]
struct Shortage {
    last_met: Option<Instant>,
}

impl Shortage {
    /// It was met; whether that is news.
    fn begins(&mut self, now: Instant) -> bool {
        self.last_met.replace(now).is_none()
    }

    /// A connection was accepted; whether that ends a shortage.
    fn is_over(&mut self, now: Instant) -> bool {
        self.last_met.take_if(|last| now.duration_since(*last) >= SHORTAGE_CALM).is_some()
    }
}

/// Counts a connection as open as long as it lives.
struct Open(Arc<Metrics>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}

fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Whether the system has run out of file descriptors or memory: `ENFILE`, `EMFILE`, `ENOBUFS`, `ENOMEM` on Unix.
fn is_shortage(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::OutOfMemory || matches!(error.raw_os_error(), Some(12 | 23 | 24 | 55 | 105))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_is_told_of_once_and_when_it_is_over() {
        let (mut shortage, start) = (Shortage::default(), Instant::now());
        assert!(!shortage.is_over(start), "there was none");
        assert!(shortage.begins(start));
        for tenth in 1..1_000 {
            let now = start + ACCEPT_PAUSE * tenth;
            assert!(!shortage.begins(now) && !shortage.is_over(now), "{tenth}");
        }
        let later = start + ACCEPT_PAUSE * 999 + SHORTAGE_CALM;
        assert!(shortage.is_over(later) && !shortage.is_over(later));
        assert!(shortage.begins(later), "the next one is news");
    }
}
