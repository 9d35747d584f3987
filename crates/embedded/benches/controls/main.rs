//! Other stores at the same job, as controls: the engine, SQLite and PostgreSQL take the same messages in turns.
//!
//! `cargo bench -p muster-embedded --bench controls -- [messages] [users] [directory] [postgresql://…]`; `scripts/controls`
//! starts a PostgreSQL for it. Each store syncs before it answers, drops duplicates, keeps every message with what a timeline
//! needs to find it, and keeps what is known of records. Messages are read and checked before anything is timed. The
//! engine has 32 senders of 100 messages, which share its syncs; the others get groups as large as such senders
//! make them, SQLite from one writer, PostgreSQL over as many connections as there are processors.

/// Messages as rows.
mod group;

/// The messages.
#[path = "../parts/messages.rs"]
mod messages;

/// Messages as batches.
#[path = "../parts/batches.rs"]
mod batches;

/// An engine with a workspace.
#[path = "../parts/opened.rs"]
mod opened;

/// PostgreSQL.
mod postgresql;

/// Senders that fill the engine.
#[path = "../parts/senders.rs"]
mod senders;

/// SQLite.
mod sqlite;

use std::{
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use muster_store::status::Status;

use group::Row;
use postgresql::Postgresql;
use sqlite::Sqlite;

const ROUND: usize = 100_000;
/// Messages in a group of the controls: what 32 senders of 100 have waiting at most.
const GROUP: usize = 3_200;

/// What one store took.
struct Figures {
    name: &'static str,
    taken: Vec<f64>,
    bytes: f64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let url = arguments.iter().find(|arg| arg.starts_with("postgres"));
    let mut numbers = arguments.iter().filter_map(|arg| arg.replace('_', "").parse::<usize>().ok());
    let messages = numbers.next().unwrap_or(1_000_000).next_multiple_of(ROUND);
    let users = numbers.next().unwrap_or(50_000);
    let parent = arguments.iter().find(|arg| Path::new(arg).is_dir()).map_or(".", String::as_str);
    let dir = tempfile::tempdir_in(parent).expect("a temporary directory");
    report(messages, &run(dir.path(), messages, users, url.map(String::as_str)));
}

fn run(dir: &Path, messages: usize, users: usize, url: Option<&str>) -> Vec<Figures> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let (engine, workspace) = runtime.block_on(opened::open(&dir.join("engine")));
    let engine = Arc::new(engine);
    let mut sqlite = Sqlite::create(dir).expect("an SQLite database");
    let mut connections = url.map_or_else(Vec::new, connect);
    let mut taken: [Vec<f64>; 3] = Default::default();
    for from in (0..messages).step_by(ROUND) {
        let batches = batches::batches(workspace, from, ROUND, users);
        let rows = group::rows(from, ROUND, users);
        taken[0].push(timed(|| runtime.block_on(senders::append(&engine, batches))));
        taken[1].push(timed(|| {
            rows.chunks(GROUP).for_each(|rows| assert_eq!(sqlite.write(rows).expect("a commit"), rows.len()));
        }));
        if !connections.is_empty() {
            taken[2].push(timed(|| write_beside(&mut connections, &rows)));
        }
        println!("{} of {messages} messages", from + ROUND);
    }
    assert_eq!(sqlite.count().expect("a count"), messages as i64, "SQLite has every message");
    drop(sqlite);
    runtime.block_on(engine.close()).expect("a clean close");
    let kept = engine.figures();
    assert_eq!(kept.stored, messages as u64, "the engine has every message");
    let of_file = |name: &str| std::fs::metadata(dir.join(name)).map_or(0, |about| about.len());
    let [engine, sqlite, postgresql] = taken;
    let mut all = vec![
        Figures { name: "Muster's engine", taken: engine, bytes: (kept.history_bytes + kept.state_bytes) as f64 },
        Figures { name: "SQLite", taken: sqlite, bytes: of_file("control.db") as f64 },
    ];
    if let Some(url) = url {
        let (count, bytes) = postgresql::figures(url).expect("PostgreSQL's figures");
        assert_eq!(count, messages as i64, "PostgreSQL has every message");
        all.push(Figures { name: "PostgreSQL", taken: postgresql, bytes: bytes as f64 });
    }
    all
}

fn connect(url: &str) -> Vec<Postgresql> {
    postgresql::create(url).expect("tables in PostgreSQL");
    let count = thread::available_parallelism().map_or(2, usize::from);
    (0..count).map(|_| Postgresql::connect(url).expect("a connection to PostgreSQL")).collect()
}

fn write_beside(connections: &mut [Postgresql], rows: &[Row]) {
    let groups: Vec<&[Row]> = rows.chunks(GROUP).collect();
    let share = groups.len().div_ceil(connections.len());
    thread::scope(|scope| {
        for (connection, groups) in connections.iter_mut().zip(groups.chunks(share)) {
            scope.spawn(move || {
                for rows in groups {
                    assert_eq!(connection.write(rows).expect("a commit"), rows.len());
                }
            });
        }
    });
}

fn timed(work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    started.elapsed().max(Duration::from_micros(1)).as_secs_f64()
}

fn report(messages: usize, all: &[Figures]) {
    println!("{:<16} {:>12} {:>14} {:>14} {:>16}", "", "messages/s", "last round", "engine's", "bytes a message");
    for Figures { name, taken, bytes } in all {
        let rate = |seconds: f64, messages: usize| messages as f64 / seconds;
        let whole = rate(taken.iter().sum(), messages);
        let last = taken.last().map_or(0.0, |seconds| rate(*seconds, ROUND));
        // Round by round, so that whatever else the machine does falls on both.
        let mut ratios: Vec<f64> = all[0].taken.iter().zip(taken).map(|(engine, other)| other / engine).collect();
        ratios.sort_by(f64::total_cmp);
        let ratio = ratios.get(ratios.len() / 2).copied().unwrap_or(1.0);
        println!("{name:<16} {whole:>12.0} {last:>14.0} {ratio:>13.2}x {:>16.1}", bytes / messages as f64);
    }
}
