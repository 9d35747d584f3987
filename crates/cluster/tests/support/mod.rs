//! What the engine's own tests share: a database and streams of a test's own, on servers that somebody has started.

#![allow(dead_code, reason = "each test file uses its part of this")]

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use muster_cluster::{Cluster, FiledRows, MergedFiles, Options, migrate};
use postgres::{Client, NoTls};
use tempfile::TempDir;

const POSTGRESQL: &str = "MUSTER_TEST_POSTGRESQL_URL";
const NATS: &str = "MUSTER_TEST_NATS_URL";

fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: start the servers that these tests need with eval \"$(scripts/servers start)\"")
    })
}

/// Speaks to a server on a thread of its own, where waiting is allowed.
fn aside<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::spawn(act).join().expect("a server answers")
}

/// What the tables are made of.
const TABLES: [&str; 4] = [
    include_str!("../../migrations/0001.sql"),
    include_str!("../../migrations/0002.sql"),
    include_str!("../../migrations/0003.sql"),
    include_str!("../../migrations/0004.sql"),
];
/// Held while the template is made.
const TEMPLATE_LOCK: i64 = 0x7465_6d70;

/// A database with all tables and nothing in them, from which those of tests are made; made by the first test of all.
fn template(client: &mut Client, state_url: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (TABLES, muster_cluster::VERSION).hash(&mut hasher);
    let name = format!("muster_template_{:016x}", hasher.finish());
    client.execute("select pg_advisory_lock($1)", &[&TEMPLATE_LOCK]).expect("a lock");
    let known = client.query_opt("select from pg_database where datname = $1", &[&name]).expect("the databases");
    if known.is_none() {
        let role = "do $$ begin create role muster_test login; exception when duplicate_object then null; end $$";
        client.batch_execute(role).expect("a role");
        let making = format!("{name}_making");
        client.batch_execute(&format!("drop database if exists {making}")).expect("nothing that was begun");
        client.batch_execute(&format!("create database {making} owner muster_test")).expect("a database");
        let (host, _) = state_url.rsplit_once('/').expect("the URL of a database");
        migrate(&format!("{host}/{making}")).expect("tables");
        // Whoever sees it under its name sees all of it.
        client.batch_execute(&format!("alter database {making} rename to {name}")).expect("its name");
    }
    client.execute("select pg_advisory_unlock($1)", &[&TEMPLATE_LOCK]).expect("a lock");
    name
}

/// Memory that looks like a disk. No test takes the power away, and files are synced often.
const QUICK: &str = "/dev/shm";

