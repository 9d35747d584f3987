//! Ways between nodes, PostgreSQL and the stream are cut, in silence, and heal: nothing acknowledged is lost and nothing counts twice,
//! whoever is refused is told when to come again, and whoever reads is told in time that it cannot be told.
//!
//! All of it happens in namespaces of the network that are the test's own, which only root may make: for anybody else the test says so
//! and does nothing. `MUSTER_TORTURE_SECONDS=600 MUSTER_TEST_SEED=7` goes on for longer, with ways at random.

mod support;

#[path = "support/audit.rs"]
mod audit;
#[path = "support/network.rs"]
mod network;
#[path = "support/node.rs"]
mod node;
#[path = "support/servers.rs"]
mod servers;
#[path = "support/traffic.rs"]
mod traffic;

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use muster_cluster::{Cluster, Options};
use muster_model::{
    id::{IdSpace, WorkspaceId},
    kind::RecordKind,
};
use muster_store::{
    batch::{Batch, BatchBuilder},
    error::ReadError,
    history::{EventsQuery, History},
    journal::Journal,
    status::{Health, Status},
    suite::{
        Sent,
        desk::{START, workspace_named},
    },
};
use network::{HERE, Network};
use node::{NODE, Node};
use rand::{Rng, SeedableRng, rngs::StdRng};
use servers::Servers;
use support::Place;
use tokio::task::JoinSet;
use tracing_subscriber::filter::LevelFilter;
use traffic::World;

const ENGINES: usize = 2;
const SENDERS: usize = 3;
const READERS: usize = 2;
const NATS: [&str; 3] = ["nats-1", "nats-2", "nats-3"];
/// What this program is told its network by.
const NETWORK: &str = "MUSTER_TEST_NETWORK";
/// Longest that a read may take which finds nobody, however many others do the same.
const TOLD_MAX: Duration = Duration::from_secs(15);
/// Longest that a sender waits to be told to come again.
const REFUSED_MAX: Duration = Duration::from_secs(12);
/// How long the engine that is asked lets a read wait.
const PATIENCE: Duration = Duration::from_secs(4);
/// Longest until all is as before once a way is healed, or another one is found.
const BACK_MAX: Duration = Duration::from_secs(60);

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn what_was_acknowledged_outlasts_a_network_that_is_cut() {
    run("inside");
}

#[test]
fn a_leader_that_is_alone_tells_nobody_how_far_a_lane_reaches() {
    run("inside_with_a_leader_alone");
}

/// Runs a test at its place in a network of its own.
fn run(test: &str) {
    let network = match Network::make() {
        Ok(network) => network,
        Err(why) => {
            eprintln!("SKIPPED, nothing was tested: namespaces of the network are not allowed here, be root: {why}");
            return;
        }
    };
    let mut inside = network.command(HERE, std::env::current_exe().expect("this program"));
    inside.args(["--ignored", "--exact", "--nocapture", test]).env(NETWORK, network.prefix());
    assert!(inside.status().expect("it runs").success(), "what it says is above");
}

/// A node of its own.
#[test]
#[ignore = "another test runs it"]
fn a_node() {
    let Ok(urls) = std::env::var(NODE) else { return };
    support::run_node(&urls);
}

/// An engine with a workspace of its own, which asks it this and that while others send and read.
struct Probe {
    network: Network,
    world: Arc<World>,
    engine: Arc<Cluster>,
    workspace: WorkspaceId,
    sent: usize,
    began: Instant,
}

const PROBED: &str = "probed";

impl Probe {
    fn say(&self, what: &str) {
        println!("{:>7.3} s: {what}; {}", self.began.elapsed().as_secs_f32(), self.world.told());
    }

    fn cut(&self, ways: &[(&str, &str)]) {
        ways.iter().for_each(|(one, other)| self.network.cut(one, other));
    }

    fn heal(&self, ways: &[(&str, &str)]) {
        ways.iter().for_each(|(one, other)| self.network.heal(one, other));
    }

