//! Traffic for engines that come and go, and a ledger of what they acknowledged.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use muster_cluster::Cluster;
use muster_model::{
    id::{IdSpace, WorkspaceId},
    kind::RecordKind,
};
use muster_store::{
    batch::{Batch, BatchBuilder},
    history::{EventsQuery, History},
    journal::Journal,
    receipt::{Outcome, Receipt},
    suite::{Sent, arbitrary::Arrival, desk::START},
};
use parking_lot::Mutex;
use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use tokio::{sync::watch, time::timeout};

/// Users of one sender; few messages each, so that a timeline fits on one page.
pub const MESSAGES_A_USER: usize = 25;
/// Longest that a read may take, answer or error.
pub const READ_MAX: Duration = Duration::from_secs(20);
/// Longest that a batch is tried while nothing is broken any more.
pub const DELIVERY_MAX: Duration = Duration::from_secs(60);

/// A place for an engine, which may be empty.
pub type Slot = watch::Sender<Option<Arc<Cluster>>>;

/// The workspace of numbered messages.
pub const NUMBERED: &str = "numbered";

/// All that tasks share.
pub struct World {
    pub slots: Vec<Slot>,
    pub numbered: WorkspaceId,
    /// Workspaces that are compared with the twin, and what they are sent.
    pub compared: Vec<(WorkspaceId, String, Arrival)>,
    /// Acknowledged of each sender: numbers below this.
    pub acknowledged: Vec<AtomicUsize>,
    pub conflicts: Mutex<BTreeSet<(usize, usize)>>,
    pub stop: AtomicBool,
    pub refusals: AtomicUsize,
    pub reads: AtomicUsize,
    pub reads_failed: AtomicUsize,
    pub slowest: Mutex<(Duration, Duration)>,
}

/// A numbered message.
pub fn text(task: usize, number: usize) -> String {
    let (user, account, second) = (number / MESSAGES_A_USER, number % 5, number % 60);
    format!(
        r#"{{"type":"track","messageId":"m{task}-{number}","event":"e{number}","userId":"u{task}-{user}","accountId":"a{account}","timestamp":"2024-02-01T00:00:{second:02}Z"}}"#
    )
}

fn conflicting(task: usize, number: usize) -> String {
    text(task, number).replace(r#""event":"e"#, r#""event":"other"#)
}

/// What must become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    New,
    Repeated,
    Conflicting,
}

impl Fate {
    fn allows(self, outcome: Outcome, tried_before: bool) -> bool {
        match self {
            Fate::New => outcome == Outcome::Stored || (tried_before && outcome == Outcome::Duplicate),
            Fate::Repeated => outcome == Outcome::Duplicate,
            Fate::Conflicting => outcome == Outcome::Conflict,
        }
    }
}

