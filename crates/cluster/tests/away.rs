//! What happens while a server is away, and when one comes back that is behind: what waits is bounded, and nothing is lost.

mod support;

#[path = "support/servers.rs"]
mod servers;

use std::{
    path::PathBuf,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use muster_cluster::{Cluster, Options};
use muster_model::id::IdSpace;
use muster_store::{
    batch::{Batch, BatchBuilder},
    credentials::Workspace,
    error::{AppendError, ReadError},
    journal::Journal,
    receipt::Outcome,
    rows::Column,
    scan::{Scans, Wanted},
    status::Status,
    suite::{
        Sent,
        desk::{START, workspace_named},
        moments,
    },
};
use postgres::{Client, NoTls};
use servers::Servers;
use support::Place;
use tokio::task::JoinSet;

const LONG: Duration = Duration::from_secs(40);

fn batch(workspace: &Workspace, number: usize) -> Batch {
    let mut batch = BatchBuilder::new(workspace.id, 0);
    let text = format!(
        r#"{{"type":"track","messageId":"m{number}","event":"e","userId":"u{}","timestamp":"2024-02-01"}}"#,
        number % 50
    );
    Sent::new(text, START).add_to(&mut batch, IdSpace::new(&workspace.name));
    batch.build()
}

/// The message ids of all there is, once a read finds it.
async fn found(store: &Arc<Cluster>, workspace: &Workspace) -> Vec<String> {
    let (store, id, until) = (Arc::clone(store), workspace.id, Instant::now() + LONG);
    let read = move || loop {
        match store.moment(id) {
            Ok(moment) => {
                let wanted = Wanted { columns: vec![Column::MessageId], ..Wanted::everything() };
                let text = |row: &moments::Row| row.text(Column::MessageId).expect("it has one").to_owned();
                return moments::scan(&moment, wanted).iter().map(text).collect::<Vec<String>>();
            }
            Err(ReadError::Failed { what }) => assert!(Instant::now() < until, "{what}; {:?}", store.health()),
            Err(error) => panic!("{error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let mut found = tokio::task::spawn_blocking(read).await.expect("it reads");
    found.sort_unstable();
    found
}

fn named(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    let mut names: Vec<String> = numbers.into_iter().map(|number| format!("m{number}")).collect();
    names.sort_unstable();
    names
}

async fn aside<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(act).await.expect("it does not panic")
}

/// While PostgreSQL is away the stream takes what nobody waits for; those that wait are bounded, and others are told when to come
/// again, at once. When it is back, everything acknowledged is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_postgresql_is_bounded_and_kept() {
    let servers = Arc::new(aside(Servers::start).await);
    let place = Place::on(&servers.postgresql, &servers.nats, 3);
    let store = Arc::new(place.open(Options { queue_batches_max: 100, ..place.options() }));
    let workspace = workspace_named(&*store, "default", START).await;
    let killing = Arc::clone(&servers);
    aside(move || killing.kill("postgresql")).await;
    let mut waiting = JoinSet::new();
    for number in 0..1_000 {
        let (store, batch) = (Arc::clone(&store), batch(&workspace, number));
        waiting.spawn(async move { (number, store.append(batch).await) });
    }
    let (mut taken, mut refused) = (Vec::new(), 0);
    for _ in 0..900 {
        let (number, answer) = tokio::time::timeout(LONG, waiting.join_next()).await.expect("soon").unwrap().unwrap();
        match answer {
            Ok(_) => taken.push(number),
            Err(error) => {
                assert!(matches!(error, AppendError::Full { .. }) && error.retry_after() > Duration::ZERO, "{error}");
                refused += 1;
            }
        }
    }
    assert_eq!((refused, taken.len(), waiting.len()), (900, 0, 100), "as many wait as may");
    let read = Instant::now();
    let asked = Arc::clone(&store);
    assert!(aside(move || asked.moment(workspace.id).map(drop)).await.is_err(), "nothing can be read");
    assert!(read.elapsed() < LONG);
    let restarting = Arc::clone(&servers);
    aside(move || restarting.restart("postgresql")).await;
    while let Some(ended) = waiting.join_next().await {
        let (number, answer) = ended.unwrap();
        assert_eq!(answer.expect("it is taken").outcomes, [Outcome::Stored]);
        taken.push(number);
    }
    assert_eq!(found(&store, &workspace_named(&*store, "default", START).await).await, named(taken));
    aside(move || drop((store, place, servers))).await;
}

/// While the stream has no majority nothing is taken, and everybody is told so within a bound.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_of_the_stream_nothing_is_taken() {
    let servers = Arc::new(aside(Servers::start).await);
    let place = Place::on(&servers.postgresql, &servers.nats, 3);
    let store = Arc::new(place.open(place.options()));
    let workspace = workspace_named(&*store, "default", START).await;
    store.append(batch(&workspace, 0)).await.expect("it is taken");
    for killed in [vec!["nats-2", "nats-3"], vec!["nats-1"]] {
        let killing = Arc::clone(&servers);
        aside(move || killed.into_iter().for_each(|name| killing.kill(name))).await;
        // More than what the client keeps for a server that is away.
        let mut waiting = JoinSet::new();
        let began = Instant::now();
        for _ in 0..4_000 {
            let (store, batch) = (Arc::clone(&store), batch(&workspace, 1));
            waiting.spawn(async move { store.append(batch).await });
        }
        while let Some(ended) = waiting.join_next().await {
            assert!(matches!(ended.unwrap(), Err(AppendError::Hindered { .. })));
        }
        assert!(began.elapsed() < LONG / 2, "{:?}", began.elapsed());
    }
    let restarting = Arc::clone(&servers);
    aside(move || restarting.start_again()).await;
    let until = Instant::now() + LONG;
    while store.append(batch(&workspace, 1)).await.is_err() {
        assert!(Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(found(&store, &workspace).await, named([0, 1]));
    aside(move || drop((store, place, servers))).await;
}

fn programs() -> PathBuf {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("Debian's PostgreSQL")
        .map(|entry| entry.unwrap().path())
        .collect();
    versions.sort();
    versions.pop().expect("a version").join("bin")
}

/// A replica of a PostgreSQL, in a directory beside it, as whoever owns that.
struct Replica {
    home: PathBuf,
    port: u16,
}

impl Drop for Replica {
    fn drop(&mut self) {
        // The first line is the number of its process.
        let number = std::fs::read_to_string(self.home.join("postmaster.pid")).unwrap_or_default();
        if let Some(number) = number.lines().next() {
            let _ = Command::new("kill").args(["-QUIT", number]).status();
        }
    }
}

impl Replica {
    fn command(servers: &Servers, program: &str) -> Command {
        use std::os::unix::{fs::MetadataExt, process::CommandExt};
        let owner = std::fs::metadata(servers.home("postgresql/data")).expect("its data");
        let mut command = Command::new(programs().join(program));
        command.uid(owner.uid()).gid(owner.gid()).current_dir("/");
        command
    }

    fn start(servers: &Servers) -> Replica {
        let home = servers.home("postgresql").join("replica");
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let copy = ["--checkpoint=fast", "--write-recovery-conf", "--no-sync", "--wal-method=stream"];
        let mut copying = Replica::command(servers, "pg_basebackup");
        let copied = copying.arg("--pgdata").arg(&home).arg("--dbname").arg(&servers.postgresql).args(copy).status();
        assert!(copied.expect("it runs").success());
        let replica = Replica { home, port };
        let options = format!("-c port={port}");
        replica.control(servers, &["start", "--wait", "--silent", "--log", "replica.log", "--options", &options]);
        replica
    }

    fn control(&self, servers: &Servers, args: &[&str]) {
        let log = self.home.join("replica.log");
        let args = args.iter().map(|arg| if *arg == "replica.log" { log.to_str().unwrap() } else { arg });
        let done = Replica::command(servers, "pg_ctl").arg("--pgdata").arg(&self.home).args(args).status();
        assert!(done.expect("it runs").success());
    }
}

fn ask(port_of: &str, sql: &str) {
    Client::connect(port_of, NoTls).expect("PostgreSQL answers").batch_execute(sql).expect(sql);
}

/// A replica of PostgreSQL that is behind takes over: what it lacks is folded in again, and no read shows less meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_behind_takes_over() {
    let servers = Arc::new(aside(Servers::start).await);
    let place = Place::on(&servers.postgresql, &servers.nats, 3);
    let copied = Arc::clone(&servers);
    let replica = aside(move || Replica::start(&copied)).await;
    let replica_url = format!("postgres://postgres@127.0.0.1:{}/postgres", replica.port);
    let database = place.state_url.rsplit_once('/').expect("a database").1;
    let first = place.state_url.rsplit_once('@').expect("a host").1.split_once('/').expect("a host").0;
    let both =
        format!("postgres://muster_test@{first},127.0.0.1:{}/{database}?target_session_attrs=read-write", replica.port);
    let options =
        Options { takes: false, state: muster_cluster::options::state(&both).expect("a URL"), ..place.options() };
    let store = Arc::new(place.open(options));
    let workspace = workspace_named(&*store, "default", START).await;
    for number in 0..50 {
        store.append(batch(&workspace, number)).await.expect("it is taken");
    }
    // It has all of that, and nothing that comes from now on.
    let (primary, url) = (servers.postgresql.clone(), replica_url.clone());
    aside(move || {
        let mut client = Client::connect(&primary, NoTls).expect("PostgreSQL answers");
        let caught_up = "select count(*) > 0 from pg_stat_replication where replay_lsn >= $1::text::pg_lsn";
        let at: String = client.query_one("select pg_current_wal_lsn()::text", &[]).unwrap().get(0);
        while !client.query_one(caught_up, &[&at]).unwrap().get::<_, bool>(0) {
            std::thread::sleep(Duration::from_millis(10));
        }
        ask(&url, "alter system set primary_conninfo = ''");
        ask(&url, "select pg_reload_conf()");
        while client.query_one("select count(*) from pg_stat_replication", &[]).unwrap().get::<_, i64>(0) > 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
    })
    .await;
    for number in 50..150 {
        store.append(batch(&workspace, number)).await.expect("it is taken");
    }
    assert_eq!(found(&store, &workspace).await, named(0..150));
    let (killing, replica) = (Arc::clone(&servers), Arc::new(replica));
    let promoted = Arc::clone(&replica);
    aside(move || {
        killing.kill("postgresql");
        promoted.control(&killing, &["promote", "--wait", "--silent"]);
    })
    .await;
    assert_eq!(found(&store, &workspace).await, named(0..150), "no read shows less");
    let again = store.append(batch(&workspace, 149)).await.map(|receipt| receipt.outcomes);
    assert_eq!(again, Ok(vec![Outcome::Duplicate]));
    assert_eq!(store.append(batch(&workspace, 150)).await.map(|receipt| receipt.outcomes), Ok(vec![Outcome::Stored]));
    assert_eq!(found(&store, &workspace).await, named(0..=150));
    aside(move || drop((store, place, replica, servers))).await;
}
