//! When to stop: SIGTERM or SIGINT asks, a second one insists.
//!
//! The first signal starts a graceful stop. A second one ends the process at once with 128 plus the signal's number,
//! as a shell expects; the store is made to survive that.
//!
//! SIGHUP, which asks many servers to read their settings again, ends nothing: certificates are looked at all the time, and
//! settings are read at a start. From a terminal that is closed it asks for a stop, as nobody sees the server any more.

use std::{
    io::{self, IsTerminal},
    process,
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// Whether a stop was asked for, from its creation on.
pub struct StopSignals {
    asked: watch::Receiver<bool>,
}

impl StopSignals {
    /// Starts to listen. From here on a signal no longer ends the process by itself. Needs a running runtime.
    pub fn listen() -> io::Result<StopSignals> {
        let mut signals = Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            on_terminal: io::stderr().is_terminal(),
        };
        let (ask, asked) = watch::channel(false);
        tokio::spawn(async move {
            let name = signals.next().await.0;
            tracing::info!(signal = name, "asked to stop; a second signal stops at once");
            ask.send_replace(true);
            let (name, number) = signals.next().await;
            tracing::warn!(signal = name, "asked twice, stopping at once; what was acknowledged is on disk");
            process::exit(128 + number);
        });
        Ok(StopSignals { asked })
    }

    /// Waits until a signal asks for a stop.
    pub async fn asked(&self) {
        // Whoever would tell lives as long as the process.
        let _ = self.asked.clone().wait_for(|asked| *asked).await;
    }

    /// Whether one has.
    pub fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    on_terminal: bool,
}

impl Signals {
    async fn next(&mut self) -> (&'static str, i32) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return ("SIGTERM", SignalKind::terminate().as_raw_value()),
                _ = self.interrupt.recv() => return ("SIGINT", SignalKind::interrupt().as_raw_value()),
                _ = self.hang_up.recv() => {
                    if self.on_terminal {
                        return ("SIGHUP", SignalKind::hangup().as_raw_value());
                    }
                    tracing::info!("SIGHUP changes nothing: a renewed certificate counts by itself, settings at the next start");
                }
            }
        }
    }
}
