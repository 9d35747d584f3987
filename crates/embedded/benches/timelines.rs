//! Timelines and activity over a large history: how long the first page and a deep one take, cold and warm.
//!
//! `cargo bench -p muster-embedded --bench timelines -- [messages] [users] [directory]`. The messages spread over twelve
//! months; accounts have 25 users, organizations 10 accounts; besides, there is one account of 10 000 users and one
//! organization of 1 000 accounts. With a directory the history is kept there and only read when it is there already.
//! Each figure is over subjects chosen at random; `cold` is the first read of each after the store was opened anew.

/// An engine with a workspace.
#[path = "parts/opened.rs"]
mod opened;

/// Senders that fill the engine.
#[path = "parts/senders.rs"]
mod senders;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use muster_embedded::Embedded;
use muster_model::{
    day::Day,
    draft::Draft,
    id::{IdSpace, WorkspaceId},
    kind::RecordKind,
    kinds::{Context, check_typed},
    limits::MessageLimits,
    time::Micros,
};
use muster_store::{
    activity::Activity,
    batch::{Batch, BatchBuilder},
    history::{EventsQuery, History},
    past::{Past, TraitQuery},
    status::Status,
};

const BATCH: usize = 100;
const ROUND: usize = 200_000;
const SUBJECTS: usize = 200;
const PAGE: usize = 50;
const START: i64 = 1_700_000_000_000_000;
const YEAR: i64 = 365 * 86_400 * 1_000_000;
/// Users of the one large account, and accounts of the one large organization.
const LARGE_USERS: usize = 10_000;
const LARGE_ACCOUNTS: usize = 1_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let number = |at: usize, otherwise: usize| {
        arguments.get(at).and_then(|text| text.replace('_', "").parse().ok()).unwrap_or(otherwise)
    };
    let shape = Shape { messages: number(0, 1_000_000), users: number(1, 50_000).max(LARGE_USERS * 2) };
    let kept = arguments.get(2).map(PathBuf::from);
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let dir = kept.unwrap_or_else(|| temporary.path().to_owned());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        if !dir.join("state").exists() {
            fill(&dir, shape).await;
        }
        measure(&dir, shape).await;
    });
}

#[derive(Clone, Copy)]
struct Shape {
    messages: usize,
    users: usize,
}

impl Shape {
    fn account_of(self, user: usize) -> String {
        if user < LARGE_USERS { "large".to_owned() } else { format!("account-{}", (user - LARGE_USERS) / 25) }
    }

    fn accounts(self) -> usize {
        (self.users - LARGE_USERS).div_ceil(25)
    }

    fn organization_of(account: usize) -> String {
        if account < LARGE_ACCOUNTS { "large".to_owned() } else { format!("organization-{}", account / 10) }
    }

    fn message(self, number: usize) -> String {
        let scrambled = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let user = (scrambled >> 20) as usize % self.users;
        let account = self.account_of(user);
        let at = START + (number as i64).wrapping_mul(YEAR / self.messages as i64);
        let at = Micros(at).to_millis_text();
        let id = format!("{:08x}-{number:04x}-4000-8000-{:012x}", scrambled as u32, scrambled >> 16);
        match number % 10 {
            0..=7 => format!(
                r#"{{"type":"track","userId":"user-{user}","event":"{}","properties":{{"page":"/reports/{}","seconds":{}}},"messageId":"{id}","timestamp":"{at}"}}"#,
                ["opened", "exported", "invited", "searched"][number / 10 % 4],
                number % 97,
                number % 300,
            ),
            8 => format!(
                r#"{{"type":"user","userId":"user-{user}","accountId":"{account}","traits":{{"name":"User {user}","logins":{number}}},"messageId":"{id}","timestamp":"{at}"}}"#,
            ),
            _ => {
                let account = (scrambled >> 20) as usize % self.accounts();
                format!(
                    r#"{{"type":"account","accountId":"account-{account}","organizationId":"{}","traits":{{"plan":"pro","seats":{}}},"messageId":"{id}","timestamp":"{at}"}}"#,
                    Shape::organization_of(account),
                    number % 500,
                )
            }
        }
    }
}

async fn open(dir: &Path) -> (Embedded, WorkspaceId, Duration) {
    let started = Instant::now();
    let (engine, workspace) = opened::open(dir).await;
    (engine, workspace, started.elapsed())
}

async fn fill(dir: &Path, shape: Shape) {
    let (engine, workspace, _) = open(dir).await;
    let engine = Arc::new(engine);
    let started = Instant::now();
    let mut done = 0;
    while done < shape.messages {
        let count = ROUND.min(shape.messages - done);
        senders::append(&engine, batches(workspace, shape, done, count)).await;
        done += count;
        if done % (ROUND * 5) == 0 {
            println!("{done} messages after {:.0} s", started.elapsed().as_secs_f64());
        }
    }
    engine.close().await.expect("a clean close");
    let figures = engine.figures();
    let of_message = |bytes: u64| bytes as f64 / shape.messages as f64;
    println!(
        "history {:.1} bytes a message, state {:.1} bytes a message, {} checkpoints, {} compactions",
        of_message(figures.history_bytes),
        of_message(figures.state_bytes),
        figures.checkpoints,
        figures.compactions,
    );
}

