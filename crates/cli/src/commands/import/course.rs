//! From pieces to the server, in their order.
//!
//! One thread reads and packs; others deliver, so many requests at once. Each says which part of everything it is, and the
//! server has parts reach its journal in their order. What became of them is reported in order too: then everything before
//! a place is known, what was refused before it is in its file, and the requests that follow say so. Whoever begins again
//! goes on from the last such place. Bounded: parts beyond the first one that is not reported wait to be sent.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use muster_model::limits::IMPORT_MESSAGES_MAX;

use super::{
    super::{reach::target, send::split::Place},
    bookmark::Bookmarks,
    known::{self, Known},
};
use crate::{
    client::{Answer, CallError, Client},
    commands::send::{
        deliver::{self, Delivery, EXCEPTIONS, Line, NOTHING},
        pack::{BODY_BYTES_MAX, Packer, Request, Span},
        report::Report,
        sending::Read,
    },
    output::Progress,
};

/// Requests on their way at once.
const CONNECTIONS: usize = 4;
/// Parts beyond the first one that is not reported.
const AHEAD_MAX: u64 = 16;
const _: () = assert!(AHEAD_MAX as usize * 2 <= muster_store::import::progress::AHEAD_MAX);

/// Pieces after which it is told how much was read.
const PIECES_UNTOLD_MAX: u32 = 256;

/// Where pieces are sent.
#[derive(Clone, Copy)]
pub struct Course<'a> {
    pub client: &'a Client,
    pub path: &'a str,
    pub patience: Duration,
    pub progress: &'a Progress,
    /// The import; nothing when nothing is stored.
    pub known: Option<&'a Known>,
    /// Bytes that were read of the sources already.
    pub bytes: u64,
    /// How many pieces there are, where that is known.
    pub total: Option<u64>,
}

impl Course<'_> {
    /// Sends all pieces, which begin where the import stands. What came before a failure is delivered and reported all the
    /// same.
    pub fn run(
        self,
        pieces: impl Iterator<Item = Read>,
        bookmarks: Bookmarks,
        report: Report,
    ) -> (Report, Option<anyhow::Error>) {
        let start = self.known.map_or(0, |known| known.position);
        let state = State {
            report,
            next: 0,
            waiting: BTreeMap::new(),
            position: start,
            refused_bytes: self.known.map_or(0, |known| known.refused_bytes),
            bookmark: self.known.and_then(|known| known.bookmark.clone()),
            bytes: self.bytes,
            failure: None,
        };
        let under_way = UnderWay { course: self, state: Mutex::new(state), moved: Condvar::new() };
        under_way.all(pieces, bookmarks, start);
        self.progress.finish();
        let state = under_way.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        (state.report, state.failure)
    }
}

/// A piece that is not sent, and why.
type Broken = (Place, String, Option<Vec<u8>>);

/// A part to deliver.
struct Part {
    number: u64,
    request: Request,
    broken: Vec<Broken>,
    /// Of the place behind it.
    bookmark: Option<String>,
}

/// A part that was delivered.
struct Done {
    to: u64,
    delivery: Delivery,
    broken: Vec<Broken>,
    bookmark: Option<String>,
}

struct State {
    report: Report,
    /// The number of the part to report next, and those that came before their turn.
    next: u64,
    waiting: BTreeMap<u64, Done>,
    /// Everything before this place is reported, and an import could go on from it.
    position: u64,
    refused_bytes: u64,
    bookmark: Option<String>,
    /// Bytes read of the sources.
    bytes: u64,
    failure: Option<anyhow::Error>,
}

struct UnderWay<'a> {
    course: Course<'a>,
    state: Mutex<State>,
    moved: Condvar,
}

