//! Taking batches out of lanes: a thread for each lane, which does it as long as it holds the lane's lock in PostgreSQL.
//!
//! Of several nodes one holds it; when that one goes, its connection goes, and another takes over from the position that is in
//! the table. Whatever goes wrong, nothing is skipped: the thread begins again from that position.

/// Some batches of a lane that are folded in together.
mod group;

/// The transaction of a group.
mod transaction;

/// Letting go of what is kept for a while.
mod trim;

use std::{
    sync::{Arc, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use tokio::sync::{Semaphore, mpsc};
use tracing::{error, info, warn};

use crate::{
    cluster::Inner,
    fault::Fault,
    sql::connection::Connection,
    stream::{
        Stream, Taken,
        told::{Told, Whom},
    },
};
use group::Group;
use trim::Trim;

/// Between two tries to get a lane that another node holds, or that could not be worked on.
const RETRY_SOON: Duration = Duration::from_millis(50);
const RETRY_LATER: Duration = Duration::from_secs(2);
/// How often a thread that waits looks whether the engine closes.
const LOOK_UP: Duration = Duration::from_millis(200);
/// Messages of a lane that are held ready.
const READY_MAX: usize = 1_024;
/// Their bytes, in KiB; a larger one is alone.
const READY_KIBIBYTES_MAX: usize = 32 << 10;
/// After so long without a message it is asked whether there are any, and so often in a row until something is done about it.
const STALLED: Duration = Duration::from_secs(1);
const STALLED_MAX: u32 = 2;
/// How long a lane's messages are asked for one by one before somebody is looked for again who hands them out.
const TAKEN_FOR: Duration = Duration::from_secs(10);
/// Between two times that what is folded in is let go of.
const LET_GO_EVERY: Duration = Duration::from_secs(30);

/// The class of the locks that lanes are held by.
pub const LOCK_CLASS: i32 = 0x6d6c;

/// The threads of this node.
pub struct Appliers(Vec<thread::JoinHandle<()>>);

impl Appliers {
    /// Starts one for each lane.
    pub fn start(inner: &Arc<Inner>) -> std::io::Result<Appliers> {
        let start = |lane| {
            let applier = Applier { inner: Arc::clone(inner), lane, told: String::new() };
            thread::Builder::new().name(format!("muster-lane-{lane}")).spawn(move || applier.run())
        };
        Ok(Appliers((0..inner.lanes.count()).map(start).collect::<std::io::Result<_>>()?))
    }

    /// Waits until all have ended, which they do when the engine closes.
    pub fn stop(self) {
        for thread in self.0 {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// One lane's thread.
struct Applier {
    inner: Arc<Inner>,
    lane: u32,
    /// What went wrong last, so that it is said once.
    told: String,
}

/// Positions that were reached, and when: what is old enough is let go of.
#[derive(Default)]
struct Reached(std::collections::VecDeque<(Instant, u64)>);

impl Applier {
    fn run(mut self) {
        let began = Instant::now();
        while !self.is_closing() {
            // What panicked is a fault like any other, and said like one: the lane is not given up for it.
            let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.hold_and_work()));
            match worked.unwrap_or_else(|_| Err(Fault::Panicked)) {
                Ok(()) | Err(Fault::Closing) => {}
                Err(Fault::Overtaken) => self.pause(began),
                Err(fault) => {
                    let says = fault.to_string();
                    if says != self.told {
                        error!(
                            lane = self.lane,
                            error = says,
                            "what was accepted cannot be folded in; this is tried again"
                        );
                        self.inner.counters.hinder(self.lane, Some(says.clone()));
                        self.told = says;
                    }
                    self.pause(began);
                }
            }
        }
    }

    fn is_closing(&self) -> bool {
        self.inner.closing.load(Ordering::Acquire)
    }

    /// Soon in the beginning, when an earlier process may still be ending; later than that not so often.
    fn pause(&self, began: Instant) {
        let pause = if began.elapsed() < RETRY_LATER * 2 { RETRY_SOON } else { RETRY_LATER };
        let until = Instant::now() + pause;
        while !self.is_closing() && Instant::now() < until {
            thread::sleep(RETRY_SOON.min(pause));
        }
    }

    /// Works on the lane until something goes wrong or the engine closes.
    fn hold_and_work(&mut self) -> Result<(), Fault> {
        let mut connection = Connection::open(&self.inner.config)?;
        let held = connection.ask("select pg_try_advisory_lock($1, $2)", &[&LOCK_CLASS, &(self.lane as i32)])?;
        if !held[0].get::<_, bool>(0) {
            return Err(Fault::Overtaken);
        }
        let mut position = self.position(&mut connection)?;
        self.check_end(position)?;
        let mut ready = self.read_from(position);
        self.inner.lanes.note(self.lane, position);
        if !self.told.is_empty() {
            info!(lane = self.lane, "what was accepted is folded in again");
            self.told.clear();
        }
        self.inner.counters.hinder(self.lane, None);
        let mut trim = Trim::begin(&self.inner, &mut connection, self.lane)?;
        let (mut reached, mut let_go, mut came) = (Reached::default(), Instant::now(), Instant::now());
        let mut stalled = 0;
        while !self.is_closing() {
            if let Some(group) = Group::collect(&mut ready, &self.inner, position)? {
                position = transaction::fold_in(&self.inner, &mut connection, (self.lane, position), group, &mut trim)?;
                reached.note(position);
                (came, stalled) = (Instant::now(), 0);
            } else if came.elapsed() >= STALLED {
                // A connection that nobody uses dies unnoticed, and a replica that takes PostgreSQL's place may be behind.
                if self.position(&mut connection)? != position {
                    return Err(Fault::Overtaken);
                }
                // Whoever hands messages out may have died with a server, and nobody says so. A node that cannot even ask leaves
                // the lane to one that can.
                let asked = self.last_sequence();
                stalled = if asked.as_ref().is_ok_and(|last| *last <= position) { 0 } else { stalled + 1 };
                if stalled >= STALLED_MAX {
                    asked?;
                    return Err(Fault::Stream("messages of the lane do not come".to_owned()));
                }
                came = Instant::now();
            }
            if let_go.elapsed() >= LET_GO_EVERY {
                let_go = Instant::now();
                self.let_go(&mut connection, &mut reached)?;
            }
            trim.go_on(&self.inner, &mut connection, self.lane)?;
        }
        Ok(())
    }

    /// How far the lane is folded in, as PostgreSQL says.
    fn position(&self, connection: &mut Connection) -> Result<u64, Fault> {
        let rows = connection.ask("select sequence from lane where lane = $1", &[&(self.lane as i32)])?;
        Ok(rows.first().ok_or(Fault::Damaged("the position of a lane"))?.get::<_, i64>(0) as u64)
    }

    fn last_sequence(&self) -> Result<u64, Fault> {
        let (stream, lane) = (self.inner.stream.clone(), self.lane);
        self.inner.wait_for(async move { stream.last_sequence(lane).await })?
    }

    /// What comes next in a stream that ends before what was folded in would never be looked at.
    fn check_end(&self, position: u64) -> Result<(), Fault> {
        let last = self.last_sequence()?;
        if last < position {
            let says = format!(
                "the lane ends at message {last}, and was folded in up to {position}: the stream has lost some"
            );
            return Err(Fault::Stream(says));
        }
        Ok(())
    }

    /// Has the messages after a position come in, a bounded number and a bounded number of bytes ahead.
    fn read_from(&self, position: u64) -> mpsc::Receiver<Result<Taken, Fault>> {
        let (ready, taken) = mpsc::channel(READY_MAX);
        let (stream, lane) = (self.inner.stream.clone(), self.lane);
        let feed = Feed { ready, room: Arc::new(Semaphore::new(READY_KIBIBYTES_MAX)) };
        self.inner.handle.spawn(async move { feed.run(&stream, lane, position).await });
        taken
    }

    /// Lets go of what was folded in long enough ago.
    fn let_go(&self, connection: &mut Connection, reached: &mut Reached) -> Result<(), Fault> {
        let Some(through) = reached.before(Instant::now().checked_sub(self.inner.options.stream_retention)) else {
            return Ok(());
        };
        let forget = "delete from outcome where lane = $1 and sequence <= $2";
        connection.ask(forget, &[&(self.lane as i32), &(through as i64)])?;
        let (stream, lane) = (self.inner.stream.clone(), self.lane);
        let done = self.inner.wait_for(async move { stream.let_go(lane, through).await })?;
        if let Err(fault) = done {
            warn!(lane, error = %fault, "what is folded in could not be taken off the stream; this is tried again");
        }
        Ok(())
    }
}

/// Has a lane's messages come in.
struct Feed {
    ready: mpsc::Sender<Result<Taken, Fault>>,
    room: Arc<Semaphore>,
}

impl Feed {
    /// Until nobody wants them any more, or something goes wrong.
    async fn run(self, stream: &Stream, lane: u32, mut position: u64) {
        loop {
            match stream.after(lane, position).await {
                Ok(mut messages) => {
                    while let Some(message) = messages.next().await {
                        if !self.put(message).await {
                            return;
                        }
                    }
                    return;
                }
                // Nobody hands them out for now; whoever leads the lane can be asked for them.
                Err(_) => {
                    let until = Instant::now() + TAKEN_FOR;
                    while Instant::now() < until {
                        match stream.some_after(lane, position).await {
                            Ok(some) if some.is_empty() => tokio::time::sleep(LOOK_UP).await,
                            Ok(some) => {
                                for taken in some {
                                    position = taken.sequence;
                                    if !self.put(Ok(taken)).await {
                                        return;
                                    }
                                }
                            }
                            Err(fault) => {
                                self.put(Err(fault)).await;
                                return;
                            }
                        }
                        if self.ready.is_closed() {
                            return;
                        }
                    }
                }
            }
        }
    }

    /// Puts one where it is taken from, as soon as there is room for it; whether more is wanted.
    async fn put(&self, mut message: Result<Taken, Fault>) -> bool {
        let failed = message.is_err();
        if let Ok(taken) = &mut message {
            let wanted = (taken.payload.len() >> 10).min(READY_KIBIBYTES_MAX) as u32;
            taken.room = tokio::select! {
                room = Arc::clone(&self.room).acquire_many_owned(wanted) => room.ok(),
                () = self.ready.closed() => return false,
            };
        }
        self.ready.send(message).await.is_ok() && !failed
    }
}

impl Reached {
    fn note(&mut self, position: u64) {
        // One a second is as good as all.
        if self.0.back().is_none_or(|(at, _)| at.elapsed() >= Duration::from_secs(1)) {
            self.0.push_back((Instant::now(), position));
        }
    }

    /// The last position that was reached before an instant; it is forgotten, with those before it.
    fn before(&mut self, instant: Option<Instant>) -> Option<u64> {
        let mut last = None;
        while self.0.front().is_some_and(|(at, _)| Some(*at) < instant) {
            last = self.0.pop_front().map(|(_, position)| position);
        }
        last
    }
}

/// Tells whoever waits.
fn tell(inner: &Arc<Inner>, whom: Whom, told: &Told) {
    let (stream, bytes) = (inner.stream.clone(), told.encode());
    // Whoever misses it finds it in the table.
    inner.handle.spawn(async move { stream.tell(whom, bytes).await });
}
