//! How traffic begins, and the audit at its end: everything acknowledged is there once, and nothing else is.

#![allow(dead_code, reason = "each test file uses its part of this")]

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use muster_cluster::{Cluster, Options};
use muster_model::kind::{Kind, RecordKind};
use muster_store::{
    rows::Column,
    scan::{Scans, Wanted},
    status::Status,
    suite::{
        Pace,
        arbitrary::{Shape, sample},
        desk::{Desk, START, workspace_named},
        moments,
        order::{deliver, same_reads},
        reads::Times,
        subject::Twin,
    },
};
use rand::rngs::StdRng;
use tokio::sync::watch;

use crate::{
    support::Place,
    traffic::{DELIVERY_MAX, MESSAGES_A_USER, NUMBERED, World},
};

const COMPARED: u64 = 3;
const COMPARED_MESSAGES: usize = 60;

/// How an engine is set up; the third one folds nothing in.
pub fn options(place: &Place, slot: usize) -> Options {
    Options { freshness_timeout: Duration::from_secs(10), applies: slot != 2, ..place.options() }
}

/// Opens an engine as soon as servers let it.
pub async fn open(options: Options) -> Arc<Cluster> {
    let began = Instant::now();
    loop {
        let options = options.clone();
        let opened = tokio::task::spawn_blocking(move || Cluster::open(options)).await.expect("it does not panic");
        match opened {
            Ok(engine) => return Arc::new(engine),
            Err(error) => assert!(began.elapsed() < DELIVERY_MAX, "no engine opens: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Opens so many engines, and makes the workspaces that so many senders send to.
pub async fn begin(place: &Arc<Place>, engines: usize, senders: usize, seed: u64) -> Arc<World> {
    let mut slots = Vec::new();
    for slot in 0..engines {
        slots.push(watch::Sender::new(Some(open(options(place, slot)).await)));
    }
    let first = slots[0].borrow().clone().expect("the first engine");
    let numbered = workspace_named(&*first, NUMBERED, START).await.id;
    let mut compared = Vec::new();
    for number in 0..COMPARED {
        let name = format!("compared-{number}");
        let workspace = workspace_named(&*first, &name, START).await.id;
        let arrival = sample(seed.wrapping_add(number), COMPARED_MESSAGES, Shape::TIMELESS);
        compared.push((workspace, name, arrival.plain()));
    }
    Arc::new(World {
        slots,
        numbered,
        compared,
        acknowledged: (0..senders).map(|_| Default::default()).collect(),
        conflicts: Default::default(),
        stop: Default::default(),
        refusals: Default::default(),
        reads: Default::default(),
        reads_failed: Default::default(),
        slowest: Default::default(),
    })
}

/// Everything is there once, and nothing else.
pub async fn audit(world: &Arc<World>, place: &Arc<Place>, rng: &mut StdRng) {
    world.send_all_again(rng).await;
    let engine = open(options(place, 1)).await;
    audit_numbered(world, &engine).await;
    let twin = Twin::new();
    for (workspace, name, arrival) in &world.compared {
        let mut desk = Desk::open(&twin, Pace::Straight).await;
        desk.enter(name).await;
        deliver(&mut desk, arrival).await;
        let same = same_reads((&*engine, *workspace), (desk.store(), desk.workspace().id), Times::Shown).await;
        same.unwrap_or_else(|difference| panic!("{name}: {difference}"));
    }
    let census = engine.records(world.numbered).expect("it is counted");
    let users: usize =
        world.acknowledged.iter().map(|sent| sent.load(Ordering::Relaxed).div_ceil(MESSAGES_A_USER)).sum();
    assert_eq!(census.of(RecordKind::User), Some(users as u64));
    drop(tokio::task::spawn_blocking(move || drop(engine)).await);
}

async fn audit_numbered(world: &Arc<World>, engine: &Arc<Cluster>) {
    let (asked, numbered) = (Arc::clone(engine), world.numbered);
    let rows = tokio::task::spawn_blocking(move || {
        let moment = asked.moment(numbered).expect("a moment");
        let wanted = Wanted { columns: vec![Column::MessageId, Column::Event], ..Wanted::everything() };
        moments::scan(&moment, wanted)
    });
    let rows = rows.await.expect("it does not panic");
    let mut found: Vec<(String, String)> = Vec::new();
    for row in &rows {
        assert_eq!(row.kind, Kind::Track);
        let text = |column| row.text(column).expect("it is there").to_owned();
        found.push((text(Column::MessageId), text(Column::Event)));
    }
    found.sort_unstable();
    let mut wanted: Vec<(String, String)> = Vec::new();
    for (task, acknowledged) in world.acknowledged.iter().enumerate() {
        let numbers = 0..acknowledged.load(Ordering::Acquire);
        wanted.extend(numbers.map(|number| (format!("m{task}-{number}"), format!("e{number}"))));
    }
    wanted.sort_unstable();
    let (there, sent): (BTreeSet<_>, BTreeSet<_>) = (found.iter().collect(), wanted.iter().collect());
    let (lost, made_up) = (sent.difference(&there).take(5), there.difference(&sent).take(5));
    assert_eq!(
        found.len(),
        wanted.len(),
        "lost: {:?}; made up: {:?}",
        lost.collect::<Vec<_>>(),
        made_up.collect::<Vec<_>>()
    );
    assert_eq!(found, wanted);
}