impl UnderWay<'_> {
    fn all(&self, pieces: impl Iterator<Item = Read>, bookmarks: Bookmarks, start: u64) {
        let (sender, receiver) = mpsc::sync_channel(CONNECTIONS);
        let receiver = Arc::new(Mutex::new(receiver));
        let read = thread::scope(|scope| {
            for _ in 0..CONNECTIONS {
                let receiver = Arc::clone(&receiver);
                scope.spawn(move || self.deliver_all(&receiver));
            }
            drop(receiver);
            self.read_all(pieces, bookmarks, start, sender)
        });
        match read {
            Ok(end) if self.lock().failure.is_none() => self.end(end),
            Ok(_) => {}
            Err(error) => self.fail(error),
        }
    }

    /// Reads to the end, or until the others have stopped; the place behind the last piece.
    fn read_all(
        &self,
        pieces: impl Iterator<Item = Read>,
        bookmarks: Bookmarks,
        start: u64,
        sender: SyncSender<Part>,
    ) -> anyhow::Result<u64> {
        let mut packer = Packer::starting_at(IMPORT_MESSAGES_MAX, start);
        let mut passing =
            Passing { under_way: self, sender, bookmarks, number: 0, broken: Vec::new(), broken_bytes: 0 };
        let (mut count, mut ending) = (start, None);
        let mut untold = Untold::default();
        for (piece, read) in pieces {
            if untold.read(read).is_some_and(|bytes| self.has_read(bytes)) {
                return Ok(count);
            }
            match piece {
                Ok(mut piece) => {
                    count += 1;
                    // It may be what is too much for the part before it.
                    passing.pass(packer.make_room(&piece));
                    let mut is_full = passing.bookmarks.take(&piece);
                    match piece.broken.take() {
                        Some(reason) => {
                            packer.pass_over();
                            is_full |= passing.note((piece.place, reason, piece.kept()));
                        }
                        None => is_full |= packer.add(piece),
                    }
                    if is_full {
                        passing.pass(packer.cut());
                    }
                }
                // What came before the fault is delivered all the same.
                Err(error) => ending = Some(error),
            }
        }
        self.has_read(untold.bytes);
        passing.pass(packer.finish());
        ending.map_or(Ok(count), Err)
    }

    /// So many bytes more were read; whether that is to end, because something failed.
    fn has_read(&self, bytes: u64) -> bool {
        self.course.progress.advance(bytes);
        let mut state = self.lock();
        state.bytes += bytes;
        state.failure.is_some()
    }

    fn deliver_all(&self, receiver: &Mutex<Receiver<Part>>) {
        loop {
            let part = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(Part { number, request, broken, bookmark }) = part else { return };
            if self.lock().failure.is_some() {
                // Taken and dropped, so that the reader is never left waiting for a place.
                continue;
            }
            let to = request.span().to;
            let delivered = deliver::deliver(self, request, self.course.patience);
            let reported = delivered.and_then(|delivery| self.report(number, Done { to, delivery, broken, bookmark }));
            if let Err(error) = reported {
                self.fail(error);
            }
        }
    }

    /// Reports a part, and those that waited for it.
    fn report(&self, number: u64, done: Done) -> anyhow::Result<()> {
        let mut state = self.lock();
        state.waiting.insert(number, done);
        let progress = self.course.progress;
        loop {
            let next = state.next;
            let Some(Done { to, delivery, broken, bookmark }) = state.waiting.remove(&next) else { break };
            for (place, reason, text) in broken {
                state.report.broken(place, reason, text, progress)?;
            }
            state.report.delivered(delivery, progress)?;
            let refused_bytes = state.report.flush()?;
            if bookmark.is_some() {
                (state.position, state.refused_bytes, state.bookmark) = (to, refused_bytes, bookmark);
            }
            state.next += 1;
        }
        let counts = state.report.counts();
        known::note(progress, counts.stored, counts.duplicates, counts.refused);
        drop(state);
        self.moved.notify_all();
        Ok(())
    }

    /// Tells that everything is done.
    fn end(&self, to: u64) {
        if self.course.known.is_none() {
            return;
        }
        let span = Span { from: to, to, broken: 0 };
        let line = Ending(self);
        match deliver::persist(&line, NOTHING, span, self.course.patience, &mut 0) {
            Ok(answer) if answer.status == 200 => {}
            Ok(answer) => self.fail(deliver::explain_answer(&answer)),
            Err(error) => self.fail(error),
        }
    }

    /// Nothing more is read or sent. The first failure is the one that is told.
    fn fail(&self, error: anyhow::Error) {
        self.lock().failure.get_or_insert(error);
        self.moved.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn post(&self, body: &[u8], span: Span, ends: bool) -> Result<Answer, CallError> {
        let Course { client, path, known, total, .. } = self.course;
        let Some(known) = known else { return client.post(path, body, Some(EXCEPTIONS)) };
        let (position, refused_bytes, bookmark, bytes) = {
            let state = self.lock();
            (state.position, state.refused_bytes, state.bookmark.clone(), state.bytes)
        };
        let parameters = [
            ("import", known.id.to_string()),
            ("from", span.from.to_string()),
            ("to", span.to.to_string()),
            ("broken", span.broken.to_string()),
            ("position", position.to_string()),
            ("refusedBytes", refused_bytes.to_string()),
            ("bookmark", bookmark.unwrap_or_default()),
            ("bytes", bytes.to_string()),
            ("total", total.map_or_else(String::new, |total| total.to_string())),
            ("ends", if ends { "true".to_owned() } else { String::new() }),
        ];
        client.post(&target(path, &parameters), body, Some(EXCEPTIONS))
    }
}

