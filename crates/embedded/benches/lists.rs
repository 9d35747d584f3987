//! Lists over many profiles: how long the first page and a later one take, in several orders and with filters.
//!
//! `cargo bench -p muster-embedded --bench lists -- [users] [directory] [changed]`. Besides the users there is an account for every
//! ten of them, and an organization for every ten accounts. With a directory the data is kept there and only read when it
//! is there already. Each figure is over pages of 100 records; later pages start at random places of the same list.

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
    draft::Draft,
    id::{IdSpace, RecordId, WorkspaceId},
    kind::RecordKind,
    kinds::{Context, check_typed},
    limits::MessageLimits,
    rank::{Number, Rank},
    time::Micros,
};
use muster_store::{
    batch::{Batch, BatchBuilder},
    lists::{Condition, ListCursor, ListOrder, ListQuery, Place},
    profiles::Profiles,
    status::Status,
};

const BATCH: usize = 100;
const ROUND: usize = 50_000;
const PAGES: usize = 200;
const START: i64 = 1_700_000_000_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let users = arguments.first().and_then(|text| text.replace('_', "").parse().ok()).unwrap_or(100_000);
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let dir = arguments.get(1).map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let changed = arguments.get(2).and_then(|text| text.replace('_', "").parse().ok()).unwrap_or(0);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        if !dir.join("state").exists() {
            fill(&dir, users).await;
        }
        measure(&dir, users, changed).await;
    });
}

fn messages(user: usize, users: usize) -> Vec<String> {
    let jumping = (user as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let account = user / 10;
    let at = |seconds: u64| Micros(START + (seconds % 10_000_000) as i64 * 1_000_000).to_millis_text();
    let mut texts = vec![
        format!(
            r#"{{"type":"user","userId":"user-{user}","accountId":"account-{account}","timestamp":"{}","messageId":"1","traits":{{"name":"User number {user}","email":"user{user}@company{}.example.com","logins":{},"role":"{}","plan":"{}"}}}}"#,
            at(jumping),
            user / 100,
            jumping % 1_000_000,
            ["admin", "member", "guest"][user % 3],
            if jumping.is_multiple_of(users as u64 / 20) { "rare" } else { "pro" },
        ),
        format!(
            r#"{{"type":"track","userId":"user-{user}","event":"opened","timestamp":"{}","messageId":"2"}}"#,
            at(jumping / 3),
        ),
    ];
    if user.is_multiple_of(10) {
        texts.push(format!(
            r#"{{"type":"account","accountId":"account-{account}","organizationId":"organization-{}","timestamp":"{}","messageId":"3","traits":{{"name":"Account {account}","mrr":{}}}}}"#,
            account / 10,
            at(0),
            jumping % 100_000,
        ));
    }
    texts
}

async fn fill(dir: &Path, users: usize) {
    let (engine, workspace) = opened::open(dir).await;
    let engine = Arc::new(engine);
    let started = Instant::now();
    let mut sent = 0;
    for first in (0..users).step_by(ROUND) {
        let texts: Vec<String> = (first..(first + ROUND).min(users)).flat_map(|user| messages(user, users)).collect();
        sent += texts.len();
        senders::append(&engine, batches(workspace, &texts, first)).await;
    }
    let taken = started.elapsed();
    engine.close().await.expect("a clean close");
    let figures = engine.figures();
    println!(
        "{sent} messages taken in {:.1} s, in place after {:.1} s; state {:.0} bytes a user, {} checkpoints",
        taken.as_secs_f64(),
        started.elapsed().as_secs_f64(),
        figures.state_bytes as f64 / users as f64,
        figures.checkpoints,
    );
}

fn batches(workspace: WorkspaceId, texts: &[String], first: usize) -> Vec<Batch> {
    let batch = |(nth, some): (usize, &[String])| {
        let received_at = Micros(START + (first + nth) as i64 * 1_000_000);
        let context = Context { ids: IdSpace::new("default"), received_at, limits: MessageLimits::default() };
        let mut builder = BatchBuilder::new(workspace, BATCH * 400);
        for text in some {
            let draft = Draft::from_text(text, context.limits.message_depth_max);
            builder.message(&check_typed(&draft, &context).expect("a valid message"));
        }
        builder.build()
    };
    texts.chunks(BATCH).enumerate().map(batch).collect()
}

async fn measure(dir: &Path, users: usize, changed: usize) {
    let (engine, workspace) = opened::open(dir).await;
    let engine = Arc::new(engine);
    read(&engine, workspace, users).await;
    if changed > 0 {
        let before = engine.figures().checkpoints;
        change(&engine, workspace, users, changed).await;
        println!("{changed} users changed, {} checkpoints meanwhile", engine.figures().checkpoints - before);
        read(&engine, workspace, users).await;
    }
    engine.close().await.expect("a clean close");
}

/// Changes users all over the list: a trait, and when they were last seen.
async fn change(engine: &Arc<Embedded>, workspace: WorkspaceId, users: usize, changed: usize) {
    let texts: Vec<String> = (0..changed)
        .flat_map(|n| {
            let user = n * 7_919 % users;
            let at = Micros(START + (20_000_000 + n as i64) * 1_000_000).to_millis_text();
            [
                format!(
                    r#"{{"type":"user","userId":"user-{user}","timestamp":"{at}","messageId":"c{n}","traits":{{"logins":{}}}}}"#,
                    n * 31 % 1_000_000
                ),
                format!(
                    r#"{{"type":"track","userId":"user-{user}","event":"opened","timestamp":"{at}","messageId":"d{n}"}}"#
                ),
            ]
        })
        .collect();
    senders::append(engine, batches(workspace, &texts, 2 * users)).await;
}

/// Milliseconds of processor time that this process has used.
fn used() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) * 10.0
}

