//! Nothing acknowledged is lost and nothing counts twice, whatever fails meanwhile.
//!
//! Engines of one cluster take traffic while engines crash, nodes of NATS and PostgreSQL are killed and come back, and connections
//! are ended in the middle of transactions. Afterwards every acknowledged message is there exactly once, nothing else is, and
//! all that can be read is what the in-memory twin reads.
//!
//! `MUSTER_TORTURE_SECONDS=600 MUSTER_TEST_SEED=7` goes on for longer.

mod support;

#[path = "support/audit.rs"]
mod audit;
#[path = "support/node.rs"]
mod node;
#[path = "support/servers.rs"]
mod servers;
#[path = "support/traffic.rs"]
mod traffic;

use std::{
    collections::BTreeMap,
    process::Command,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use node::{NODE, Node};
use rand::{Rng, SeedableRng, rngs::StdRng};
use servers::Servers;
use support::Place;
use traffic::World;

const ENGINES: usize = 3;
const SENDERS: usize = 4;
const READERS: usize = 2;
/// How long things fail in the gate.
const SECONDS: u64 = 12;

/// What can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    EngineCrashes,
    ProcessIsKilled,
    NatsIsKilled,
    LeaderIsKilled,
    PostgresqlIsKilled,
    PostgresqlShutsDown,
    ConnectionsEnd,
    TransactionsEnd,
    BothAreKilled,
}

const ALL: [What; 9] = [
    What::EngineCrashes,
    What::ProcessIsKilled,
    What::NatsIsKilled,
    What::LeaderIsKilled,
    What::PostgresqlIsKilled,
    What::PostgresqlShutsDown,
    What::ConnectionsEnd,
    What::TransactionsEnd,
    What::BothAreKilled,
];

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// The engine as a process, for [`nothing_acknowledged_is_lost_or_counts_twice`] to kill.
#[test]
#[ignore = "another test runs it"]
fn a_node() {
    let Ok(urls) = std::env::var(NODE) else { return };
    support::run_node(&urls);
}

/// This program.
fn program() -> Command {
    Command::new(std::env::current_exe().expect("this program"))
}

/// What fails, and comes back.
struct Stage {
    servers: Arc<Servers>,
    place: Arc<Place>,
    world: Arc<World>,
    node: Option<Node>,
    rng: StdRng,
}

impl Stage {
    async fn on_servers(&self, act: impl FnOnce(&Servers) + Send + 'static) {
        let servers = Arc::clone(&self.servers);
        tokio::task::spawn_blocking(move || act(&servers)).await.expect("servers do as they are told");
    }

    async fn pause(&mut self, millis: std::ops::Range<u64>) {
        let pause = Duration::from_millis(self.rng.random_range(millis));
        tokio::time::sleep(pause).await;
    }

    /// Which node leads one of the lanes.
    async fn leader(&mut self) -> Option<String> {
        let servers: Vec<async_nats::ServerAddr> =
            self.servers.nats.split(',').filter_map(|url| url.parse().ok()).collect();
        let client = async_nats::connect(servers).await.ok()?;
        let name = format!("{}_{}", self.place.name(), self.rng.random_range(0..2));
        let stream = async_nats::jetstream::new(client).get_stream(name).await.ok()?;
        let leader = stream.cached_info().cluster.as_ref()?.leader.clone()?;
        Some(leader.replace("muster-", "nats-"))
    }

    async fn kill_and_restart(&mut self, name: String) {
        let killed = name.clone();
        self.on_servers(move |servers| servers.kill(&killed)).await;
        self.pause(0..1_500).await;
        self.on_servers(move |servers| servers.restart(&name)).await;
    }