    fn batch(&mut self) -> Batch {
        self.sent += 1;
        let text = format!(
            r#"{{"type":"track","messageId":"m{0}","event":"e{0}","userId":"u{1}","timestamp":"2024-02-01"}}"#,
            self.sent,
            self.sent / 50
        );
        let mut batch = BatchBuilder::new(self.workspace, 0);
        Sent::new(text, START).add_to(&mut batch, IdSpace::new(PROBED));
        batch.build()
    }

    async fn read(engine: Arc<Cluster>, workspace: WorkspaceId) -> Result<usize, ReadError> {
        let subject = (RecordKind::User, IdSpace::new(PROBED).record(RecordKind::User, "u0"));
        let query = EventsQuery { subject, event: None, after: None, before: None, from: None, limit: 100 };
        engine.events(workspace, query).await.map(|page| page.events.len())
    }

    /// Many read at once; each is told in time that it cannot be told.
    async fn cannot_read(&self) {
        let mut reads = JoinSet::new();
        for _ in 0..100 {
            let (engine, workspace) = (Arc::clone(&self.engine), self.workspace);
            reads.spawn(async move {
                let began = Instant::now();
                (Probe::read(engine, workspace).await, began.elapsed())
            });
        }
        let mut slowest = Duration::ZERO;
        while let Some(read) = reads.join_next().await {
            let (read, took) = read.expect("it does not panic");
            assert!(matches!(read, Err(ReadError::Failed { .. })), "{read:?}");
            slowest = slowest.max(took);
        }
        self.say(&format!("100 reads failed, the slowest after {slowest:?}"));
        assert!(slowest < TOLD_MAX, "{slowest:?}");
    }

    /// A plain batch is taken at once.
    async fn is_taken(&mut self) {
        let (batch, began) = (self.batch(), Instant::now());
        self.engine.accept(batch).await.expect("it is taken");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }

    /// Many send at once; each is told in time to come again.
    async fn is_refused(&mut self) {
        let mut sends = JoinSet::new();
        for _ in 0..100 {
            let (engine, batch) = (Arc::clone(&self.engine), self.batch());
            sends.spawn(async move {
                let began = Instant::now();
                (engine.accept(batch).await, began.elapsed())
            });
        }
        let mut slowest = Duration::ZERO;
        while let Some(sent) = sends.join_next().await {
            let (answer, took) = sent.expect("it does not panic");
            let error = answer.expect_err("nobody has it");
            assert!(error.retry_after() > Duration::ZERO, "{error}");
            slowest = slowest.max(took);
        }
        self.say(&format!("100 batches were refused, the slowest after {slowest:?}"));
        assert!(slowest < REFUSED_MAX, "{slowest:?}");
    }

