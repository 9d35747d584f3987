//! The engine without HTTP: messages a second from checked batch to acknowledged, and what they take on disk.
//!
//! `cargo bench -p muster-embedded --bench engine -- [messages] [users]`. Batches of 100 are made beforehand, so that the
//! time is the engine's own; duplicates, order and durability are as in production.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use muster_embedded::{Embedded, Options};
use muster_model::{
    draft::Draft,
    id::{IdSpace, WorkspaceId},
    kinds::{Context, check_typed},
    limits::MessageLimits,
    time::Micros,
};
use muster_store::{
    batch::{Batch, BatchBuilder},
    credentials::{Credentials, NewKey, Scopes},
    journal::Journal,
    status::Status,
};

const BATCH: usize = 100;
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
    let (engine, _) = Embedded::open(Options::new(dir), Micros(0)).expect("an engine");
    let engine = Arc::new(engine);
    let new = NewKey {
        workspace_name: "default".to_owned(),
        name: "bench".to_owned(),
        scopes: Scopes::ALL,
        token_hash: [1; 32],
        created_at: Micros(0),
    };
    let workspace = engine.create_key(new).await.expect("a key").workspace.id;
    let mut busy = Duration::ZERO;
    let mut done = 0;
    while done < messages {
        let count = ROUND.min(messages - done);
        let batches = batches(workspace, done, count, users);
        let started = Instant::now();
        append(&engine, batches).await;
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

/// 32 senders, each waiting for its answer before it sends the next batch.
async fn append(engine: &Arc<Embedded>, batches: Vec<Batch>) {
    const SENDERS: usize = 32;
    let mut shares: Vec<Vec<Batch>> = vec![Vec::new(); SENDERS];
    for (at, batch) in batches.into_iter().enumerate() {
        shares[at % SENDERS].push(batch);
    }
    let tasks: Vec<_> = shares
        .into_iter()
        .map(|share| {
            let engine = Arc::clone(engine);
            tokio::spawn(async move {
                for batch in share {
                    engine.append(batch).await.expect("an acknowledgement");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a sender");
    }
}

fn batches(workspace: WorkspaceId, from: usize, count: usize, users: usize) -> Vec<Batch> {
    let context = Context {
        ids: IdSpace::new("default"),
        received_at: Micros(1_700_000_000_000_000 + from as i64 * 10),
        limits: MessageLimits::default(),
    };
    let mut batches = Vec::with_capacity(count / BATCH);
    for first in (from..from + count).step_by(BATCH) {
        let mut builder = BatchBuilder::new(workspace, BATCH * 400);
        for number in first..(first + BATCH).min(from + count) {
            let text = message(number, users);
            let draft = Draft::from_text(&text, context.limits.message_depth_max);
            builder.message(&check_typed(&draft, &context).expect("a valid message"));
        }
        batches.push(builder.build());
    }
    batches
}

fn message(number: usize, users: usize) -> String {
    let scrambled = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let user = (scrambled >> 20) as usize % users;
    let account = user / 25;
    let at = Micros(1_700_000_000_000_000 + number as i64 * 1_000).to_millis_text();
    let id = format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        scrambled as u32,
        number & 0xffff,
        number & 0xfff,
        number >> 4 & 0xfff,
        scrambled >> 16
    );
    match number % 10 {
        0..=6 => format!(
            r#"{{"type":"track","userId":"user-{user}","event":"{}","properties":{{"page":"/reports/{}","seconds":{}}},"messageId":"{id}","timestamp":"{at}"}}"#,
            ["opened", "exported", "invited", "searched"][number % 4],
            number % 97,
            number % 300,
        ),
        7 | 8 => format!(
            r#"{{"type":"user","userId":"user-{user}","accountId":"account-{account}","traits":{{"name":"User {user}","email":"user{user}@example.com","logins":{number}}},"messageId":"{id}","timestamp":"{at}"}}"#,
        ),
        _ => format!(
            r#"{{"type":"account","accountId":"account-{account}","organizationId":"org-{}","traits":{{"name":"Account {account}","plan":"pro","seats":{}}},"messageId":"{id}","timestamp":"{at}"}}"#,
            account / 10,
            number % 500,
        ),
    }
}