impl World {
    /// Some engine and when it goes, once there is one.
    async fn engine(&self, rng: &mut StdRng) -> (Arc<Cluster>, watch::Receiver<Option<Arc<Cluster>>>) {
        loop {
            let slot = self.slots.choose(rng).expect("there are places");
            let mut gone = slot.subscribe();
            let engine = gone.borrow_and_update().clone();
            match engine {
                Some(engine) => return (engine, gone),
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    fn note(&self, append: Duration, read: Duration) {
        let mut slowest = self.slowest.lock();
        *slowest = (slowest.0.max(append), slowest.1.max(read));
    }

    /// Sends a batch until it is acknowledged; what became of it if that is asked, and whether it was tried before. Now and then nobody waits
    /// for the answer, and it is sent again.
    async fn deliver(&self, batch: &Batch, asks: bool, rng: &mut StdRng) -> (Option<Receipt>, bool) {
        let mut tried_before = false;
        let mut since = Instant::now();
        loop {
            let (engine, mut gone) = self.engine(rng).await;
            let patience =
                Duration::from_millis(if rng.random_ratio(1, 20) { rng.random_range(0..40) } else { 90_000 });
            let began = Instant::now();
            let answer = tokio::select! {
                answer = timeout(patience, engine.append(batch.clone())), if asks => answer.map(|taken| taken.map(Some)),
                answer = timeout(patience, engine.accept(batch.clone())), if !asks => answer,
                _ = gone.changed() => { tried_before = true; continue }
            };
            self.note(began.elapsed(), Duration::ZERO);
            match answer {
                Ok(Ok(receipt)) => return (receipt, tried_before),
                Ok(Err(error)) => {
                    assert!(error.retry_after() > Duration::ZERO, "{error}");
                    self.refusals.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(rng.random_range(20..200))).await;
                }
                Err(_) => {}
            }
            tried_before = true;
            if !self.stop.load(Ordering::Acquire) {
                since = Instant::now();
            }
            assert!(since.elapsed() < DELIVERY_MAX, "everything is back, and a batch is still not taken");
        }
    }

    /// Sends numbered messages, repetitions, conflicts, and messages of compared workspaces until it is told to stop.
    pub async fn send(self: Arc<Self>, task: usize, mut rng: StdRng) {
        let ids = IdSpace::new(NUMBERED);
        while !self.stop.load(Ordering::Acquire) {
            let first = self.acknowledged[task].load(Ordering::Acquire);
            let last = first + rng.random_range(1..=12);
            let mut all: Vec<(Fate, usize)> = (first..last).map(|number| (Fate::New, number)).collect();
            if first > 0 {
                let before = |rng: &mut StdRng| rng.random_range(0..first);
                all.extend((0..rng.random_range(0..3)).map(|_| (Fate::Repeated, before(&mut rng))));
                if rng.random_ratio(1, 5) {
                    all.push((Fate::Conflicting, before(&mut rng)));
                }
            }
            let mut batch = BatchBuilder::new(self.numbered, 0);
            for (fate, number) in &all {
                let is_other = *fate == Fate::Conflicting;
                let text = if is_other { conflicting(task, *number) } else { text(task, *number) };
                Sent::new(text, START).add_to(&mut batch, ids);
            }
            let asks = rng.random_ratio(1, 2);
            let (receipt, tried_before) = self.deliver(&batch.build(), asks, &mut rng).await;
            let outcomes = receipt.map(|receipt| receipt.outcomes);
            assert!(outcomes.as_ref().is_none_or(|outcomes| outcomes.len() == all.len()));
            for ((fate, number), outcome) in all.iter().zip(outcomes.into_iter().flatten()) {
                assert!(fate.allows(outcome, tried_before), "message {task}-{number} is {fate:?}, and was {outcome:?}");
                if *fate == Fate::Conflicting {
                    self.conflicts.lock().insert((task, *number));
                }
            }
            self.acknowledged[task].store(last, Ordering::Release);
            if rng.random_ratio(1, 3) {
                self.send_compared(&mut rng).await;
            }
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..20))).await;
        }
    }

    async fn send_compared(&self, rng: &mut StdRng) {
        let (workspace, name, arrival) = self.compared.choose(rng).expect("there are some");
        let mut batch = BatchBuilder::new(*workspace, 0);
        for _ in 0..rng.random_range(1..6) {
            arrival.sent.choose(rng).expect("there are some").add_to(&mut batch, IdSpace::new(name));
        }
        let asks = rng.random_ratio(1, 2);
        self.deliver(&batch.build(), asks, rng).await;
    }

    /// Reads until it is told to stop: whatever was acknowledged before is there, or the read fails in time.
    pub async fn read(self: Arc<Self>, mut rng: StdRng) {
        let ids = IdSpace::new(NUMBERED);
        while !self.stop.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(rng.random_range(5..60))).await;
            let task = rng.random_range(0..self.acknowledged.len());
            let acknowledged = self.acknowledged[task].load(Ordering::Acquire);
            if acknowledged == 0 {
                continue;
            }
            // Mostly what came last.
            let user = (acknowledged - 1) / MESSAGES_A_USER;
            let user = if rng.random_ratio(1, 3) { rng.random_range(0..=user) } else { user };
            let (engine, mut gone) = self.engine(&mut rng).await;
            let subject = (RecordKind::User, ids.record(RecordKind::User, &format!("u{task}-{user}")));
            let query = EventsQuery { subject, event: None, after: None, before: None, from: None, limit: 100 };
            let began = Instant::now();
            let answer = tokio::select! {
                answer = engine.events(self.numbered, query) => answer,
                _ = gone.changed() => continue,
            };
            let took = began.elapsed();
            assert!(took < READ_MAX, "a read took {took:?}");
            self.note(Duration::ZERO, took);
            let Ok(page) = answer else {
                self.reads_failed.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            self.reads.fetch_add(1, Ordering::Relaxed);
            let found: BTreeSet<&str> = page.events.iter().map(|event| event.name.as_str()).collect();
            for number in user * MESSAGES_A_USER..acknowledged.min((user + 1) * MESSAGES_A_USER) {
                let name = format!("e{number}");
                assert!(
                    found.contains(name.as_str()),
                    "a read after {task}-{number} was acknowledged does not show it"
                );
            }
        }
    }

    /// Sends everything once more: of what was acknowledged nothing is new. What was not sent to compared workspaces is.
    pub async fn send_all_again(&self, rng: &mut StdRng) {
        let ids = IdSpace::new(NUMBERED);
        for (task, acknowledged) in self.acknowledged.iter().enumerate() {
            let numbers: Vec<usize> = (0..acknowledged.load(Ordering::Acquire)).collect();
            for some in numbers.chunks(200) {
                let mut batch = BatchBuilder::new(self.numbered, 0);
                some.iter().for_each(|number| Sent::new(text(task, *number), START).add_to(&mut batch, ids));
                let (receipt, _) = self.deliver(&batch.build(), true, rng).await;
                let outcomes = receipt.expect("it was asked").outcomes;
                let known = outcomes.iter().all(|outcome| *outcome == Outcome::Duplicate);
                assert!(known, "of {task}-{}.. something acknowledged was not there", some[0]);
            }
        }
        for (workspace, name, arrival) in &self.compared {
            let mut batch = BatchBuilder::new(*workspace, 0);
            arrival.sent.iter().for_each(|sent| sent.add_to(&mut batch, IdSpace::new(name)));
            self.deliver(&batch.build(), true, rng).await;
        }
    }

    /// What came of it, for whoever watches.
    pub fn told(&self) -> String {
        let sent: usize = self.acknowledged.iter().map(|sent| sent.load(Ordering::Relaxed)).sum();
        format!(
            "{sent} messages, {} conflicts, {} appends refused; {} reads, {} failed; slowest append and read: {:?}",
            self.conflicts.lock().len(),
            self.refusals.load(Ordering::Relaxed),
            self.reads.load(Ordering::Relaxed),
            self.reads_failed.load(Ordering::Relaxed),
            self.slowest.lock(),
        )
    }

    /// Puts an engine in a place, or takes it away as a crash would.
    pub fn put(&self, slot: usize, engine: Option<Arc<Cluster>>) {
        let gone = self.slots[slot].send_replace(engine);
        // Ending waits for threads.
        std::thread::spawn(move || drop(gone));
    }
}