    /// A batch is taken and read again before long.
    async fn is_back(&mut self, why: &str) {
        let began = Instant::now();
        loop {
            let batch = self.batch();
            let appended = tokio::time::timeout(BACK_MAX, self.engine.append(batch)).await;
            let done = match appended {
                Ok(Ok(_)) => Probe::read(Arc::clone(&self.engine), self.workspace).await.map_err(|e| e.to_string()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("no answer".to_owned()),
            };
            match done {
                Ok(_) => break,
                Err(error) => assert!(began.elapsed() < BACK_MAX, "{why}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.say(&format!("{why}, it took {:?} until all was well", began.elapsed()));
    }

    /// PostgreSQL is not heard of here: what comes is taken all the same.
    async fn without_postgresql(&mut self) {
        let ways = [(HERE, "postgresql")];
        self.cut(&ways);
        self.is_taken().await;
        self.cannot_read().await;
        self.is_taken().await;
        self.heal(&ways);
        self.is_back("PostgreSQL was not heard of").await;
    }

    /// None of the stream's nodes is heard of here.
    async fn without_a_stream(&mut self) {
        let ways = NATS.map(|nats| (HERE, nats));
        self.cut(&ways);
        self.is_refused().await;
        self.cannot_read().await;
        assert!(matches!(self.engine.health(), Health::Hindered { .. }), "who asks is told");
        self.heal(&ways);
        self.is_back("the stream was not heard of").await;
    }

    /// One of them is not: the others are.
    async fn without_a_node_of_the_stream(&mut self, nats: &str) {
        let ways = [(HERE, nats)];
        self.cut(&ways);
        self.is_back(&format!("{nats} is not heard of")).await;
        self.heal(&ways);
    }

    /// One of them is heard of, and hears nothing of the others.
    async fn with_a_node_of_the_stream_alone(&mut self, nats: &'static str) {
        let ways: Vec<(&str, &str)> =
            NATS.into_iter().filter(|other| *other != nats).map(|other| (nats, other)).collect();
        self.cut(&ways);
        self.is_back(&format!("{nats} is alone")).await;
        self.heal(&ways);
    }

    /// Ways at random, for so many seconds.
    async fn at_random(&mut self, seconds: u64, rng: &mut StdRng) {
        let until = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < until {
            let one = NATS[rng.random_range(0..3)];
            let to_all = |from: &'static str| NATS.map(|nats| (from, nats)).to_vec();
            let ways: Vec<(&str, &str)> = match rng.random_range(0..7) {
                0 => vec![(HERE, "postgresql")],
                1 => vec![("node", "postgresql")],
                2 => vec![(HERE, "postgresql"), ("node", "postgresql")],
                3 => to_all(HERE),
                4 => to_all("node"),
                5 => vec![(HERE, one), ("node", one)],
                _ => NATS.into_iter().filter(|other| *other != one).map(|other| (one, other)).collect(),
            };
            let pause = Duration::from_millis(rng.random_range(100..15_000));
            self.say(&format!("{ways:?} for {pause:?}"));
            self.cut(&ways);
            tokio::time::sleep(pause).await;
            self.heal(&ways);
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..5_000))).await;
        }
    }
}

/// For [`what_was_acknowledged_outlasts_a_network_that_is_cut`] to run, at its place in the network.
#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
#[ignore = "another test runs it"]
async fn inside() {
    let Ok(prefix) = std::env::var(NETWORK) else { return };
    let seed = number("MUSTER_TEST_SEED").unwrap_or_else(rand::random);
    println!("MUSTER_TEST_SEED={seed}");
    tracing_subscriber::fmt().with_max_level(LevelFilter::WARN).with_ansi(false).with_writer(std::io::stdout).init();
    let mut rng = StdRng::seed_from_u64(seed);
    let network = Network::of(&prefix);
    let servers = tokio::task::spawn_blocking(move || Servers::start_in(&prefix)).await.expect("servers");
    let place = Arc::new(Place::on(&servers.postgresql, &servers.nats, 3));
    let world = audit::begin(&place, ENGINES, SENDERS, seed).await;
    let mut tasks = JoinSet::new();
    for task in 0..SENDERS {
        tasks.spawn(Arc::clone(&world).send(task, StdRng::seed_from_u64(rng.random())));
    }
    for _ in 0..READERS {
        tasks.spawn(Arc::clone(&world).read(StdRng::seed_from_u64(rng.random())));
    }
    let node = Node::start(network.command("node", std::env::current_exe().expect("this program")), &place);
    let engine = audit::open(Options { freshness_timeout: PATIENCE, ..audit::options(&place, 0) }).await;
    let workspace = workspace_named(&*engine, PROBED, START).await.id;
    let mut probe = Probe { network, world: Arc::clone(&world), engine, workspace, sent: 0, began: Instant::now() };
    probe.is_back("nothing was cut").await;
    probe.without_postgresql().await;
    probe.without_a_stream().await;
    for nats in NATS {
        probe.without_a_node_of_the_stream(nats).await;
    }
    probe.with_a_node_of_the_stream_alone(NATS[rng.random_range(0..3)]).await;
    if let Some(seconds) = number("MUSTER_TORTURE_SECONDS") {
        probe.at_random(seconds, &mut rng).await;
        probe.is_back("this and that was cut").await;
    }
    world.stop.store(true, Ordering::Release);
    while let Some(ended) = tasks.join_next().await {
        ended.expect("what was promised is kept");
    }
    drop(node);
    audit::audit(&world, &place, &mut rng).await;
    probe.say("audited");
    (0..world.slots.len()).for_each(|slot| world.put(slot, None));
    let ended = tokio::task::spawn_blocking(move || drop((probe, place, servers)));
    ended.await.expect("they end");
}

/// The stream's node that leads the lane to which something was sent.
async fn leader(place: &Place) -> String {
    let stream = async_nats::jetstream::new(async_nats::connect(place.nats()).await.expect("NATS answers"));
    for lane in 0..2 {
        let mut lane = stream.get_stream(format!("{}_{lane}", place.name())).await.expect("a lane");
        let info = lane.info().await.expect("what is told of it");
        if info.state.messages > 0 {
            let leader = info.cluster.as_ref().and_then(|cluster| cluster.leader.clone()).expect("a leader");
            return leader.replace("muster-", "nats-");
        }
    }
    panic!("nothing was sent");
}

/// For [`a_leader_that_is_alone_tells_nobody_how_far_a_lane_reaches`] to run: for some seconds a leader does not know that the others
/// have elected another one, and what that has taken. Nobody folds anything in, so that a read can only fail, or lie.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "another test runs it"]
async fn inside_with_a_leader_alone() {
    let Ok(prefix) = std::env::var(NETWORK) else { return };
    let network = Network::of(&prefix);
    let servers = tokio::task::spawn_blocking(move || Servers::start_in(&prefix)).await.expect("servers");
    let place = Arc::new(Place::on(&servers.postgresql, &servers.nats, 3));
    let engine = audit::open(audit::options(&place, 0)).await;
    let workspace = workspace_named(&*engine, PROBED, START).await.id;
    let batch = |name: &str| {
        let text =
            format!(r#"{{"type":"track","messageId":"{name}","event":"e","userId":"u0","timestamp":"2024-02-01"}}"#);
        let mut batch = BatchBuilder::new(workspace, 0);
        Sent::new(text, START).add_to(&mut batch, IdSpace::new(PROBED));
        batch.build()
    };
    engine.append(batch("m1")).await.expect("it is taken");
    drop(tokio::task::spawn_blocking(move || drop(engine)).await);
    let leader = leader(&place).await;
    let urls: Vec<&str> = servers.nats.split(',').collect();
    let number = NATS.iter().position(|nats| *nats == leader).expect("one of them");
    let (alone, others) = (urls[number].to_owned(), urls.iter().filter(|url| **url != urls[number]));
    let others = others.copied().collect::<Vec<&str>>().join(",");
    let options = |nats: &str| {
        let journal_url = place.journal_url.replace(&servers.nats, nats);
        let options = Options::new(&place.state_url, &journal_url).expect("URLs that are right");
        let options = options.with_history(&place.history_url(), Vec::new()).expect("a folder");
        Options { applies: false, freshness_timeout: Duration::from_secs(1), ..options }
    };
    let (alone, others) = (audit::open(options(&alone)).await, audit::open(options(&others)).await);
    assert_eq!(Probe::read(Arc::clone(&alone), workspace).await, Ok(1));
    for other in NATS.into_iter().filter(|other| *other != leader) {
        network.cut(&leader, other);
    }
    let began = Instant::now();
    while let Err(error) = others.accept(batch("m2")).await {
        assert!(began.elapsed() < BACK_MAX, "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("{:?}: the others have taken it", began.elapsed());
    let (taken, mut reads) = (Instant::now(), 0);
    while taken.elapsed() < Duration::from_secs(8) {
        let read = Probe::read(Arc::clone(&alone), workspace).await;
        assert!(read.is_err(), "{read:?} after {:?} and {reads} reads that failed", taken.elapsed());
        reads += 1;
    }
    println!("{reads} reads failed");
    let ended = tokio::task::spawn_blocking(move || drop((alone, others, place, servers)));
    ended.await.expect("they end");
}