fn folder() -> TempDir {
    tempfile::tempdir_in(QUICK).or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// A database and streams that last as long as a test.
pub struct Place {
    name: String,
    admin_url: String,
    nats: String,
    pub state_url: String,
    pub journal_url: String,
    /// Where its bucket is: a folder.
    bucket: TempDir,
}

impl Place {
    /// Makes them.
    pub fn new() -> Place {
        Place::on(&server(POSTGRESQL), &server(NATS), 1)
    }

    /// Makes them on some servers, with so many copies of each message of the stream.
    pub fn on(postgresql: &str, nats: &str, replicas: usize) -> Place {
        let name = format!("t{:016x}", rand::random::<u64>());
        let (admin_url, nats) = (postgresql.to_owned(), nats.to_owned());
        let (base, _) = admin_url.rsplit_once('/').expect("the URL of a database");
        let (scheme, host) = base.split_once("://").expect("the URL of a database");
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        // Rows are kept apart for everybody but a superuser.
        let state_url = format!("{scheme}://muster_test@{host}/{name}");
        let journal_url = format!("{nats}?stream={name}&lanes=2&replicas={replicas}&bytes_max=67108864");
        let (admin, database, state) = (admin_url.clone(), name.clone(), state_url.clone());
        aside(move || {
            let mut client = Client::connect(&admin, NoTls).expect("PostgreSQL answers");
            let template = template(&mut client, &state);
            let make = format!("create database {database} template {template} owner muster_test");
            client.batch_execute(&make).expect("a database");
        });
        let bucket = folder();
        Place { name, admin_url, nats, state_url, journal_url, bucket }
    }

    /// What the names of its streams begin with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its streams are.
    pub fn nats(&self) -> Vec<async_nats::ServerAddr> {
        self.nats.split(',').map(|server| server.parse().expect("a server")).collect()
    }

    /// Files of its history, whether they count or not.
    pub fn files(&self) -> usize {
        let (mut files, mut directories) = (0, vec![self.bucket.path().join("bucket")]);
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
                match entry.path().is_dir() {
                    true => directories.push(entry.path()),
                    false => files += usize::from(entry.path().extension().is_some_and(|kind| kind == "parquet")),
                }
            }
        }
        files
    }

    /// Where its history goes.
    pub fn history_url(&self) -> String {
        format!("file://{}/bucket", self.bucket.path().display())
    }

    /// Where all of it is, for a process of its own.
    pub fn urls(&self) -> String {
        format!("{} {} {}", self.state_url, self.journal_url, self.history_url())
    }

    /// Options for tests: little patience, and files of few messages.
    pub fn options(&self) -> Options {
        self.options_with(&self.history_url())
    }

    /// The same with another bucket.
    pub fn options_with(&self, history_url: &str) -> Options {
        let options = Options::new(&self.state_url, &self.journal_url).expect("URLs that are right");
        let options = options.with_history(history_url, Vec::new()).expect("a bucket");
        Options {
            readers: 2,
            freshness_timeout: Duration::from_secs(30),
            directory: self.bucket.path().join("node"),
            filed_rows: FILED_ROWS,
            merged_files: MergedFiles { files_min: 3, file_bytes_max: 96 << 20 },
            ..options
        }
    }

    /// Rows of a table, of all workspaces.
    pub fn count(&self, table: &str) -> i64 {
        let (base, _) = self.admin_url.rsplit_once('/').expect("the URL of a database");
        let (url, count) = (format!("{base}/{}", self.name), format!("select count(*) from {table}"));
        aside(move || {
            let mut client = Client::connect(&url, NoTls).expect("PostgreSQL answers");
            client.query_one(&count, &[]).expect("a table").get(0)
        })
    }

    pub fn open(&self, options: Options) -> Cluster {
        aside(move || Cluster::open(options)).expect("the engine opens")
    }
}

/// Files of few messages, so that there are many, and somebody is killed who writes one.
const FILED_ROWS: FiledRows = FiledRows { rows_max: 20, bytes_max: 1 << 20 };

/// Runs a node on what [`Place::urls`] said until whoever started this process is gone, if it was not killed before.
pub fn run_node(urls: &str) {
    let [state, journal, history] = urls.split(' ').collect::<Vec<_>>().try_into().expect("three URLs");
    let options = Options::new(state, journal).and_then(|options| options.with_history(history, Vec::new()));
    let options = Options { filed_rows: FILED_ROWS, ..options.expect("URLs that are right") };
    let _node = Cluster::open(options).expect("the engine opens");
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
}

impl Drop for Place {
    fn drop(&mut self) {
        let (admin, database, nats) = (self.admin_url.clone(), self.name.clone(), self.nats.clone());
        // What cannot be removed goes with the servers.
        let _ = std::thread::spawn(move || {
            if let Ok(mut client) = Client::connect(&admin, NoTls) {
                let _ = client.batch_execute(&format!("drop database if exists {database} with (force)"));
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let servers: Vec<async_nats::ServerAddr> =
                    nats.split(',').filter_map(|server| server.parse().ok()).collect();
                let Ok(client) = async_nats::connect(servers).await else { return };
                let context = async_nats::jetstream::new(client);
                for lane in 0..2 {
                    let _ = context.delete_stream(format!("{database}_{lane}")).await;
                }
            });
        })
        .join();
    }
}
