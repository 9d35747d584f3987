//! Queries over a few million events, in the engine, without HTTP.
//!
//! `cargo bench -p muster-query --bench queries -- [events] [users] [accounts] [directory]`. With a directory the data is
//! kept there and used again; a part of it lies in the overlay, as it does in production.

use std::{path::Path, time::Instant};

use muster_embedded::{Embedded, Options};
use muster_model::{
    draft::Draft,
    id::{IdSpace, WorkspaceId},
    kinds::{Context, check_typed},
    limits::MessageLimits,
    time::Micros,
};
use muster_query::{Engine, Format, Limits, Params, Request, Stop, TraitNames, run};
use muster_store::{
    batch::BatchBuilder,
    credentials::{Credentials, NewKey, Scopes},
    journal::Journal,
    scan::Scans,
    status::Status,
};

const BATCH: usize = 5_000;
const EVENTS: [&str; 6] = ["page viewed", "report created", "invited", "signed up", "exported", "logged in"];

const QUERIES: [(&str, &str); 13] = [
    ("nothing", "select 1"),
    ("one account's events", "select event, count(*) from events where account_id = 'account-77' group by 1"),
    (
        "one account, one month",
        "select timestamp, event, user_id from events where account_id = 'account-77' and timestamp >= '2024-03-01' and timestamp < '2024-04-01'",
    ),
    ("one user's events", "select * from events where user_id = 'user-4711'"),
    ("one record", "select * from accounts where account_id = 'account-77'"),
    ("all accounts", "select count(*), sum(mrr) from accounts"),
    ("all users' e-mails", "select count(email) from users"),
    ("count of all events", "select count(*) from events"),
    ("events by name", "select event, count(*) from events group by 1"),
    ("active users a week", "select strftime('%Y-%W', timestamp), count(distinct user_id) from events group by 1"),
    (
        "weekly, per account",
        "select account_id, strftime('%Y-%W', timestamp) w, count(distinct user_id) from events group by 1, 2",
    ),
    (
        "plans by use",
        "select a.traits ->> 'plan', count(*) from events e join accounts a using (account_id) where event = 'report created' group by 1",
    ),
    ("a property", "select avg(properties ->> 'pages') from events where event = 'report created'"),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let number = |at: usize, usual: usize| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (events, users, accounts) = (number(0, 3_000_000), number(1, 50_000), number(2, 2_000));
    let made = tempfile::tempdir().expect("a temporary directory");
    let dir = arguments.get(3).map_or_else(|| made.path().to_owned(), Into::into);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(measure(&dir, events, users, accounts));
}

async fn measure(dir: &Path, events: usize, users: usize, accounts: usize) {
    let (engine, _) = Embedded::open(Options::new(dir), Micros(0)).expect("an engine");
    if engine.workspaces().is_empty() {
        fill(&engine, events, users, accounts).await;
    }
    let workspace = engine.workspaces().remove(0);
    let figures = engine.figures();
    println!(
        "{} files, {} bytes of history, {} messages in memory",
        figures.history_files, figures.history_bytes, figures.overlay_messages
    );
    let started = Instant::now();
    drop(engine.moment(workspace.id).expect("a moment"));
    println!("taking a moment: {:?}", started.elapsed());
    let names = TraitNames {
        mrr: "mrr".to_owned(),
        next_renewal_date: "nextRenewalDate".to_owned(),
        churned_at: "churnedAt".to_owned(),
        trial_end_date: "trialEndDate".to_owned(),
    };
    let asked = Engine { store: &engine, workspace: (workspace.id, &workspace.name), names };
    let limits = Limits { time_max: std::time::Duration::from_secs(300), ..Limits::default() };
    for (what, sql) in QUERIES {
        let mut millis = Vec::new();
        let mut summary = None;
        for _ in 0..3 {
            let started = Instant::now();
            let request = Request { sql: sql.to_owned(), params: Params::None };
            let stop = Stop::after(limits.time_max);
            summary = run(&asked, &request, &limits, Format::Json, stop, &mut Vec::new()).ok();
            millis.push(started.elapsed().as_secs_f64() * 1e3);
        }
        let best = millis.iter().copied().fold(f64::INFINITY, f64::min);
        let work = summary.map(|summary| (summary.rows, summary.work.rows, summary.work.rows_skipped));
        println!("{best:>10.1} ms  {what}: {work:?} rows, messages looked at, passed over");
    }
    engine.close().await.expect("a clean close");
}

async fn fill(engine: &Embedded, events: usize, users: usize, accounts: usize) {
    let new = NewKey {
        workspace_name: "default".to_owned(),
        name: "bench".to_owned(),
        scopes: Scopes::ALL,
        token_hash: [1; 32],
        created_at: Micros(0),
    };
    let workspace = engine.create_key(new).await.expect("a key").workspace.id;
    let records = (0..accounts).map(|account| {
        let plan = ["free", "pro", "enterprise"][account % 3];
        format!(r#"{{"type":"account","accountId":"account-{account}","messageId":"a","timestamp":"2024-01-01","traits":{{"name":"Account {account}","plan":"{plan}","mrr":{}}}}}"#, account % 500)
    });
    let people = (0..users).map(|user| {
        format!(r#"{{"type":"user","userId":"user-{user}","accountId":"account-{}","messageId":"u","timestamp":"2024-01-01","traits":{{"email":"u{user}@example.org"}}}}"#, user % accounts)
    });
    let tracks = (0..events).map(|number| {
        let scrambled = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let user = (scrambled >> 20) as usize % users;
        let (event, at) = (EVENTS[(scrambled >> 7) as usize % 6], number as i64 * 182 * 86_400 / events as i64);
        let at = Micros(1_704_067_200_000_000 + at * 1_000_000).to_millis_text();
        format!(r#"{{"type":"track","event":"{event}","userId":"user-{user}","messageId":"{number}","timestamp":"{at}","properties":{{"pages":{},"source":"web"}}}}"#, scrambled % 40)
    });
    let all: Vec<String> = records.chain(people).chain(tracks).collect();
    for (at, some) in all.chunks(BATCH).enumerate() {
        engine.append(batch(workspace, some, at)).await.expect("an acknowledgement");
    }
}

fn batch(workspace: WorkspaceId, texts: &[String], at: usize) -> muster_store::batch::Batch {
    let received_at = Micros(1_720_000_000_000_000 + at as i64 * 1_000);
    let context = Context { ids: IdSpace::new("default"), received_at, limits: MessageLimits::default() };
    let mut builder = BatchBuilder::new(workspace, texts.len() * 300);
    for text in texts {
        let draft = Draft::from_text(text, context.limits.message_depth_max);
        builder.message(&check_typed(&draft, &context).expect("a valid message"));
    }
    builder.build()
}
