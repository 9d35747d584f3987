//! The engine without HTTP: messages a second from checked batch to acknowledged, and what they take on disk.
//!
//! `cargo bench -p muster-embedded --bench engine -- [messages] [users]`. Batches of 100 are made beforehand, so that the
//! time is the engine's own; duplicates, order and durability are as in production.

/// Messages as batches.
#[path = "parts/batches.rs"]
mod batches;

/// The messages.
#[path = "parts/messages.rs"]
mod messages;

/// An engine with a workspace.
#[path = "parts/opened.rs"]
mod opened;

/// Senders that fill the engine.
#[path = "parts/senders.rs"]
mod senders;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use muster_store::status::Status;

const ROUND: usize = 200_000;

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<usize>().ok());
    let messages = numbers.next().unwrap_or(1_000_000);
    let users = numbers.next().unwrap_or(50_000);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(run(dir.path(), messages, users));
}

async fn run(dir: &Path, messages: usize, users: usize) {
    let (engine, workspace) = opened::open(dir).await;
    let engine = Arc::new(engine);
    let mut busy = Duration::ZERO;
    let mut done = 0;
    while done < messages {
        let count = ROUND.min(messages - done);
        let batches = batches::batches(workspace, done, count, users);
        let started = Instant::now();
        senders::append(&engine, batches).await;
        busy += started.elapsed();
        done += count;
        println!("{done} messages, {:.0}/s in this round", count as f64 / started.elapsed().as_secs_f64());
    }
    let started = Instant::now();
    engine.close().await.expect("a clean close");
    let figures = engine.figures();
    println!("{:.0} messages/s, closing took {:?}", messages as f64 / busy.as_secs_f64(), started.elapsed());
    println!(
        "history {:.1} bytes a message, state {:.1} bytes a message, {} groups, {} checkpoints, {} ms in syncs",
        figures.history_bytes as f64 / messages as f64,
        figures.state_bytes as f64 / messages as f64,
        figures.groups,
        figures.checkpoints,
        figures.sync_micros / 1_000,
    );
}