    async fn happen(&mut self, what: What) {
        match what {
            What::EngineCrashes => {
                let slot = self.rng.random_range(0..self.world.slots.len());
                self.world.put(slot, None);
                self.pause(0..400).await;
                let engine = audit::open(audit::options(&self.place, slot)).await;
                self.world.put(slot, Some(engine));
            }
            What::ProcessIsKilled => {
                drop(self.node.take());
                self.pause(0..100).await;
                self.node = Some(Node::start(program(), &self.place));
            }
            What::NatsIsKilled => {
                let name = format!("nats-{}", self.rng.random_range(1..=3));
                self.kill_and_restart(name).await;
            }
            What::LeaderIsKilled => {
                if let Some(name) = self.leader().await {
                    self.kill_and_restart(name).await;
                }
            }
            What::PostgresqlIsKilled => self.kill_and_restart("postgresql".to_owned()).await,
            What::PostgresqlShutsDown => {
                self.on_servers(Servers::shut_down_immediately).await;
                self.pause(0..1_000).await;
                self.on_servers(|servers| servers.restart("postgresql")).await;
            }
            What::ConnectionsEnd => self.on_servers(|servers| servers.end_connections("datname like 't%'")).await,
            What::TransactionsEnd => {
                for _ in 0..10 {
                    let writing = "backend_xid is not null and datname like 't%'";
                    self.on_servers(|servers| servers.end_connections(writing)).await;
                    self.pause(0..60).await;
                }
            }
            What::BothAreKilled => {
                let name = format!("nats-{}", self.rng.random_range(1..=3));
                let both = [name, "postgresql".to_owned()];
                for name in both.clone() {
                    self.on_servers(move |servers| servers.kill(&name)).await;
                }
                self.pause(0..1_000).await;
                for name in both {
                    self.on_servers(move |servers| servers.restart(&name)).await;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn nothing_acknowledged_is_lost_or_counts_twice() {
    let seed = number("MUSTER_TEST_SEED").unwrap_or_else(rand::random);
    let seconds = number("MUSTER_TORTURE_SECONDS").unwrap_or(SECONDS);
    println!("MUSTER_TEST_SEED={seed} MUSTER_TORTURE_SECONDS={seconds}");
    let servers = Arc::new(tokio::task::spawn_blocking(Servers::start).await.expect("servers"));
    let place = Arc::new(Place::on(&servers.postgresql, &servers.nats, 3));
    let mut rng = StdRng::seed_from_u64(seed);
    let world = audit::begin(&place, ENGINES, SENDERS, seed).await;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..SENDERS {
        tasks.spawn(Arc::clone(&world).send(task, StdRng::seed_from_u64(rng.random())));
    }
    for _ in 0..READERS {
        tasks.spawn(Arc::clone(&world).read(StdRng::seed_from_u64(rng.random())));
    }
    let node = Some(Node::start(program(), &place));
    let (stage_servers, stage_place) = (Arc::clone(&servers), Arc::clone(&place));
    let mut stage = Stage { servers: stage_servers, place: stage_place, world: Arc::clone(&world), node, rng };
    let (began, mut happened) = (Instant::now(), BTreeMap::<What, usize>::new());
    while began.elapsed().as_secs() < seconds {
        stage.pause(100..1_200).await;
        let what = ALL[stage.rng.random_range(0..ALL.len())];
        println!("{:>7.3} s: {what:?}", began.elapsed().as_secs_f32());
        stage.happen(what).await;
        *happened.entry(what).or_default() += 1;
        if let Some(ended) = tasks.try_join_next() {
            ended.expect("what was promised is kept");
        }
    }
    world.stop.store(true, Ordering::Release);
    while let Some(ended) = tasks.join_next().await {
        ended.expect("what was promised is kept");
    }
    println!("{:>7.3} s: all sent; {happened:?}", began.elapsed().as_secs_f32());
    let Stage { node, mut rng, .. } = stage;
    drop(node);
    audit::audit(&world, &place, &mut rng).await;
    println!("{:>7.3} s: audited", began.elapsed().as_secs_f32());
    println!("{}", world.told());
    (0..world.slots.len()).for_each(|slot| world.put(slot, None));
}
