//! When to stop: SIGTERM or SIGINT asks, a second one insists.
//!
//! The first signal starts a graceful stop. A second one ends the process at once with 128 plus the signal's number,
//! as a shell expects; the store is made to survive that.

use std::{io, process};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Both signals that ask for a stop, listened to from its creation on.
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Starts to listen. From here on a signal no longer ends the process by itself. Needs a running runtime.
    pub fn listen() -> io::Result<StopSignals> {
        Ok(StopSignals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits until the first signal asks for a stop, then watches for the second one.
    pub async fn asked(mut self) {
        let name = self.next().await.0;
        tracing::info!(signal = name, "asked to stop; a second signal stops at once");
        tokio::spawn(async move {
            let (name, number) = self.next().await;
            tracing::warn!(signal = name, "asked twice, stopping at once; what was acknowledged is on disk");
            process::exit(128 + number);
        });
    }

    async fn next(&mut self) -> (&'static str, i32) {
        tokio::select! {
            _ = self.terminate.recv() => ("SIGTERM", SignalKind::terminate().as_raw_value()),
            _ = self.interrupt.recv() => ("SIGINT", SignalKind::interrupt().as_raw_value()),
        }
    }
}
