//! Telling a client that there is no place for it.
//!
//! A few clients at a time get an answer before their connection is closed; when even those are too many, the rest are
//! closed without one, as are those that would have to shake hands first. No request is read. Where not even a file handle is
//! left to accept a connection with, one that was kept for that is given up for a moment, so that nobody waits for ever.

use std::{fs::File, io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};

use crate::{metrics::Metrics, spawn::spawn};

const TELLING_TIMEOUT: Duration = Duration::from_secs(1);
/// How long everybody else waits for one client to be told with the handle that was kept.
const TELLING_ALONE_TIMEOUT: Duration = Duration::from_millis(50);
/// Can always be opened.
const NOTHING: &str = "/dev/null";

const NO_PLACE: &str = "too many connections are open at this moment; try again shortly";

/// Bounds how many clients are being told.
pub(super) struct TurnAway {
    places: Arc<Semaphore>,
    /// A handle for when there is none.
    kept: Option<File>,
}

impl TurnAway {
    pub(super) fn new(clients_max: usize) -> TurnAway {
        TurnAway { places: Arc::new(Semaphore::new(clients_max)), kept: File::open(NOTHING).ok() }
    }

    /// Tells one client, unless it speaks TLS, and closes its connection.
    pub(super) fn tell(&self, mut stream: TcpStream, tls: bool, metrics: &Arc<Metrics>) {
        metrics.connections_refused.inc();
        if tls {
            return;
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return };
        spawn("turn away", metrics, async move {
            let _place = place;
            let _ = timeout(TELLING_TIMEOUT, say(&mut stream)).await;
        });
    }

    /// Accepts one client although there is no handle left, tells it, and closes its connection; whether there was one.
    pub(super) async fn tell_without_handles(&mut self, listener: &TcpListener, tls: bool, metrics: &Metrics) -> bool {
        drop(self.kept.take());
        // Who waits is there already.
        let accepted = timeout(Duration::ZERO, listener.accept()).await;
        let told = match accepted {
            Ok(Ok((mut stream, _))) => {
                metrics.connections_refused.inc();
                if !tls {
                    let _ = timeout(TELLING_ALONE_TIMEOUT, say(&mut stream)).await;
                }
                true
            }
            _ => false,
        };
        self.kept = File::open(NOTHING).ok();
        told
    }
}

async fn say(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(&answer("503 Service Unavailable\r\nretry-after: 1", NO_PLACE)).await?;
    linger(stream, 64 * 1024).await
}

/// An answer to a client that no request of was read: a status, perhaps with headers, and a sentence.
pub(super) fn answer(status: &str, says: &str) -> Vec<u8> {
    let body = format!("{{\"error\":\"{says}\"}}");
    let length = body.len();
    let head = "content-type: application/json\r\nconnection: close\r\ncontent-length";
    format!("HTTP/1.1 {status}\r\n{head}: {length}\r\n\r\n{body}").into_bytes()
}

/// Ends our side and takes what the client still sends, at most so many bytes, so that it can read its answer before the
/// connection is gone.
pub(super) async fn linger(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), bytes_max: usize) -> io::Result<()> {
    stream.shutdown().await?;
    let mut dropped = [0; 4096];
    let mut left = bytes_max;
    while left > 0 {
        match stream.read(&mut dropped).await? {
            0 => break,
            read => left = left.saturating_sub(read),
        }
    }
    Ok(())
}