impl Line for UnderWay<'_> {
    fn post(&self, body: &[u8], span: Span) -> Result<Answer, CallError> {
        UnderWay::post(self, body, span, false)
    }

    fn keeps_count(&self) -> bool {
        self.course.known.is_some()
    }

    fn wait(&self, pause: Duration, why: &str) {
        self.course.progress.talk(&format!("{why}; trying again in {:.1} s", pause.as_secs_f64()));
        thread::sleep(pause);
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// What was read and nobody was told of yet: telling takes longer than reading a message.
#[derive(Default)]
struct Untold {
    pieces: u32,
    bytes: u64,
}

impl Untold {
    /// Counts a piece; what is to be told now, if it is time.
    fn read(&mut self, bytes: u64) -> Option<u64> {
        self.pieces += 1;
        self.bytes += bytes;
        if self.pieces < PIECES_UNTOLD_MAX {
            return None;
        }
        self.pieces = 0;
        Some(std::mem::take(&mut self.bytes))
    }
}

/// The last word.
struct Ending<'u, 'a>(&'u UnderWay<'a>);

impl Line for Ending<'_, '_> {
    fn post(&self, body: &[u8], span: Span) -> Result<Answer, CallError> {
        self.0.post(body, span, true)
    }

    fn wait(&self, pause: Duration, why: &str) {
        self.0.wait(pause, why);
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// Hands parts to those who deliver.
struct Passing<'u, 'a> {
    under_way: &'u UnderWay<'a>,
    sender: SyncSender<Part>,
    bookmarks: Bookmarks,
    number: u64,
    /// What could not be sent since the last part.
    broken: Vec<Broken>,
    broken_bytes: usize,
}

impl Passing<'_, '_> {
    /// Keeps what cannot be sent; whether that is as much as a part may have.
    fn note(&mut self, broken: Broken) -> bool {
        self.broken_bytes += broken.2.as_ref().map_or(0, Vec::len);
        self.broken.push(broken);
        self.broken.len() >= IMPORT_MESSAGES_MAX || self.broken_bytes > BODY_BYTES_MAX
    }

    /// Waits until it may be sent. When nobody receives any more, the failure that ended them is noted already.
    fn pass(&mut self, request: Option<Request>) {
        let Some(request) = request else { return };
        let number = self.number;
        self.number += 1;
        {
            let state = self.under_way.lock();
            let full = |state: &mut State| number > state.next + AHEAD_MAX && state.failure.is_none();
            drop(self.under_way.moved.wait_while(state, full));
        }
        self.broken_bytes = 0;
        let (broken, bookmark) = (std::mem::take(&mut self.broken), self.bookmarks.here());
        let _ = self.sender.send(Part { number, request, broken, bookmark });
    }
}
