//! Keeping what a connection is doing, and since when.
//!
//! Written by the socket, which sees bytes arrive, and by the service, which sees requests begin and end; read by the
//! loop around the connection, which decides when something has taken too long.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Waiting for the first byte of a request.
    Idle,
    /// Receiving a request's head.
    Head,
    /// Answering a request; the answer's own bounds hold.
    Busy,
}

/// What one connection is doing, and since when.
pub(super) struct Activity {
    began: Instant,
    /// Microseconds since `began` in the upper bits, [`Doing`] in the lowest two.
    state: AtomicU64,
    /// Whether bytes that the client sent will not be read, so that it needs time to notice.
    leaves_unread: AtomicBool,
}

impl Activity {
    /// A connection that has begun to receive a head.
    pub(super) fn new() -> Activity {
        Activity {
            began: Instant::now(),
            state: AtomicU64::new(Doing::Head as u64),
            leaves_unread: AtomicBool::new(false),
        }
    }

    /// Notes that bytes arrived.
    pub(super) fn received(&self) {
        if self.now_doing().0 == Doing::Idle {
            self.set(Doing::Head);
        }
    }

    /// Notes that a handshake is over: from here on the time for a head counts.
    pub(super) fn shook_hands(&self) {
        self.set(Doing::Head);
    }

    /// Notes that a request's head is complete.
    pub(super) fn request_began(&self) {
        self.set(Doing::Busy);
    }

    /// Notes that a request was answered.
    pub(super) fn request_ended(&self, leaves_unread: bool) {
        if leaves_unread {
            self.leaves_unread.store(true, Ordering::Relaxed);
        }
        self.set(Doing::Idle);
    }

    /// What the connection is doing, and since when.
    pub(super) fn now_doing(&self) -> (Doing, Instant) {
        let state = self.state.load(Ordering::Relaxed);
        let doing = match state & 0b11 {
            0 => Doing::Idle,
            1 => Doing::Head,
            _ => Doing::Busy,
        };
        (doing, self.began + Duration::from_micros(state >> 2))
    }

    /// Whether the client may still be sending what nobody will read.
    pub(super) fn leaves_unread(&self) -> bool {
        self.leaves_unread.load(Ordering::Relaxed)
    }

    fn set(&self, doing: Doing) {
        let micros = self.began.elapsed().as_micros() as u64;
        self.state.store(micros << 2 | doing as u64, Ordering::Relaxed);
    }
}