async fn read(engine: &Embedded, workspace: WorkspaceId, users: usize) {
    println!(
        "{:<56} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "pages of 100 records, milliseconds", "p50", "p99", "most", "cpu", "records"
    );
    let list = |order: ListOrder| ListQuery::new(RecordKind::User, order);
    let is = |key: &str, value: &str| Condition::TraitIs { key: key.to_owned(), value: value.to_owned() };
    let with = |order: ListOrder, conditions: Vec<Condition>| ListQuery { conditions, ..list(order) };
    let logins = || ListOrder::Trait("logins".into());
    let some = |percent: u32| Condition::TraitBetween {
        key: "logins".to_owned(),
        from: None,
        to: Some(Rank::Number(Number::of_count(percent * 10_000))),
    };
    let account = IdSpace::new("default").record(RecordKind::Account, &format!("account-{}", users / 20));
    let organization =
        IdSpace::new("default").record(RecordKind::Organization, &format!("organization-{}", users / 200));
    let within = |kind, id: RecordId| ListQuery { within: Some((kind, id)), ..list(ListOrder::UpdatedAt) };
    for (what, query) in [
        ("by update", list(ListOrder::UpdatedAt)),
        ("by creation, upwards", ListQuery { ascending: true, ..list(ListOrder::CreatedAt) }),
        ("by last seen", list(ListOrder::LastSeen)),
        ("by a trait", list(logins())),
        ("by a trait, upwards", ListQuery { ascending: true, ..list(logins()) }),
        ("by update, one of three has the value", with(ListOrder::UpdatedAt, vec![is("role", "admin")])),
        ("by update, one of fifty has the value", with(ListOrder::UpdatedAt, vec![some(2)])),
        ("by update, some have the value", with(ListOrder::UpdatedAt, vec![is("plan", "rare")])),
        ("by a trait, some have the value", with(logins(), vec![is("plan", "rare")])),
        ("by address", with(ListOrder::UpdatedAt, vec![Condition::Email("user77@company0.example.com".to_owned())])),
        ("by domain", with(ListOrder::UpdatedAt, vec![Condition::EmailDomain("company1.example.com".to_owned())])),
        ("of an account", within(RecordKind::Account, account)),
        ("of an organization", within(RecordKind::Organization, organization)),
        ("by text that many have", with(ListOrder::UpdatedAt, vec![Condition::Contains("number 7".to_owned())])),
        ("by text that nobody has", with(ListOrder::UpdatedAt, vec![Condition::Contains("nobody".to_owned())])),
    ] {
        let first = pages(engine, workspace, &query, |_| None).await;
        report(&format!("{what}, first page"), first);
        let starts = starts(&query.order);
        let later = pages(engine, workspace, &query, |number| Some(starts(number))).await;
        report(&format!("{what}, later page"), later);
    }
}

/// Places somewhere in a list.
fn starts(order: &ListOrder) -> impl Fn(usize) -> ListCursor + use<> {
    let number = matches!(order, ListOrder::Trait(_));
    move |nth| {
        let scrambled = (nth as u64 + 1).wrapping_mul(0xd129_1a7b_5f4c_3e21) >> 24;
        let rank = if number {
            Rank::Number(Number::of_count((scrambled % 1_000_000) as u32))
        } else {
            Rank::Time(Micros(START + (scrambled % 10_000_000) as i64 * 1_000))
        };
        ListCursor { place: Place::Ranked(rank), id: RecordId(0) }
    }
}

async fn pages(
    engine: &Embedded,
    workspace: WorkspaceId,
    query: &ListQuery,
    from: impl Fn(usize) -> Option<ListCursor>,
) -> (Vec<Duration>, f64, usize) {
    let (mut times, mut records, before) = (Vec::with_capacity(PAGES), 0, used());
    for number in 0..PAGES {
        let query = ListQuery { from: from(number), ..query.clone() };
        let started = Instant::now();
        let page = engine.list(workspace, query).await.expect("a page");
        times.push(started.elapsed());
        records += page.profiles.len();
    }
    (times, (used() - before) / PAGES as f64, records / PAGES)
}

fn report(what: &str, (mut times, cpu, records): (Vec<Duration>, f64, usize)) {
    times.sort_unstable();
    let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
    let at = |percent: usize| millis(times[(times.len() * percent / 100).min(times.len() - 1)]);
    println!(
        "{what:<56} {:>8.2} {:>8.2} {:>8.2} {cpu:>8.2} {records:>8}",
        at(50),
        at(99),
        millis(times[times.len() - 1])
    );
}