fn batches(workspace: WorkspaceId, shape: Shape, from: usize, count: usize) -> Vec<Batch> {
    let context =
        Context { ids: IdSpace::new("default"), received_at: Micros(START + YEAR), limits: MessageLimits::default() };
    let batch = |first: usize| {
        let mut builder = BatchBuilder::new(workspace, BATCH * 400);
        for number in first..(first + BATCH).min(from + count) {
            let text = shape.message(number);
            let draft = Draft::from_text(&text, context.limits.message_depth_max);
            builder.message(&check_typed(&draft, &context).expect("a valid message"));
        }
        builder.build()
    };
    (from..from + count).step_by(BATCH).map(batch).collect()
}

/// Who is asked for, chosen by a number.
fn subject(shape: Shape, what: &str, number: usize) -> (RecordKind, String) {
    let scrambled = ((number as u64 + 1).wrapping_mul(0xd129_1a7b_5f4c_3e21) >> 24) as usize;
    let account = scrambled % shape.accounts();
    match what {
        "user" => (RecordKind::User, format!("user-{}", scrambled % shape.users)),
        "account" => (RecordKind::Account, format!("account-{account}")),
        "organization" => (RecordKind::Organization, format!("organization-{}", LARGE_ACCOUNTS / 10 + account / 10)),
        "account of 10 000 users" => (RecordKind::Account, "large".to_owned()),
        _ => (RecordKind::Organization, "large".to_owned()),
    }
}

const WHAT: [&str; 5] =
    ["user", "account", "organization", "account of 10 000 users", "organization of 1 000 accounts"];

async fn measure(dir: &Path, shape: Shape) {
    println!("{:<48} {:>10} {:>10} {:>10}", "pages of 50 rows, milliseconds", "p50", "p99", "most");
    for what in WHAT {
        for deep in [false, true] {
            let (engine, workspace, _) = open(dir).await;
            for warmth in ["cold", "warm"] {
                let page = if deep { "half a year back" } else { "first page" };
                let mut times = Vec::new();
                for number in 0..if what.contains(' ') { 20 } else { SUBJECTS } {
                    let query = query(shape, what, number, deep);
                    let started = Instant::now();
                    let found = engine.events(workspace, query).await.expect("a timeline");
                    times.push(started.elapsed());
                    assert!(!found.events.is_empty() || shape.messages < 1_000_000, "{what} {number}");
                }
                report(&format!("{what}, {page}, {warmth}"), times);
            }
            engine.close().await.expect("a clean close");
        }
    }
    let (engine, workspace, opened) = open(dir).await;
    println!("opened in {opened:?}");
    others(&engine, workspace, shape).await;
    engine.close().await.expect("a clean close");
}

fn query(shape: Shape, what: &str, number: usize, deep: bool) -> EventsQuery {
    let (kind, external_id) = subject(shape, what, number);
    EventsQuery {
        subject: (kind, IdSpace::new("default").record(kind, &external_id)),
        event: None,
        after: None,
        before: deep.then_some(Micros(START + YEAR / 2)),
        from: None,
        limit: PAGE,
    }
}

/// What else is read from history.
async fn others(engine: &Embedded, workspace: WorkspaceId, shape: Shape) {
    let ids = IdSpace::new("default");
    let month = (Day::of(Micros(START + YEAR)).plus(-30), Day::of(Micros(START + YEAR)));
    for what in WHAT {
        let mut times = Vec::new();
        for number in 0..if what.contains(' ') { 5 } else { 50 } {
            let (kind, external_id) = subject(shape, what, number);
            let started = Instant::now();
            let found = engine.activity(workspace, (kind, ids.record(kind, &external_id)), month).await;
            times.push(started.elapsed());
            found.expect("activity");
        }
        report(&format!("activity of 30 days, {what}"), times);
    }
    let (mut histories, mut pasts, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..50 {
        let (kind, external_id) = subject(shape, "account", number);
        let subject = (kind, ids.record(kind, &external_id));
        let started = Instant::now();
        let query = TraitQuery { subject, key: "seats".to_owned(), from: None, limit: PAGE };
        engine.trait_history(workspace, query).await.expect("a history");
        histories.push(started.elapsed());
        let started = Instant::now();
        engine.as_of(workspace, subject, Micros(START + YEAR / 2)).await.expect("a record");
        pasts.push(started.elapsed());
        let started = Instant::now();
        engine.event_names(workspace).await.expect("names");
        names.push(started.elapsed());
    }
    report("history of a trait, account", histories);
    report("account as of half a year ago", pasts);
    report("names of events", names);
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
    let at = |percent: usize| millis(times[(times.len() * percent / 100).min(times.len() - 1)]);
    println!("{what:<48} {:>10.2} {:>10.2} {:>10.2}", at(50), at(99), millis(times[times.len() - 1]));
}
