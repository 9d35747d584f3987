//! From pieces to a server, with as many requests on their way as wished.
//!
//! One thread reads and packs, others deliver; between them wait as many requests as there are connections. The first
//! failure that no retry can mend stops all of them, and the report still says what was stored.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    deliver::{self, EXCEPTIONS, Line},
    pack::{Packer, Request, Span},
    report::Report,
    split::Piece,
};
use crate::{
    client::{Answer, CallError, Client},
    output::Progress,
};

/// A piece of a source, or why there are no more, with how much further it brought the progress.
pub type Read = (anyhow::Result<Piece>, u64);

/// Where pieces are sent, and with how much patience.
#[derive(Clone, Copy)]
pub struct SendingLine<'a> {
    pub client: &'a Client,
    pub path: &'a str,
    /// Messages that the path takes at once.
    pub messages_max: usize,
    pub patience: Duration,
    pub progress: &'a Progress,
}

impl SendingLine<'_> {
    /// Sends all pieces. What came before a failure is delivered and reported all the same.
    pub fn send(
        self,
        pieces: impl Iterator<Item = Read>,
        connections: u16,
        report: Report,
    ) -> (Report, Option<anyhow::Error>) {
        let sending =
            Sending { line: self, report: Mutex::new(report), failure: Mutex::new(None), stop: AtomicBool::new(false) };
        sending.all(pieces, connections);
        self.progress.finish();
        let failure = sending.failure.into_inner().unwrap_or_else(PoisonError::into_inner);
        (sending.report.into_inner().unwrap_or_else(PoisonError::into_inner), failure)
    }
}

struct Sending<'a> {
    line: SendingLine<'a>,
    report: Mutex<Report>,
    failure: Mutex<Option<anyhow::Error>>,
    stop: AtomicBool,
}

impl Sending<'_> {
    fn all(&self, pieces: impl Iterator<Item = Read>, connections: u16) {
        let (sender, receiver) = mpsc::sync_channel(usize::from(connections));
        let receiver = Arc::new(Mutex::new(receiver));
        thread::scope(|scope| {
            for _ in 0..connections {
                let receiver = Arc::clone(&receiver);
                scope.spawn(move || self.deliver_all(&receiver));
            }
            // From here on the receiver ends with the last deliverer, and the reader with it.
            drop(receiver);
            if let Err(error) = self.read_all(pieces, sender) {
                self.note(error);
            }
        });
    }

    /// Reads to the end, or until the others have stopped.
    fn read_all(&self, pieces: impl Iterator<Item = Read>, sender: SyncSender<Request>) -> anyhow::Result<()> {
        let mut packer = Packer::new(self.line.messages_max);
        let mut ending = None;
        for (piece, read) in pieces {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            self.line.progress.advance(read);
            match piece {
                Ok(mut piece) => match piece.broken.take() {
                    Some(reason) => {
                        self.report().broken(piece.place, reason, piece.kept(), self.line.progress)?;
                    }
                    None => self.pass(packer.push(piece), &sender),
                },
                // What came before the fault is delivered all the same.
                Err(error) => ending = Some(error),
            }
        }
        self.pass(packer.finish(), &sender);
        ending.map_or(Ok(()), Err)
    }

    /// When nobody receives any more, the failure that ended them is noted already.
    fn pass(&self, request: Option<Request>, sender: &SyncSender<Request>) {
        if let Some(request) = request {
            let _ = sender.send(request);
        }
    }

    fn deliver_all(&self, receiver: &Mutex<Receiver<Request>>) {
        loop {
            let request = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(request) = request else { return };
            if self.stop.load(Ordering::Relaxed) {
                // Taken and dropped, so that the reader is never left waiting for a place.
                continue;
            }
            let delivered = deliver::deliver(&self.line, request, self.line.patience);
            if let Err(error) = delivered.and_then(|delivery| self.report().delivered(delivery, self.line.progress)) {
                self.fail(error);
            }
        }
    }

    /// Nothing more is read or sent.
    fn fail(&self, error: anyhow::Error) {
        self.stop.store(true, Ordering::Relaxed);
        self.note(error);
    }

    /// The first failure is the one that is told.
    fn note(&self, error: anyhow::Error) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    fn report(&self) -> std::sync::MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line for SendingLine<'_> {
    fn post(&self, body: &[u8], _: Span) -> Result<Answer, CallError> {
        self.client.post(self.path, body, Some(EXCEPTIONS))
    }

    fn wait(&self, pause: Duration, why: &str) {
        self.progress.talk(&format!("{why}; trying again in {:.1} s", pause.as_secs_f64()));
        thread::sleep(pause);
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}
