//! The same tests on a cluster: with `MUSTER_TEST_CLUSTER` set, every program that the harness starts has PostgreSQL and
//! JetStream for its store instead of the data directory.
//!
//! Each directory that programs run in has a database and streams of its own, made when the first of them starts and found
//! again by those after it; they go with the test's [`Home`](super::home::Home), and stay for inspection when it fails. The
//! servers are those of `scripts/servers`. Tests that mean nothing on a cluster are named in `.config/nextest.toml`, with
//! the reasons.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use postgres::{Client, NoTls};

const POSTGRESQL: &str = "MUSTER_TEST_POSTGRESQL_URL";
const NATS: &str = "MUSTER_TEST_NATS_URL";
const LANES: u32 = 2;
/// Room for what tests send, and no more: the servers set it aside.
const STREAM_BYTES: u64 = 128 << 20;
/// Held while the database is made that others are copied from.
const TEMPLATE_LOCK: i64 = 0x7465_6d71;

/// The clusters of this process, by the directories that programs run in.
static PLACES: Mutex<BTreeMap<PathBuf, Place>> = Mutex::new(BTreeMap::new());

/// Set by tests that are about a cluster alone.
static WANTED: AtomicBool = AtomicBool::new(false);

/// Directories whose programs run on a cluster although others do not.
static WANTED_IN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Has every program that runs in a directory run on a cluster.
pub fn wanted_in(directory: &Path) {
    WANTED_IN.lock().unwrap_or_else(PoisonError::into_inner).insert(directory.to_owned());
}

fn is_on_in(directory: &Path) -> bool {
    is_on() || WANTED_IN.lock().unwrap_or_else(PoisonError::into_inner).contains(directory)
}

/// Whether tests run on a cluster.
pub fn is_on() -> bool {
    WANTED.load(Ordering::Relaxed) || std::env::var_os("MUSTER_TEST_CLUSTER").is_some_and(|value| !value.is_empty())
}

/// Has every program from here on run on a cluster, whatever the environment says.
pub fn wanted() {
    WANTED.store(true, Ordering::Relaxed);
}

/// A database and streams of a name.
struct Place {
    name: String,
}

/// Says to a program that runs in `directory` which cluster it belongs to, if tests run on one.
pub fn join(command: &mut Command, directory: &Path) {
    if !is_on_in(directory) {
        return;
    }
    let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    let place = places.entry(directory.to_owned()).or_insert_with(|| Place::make(command.get_program().as_ref()));
    command.env("MUSTER_CLUSTER__STATE_URL", place.state_url());
    command.env("MUSTER_CLUSTER__JOURNAL_URL", place.journal_url());
    command.env("MUSTER_CLUSTER__HISTORY_URL", place.history_url());
}

/// The folder in which the cluster of a directory has its history; none if nothing was started there yet.
pub fn bucket_of(directory: &Path) -> Option<PathBuf> {
    PLACES.lock().unwrap_or_else(PoisonError::into_inner).get(directory).map(Place::bucket)
}

/// Removes the clusters of a directory and of those below it.
pub fn remove_below(directory: &Path) {
    let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    let gone: Vec<PathBuf> = places.keys().filter(|path| path.starts_with(directory)).cloned().collect();
    for place in gone.iter().filter_map(|path| places.remove(path)) {
        place.remove();
    }
}

/// The clusters of a directory and of those below it, for whoever looks into a failure.
pub fn shown_below(directory: &Path) -> Vec<String> {
    let places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    let below = places.iter().filter(|(path, _)| path.starts_with(directory));
    below.map(|(_, place)| place.state_url()).collect()
}

fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: start the servers that these tests need with eval \"$(scripts/servers start)\"")
    })
}

fn administrator() -> Client {
    Client::connect(&server(POSTGRESQL), NoTls).expect("PostgreSQL answers")
}

/// The URL of a database, of somebody for whom rows are kept apart, as they are for everybody but a superuser.
fn database_url(name: &str) -> String {
    let url = server(POSTGRESQL);
    let (base, _) = url.rsplit_once('/').expect("the URL of a database");
    let (scheme, host) = base.split_once("://").expect("the URL of a database");
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://muster_test@{host}/{name}")
}

impl Place {
    /// A database with all tables and nothing in them; streams are made by the first node that starts.
    fn make(program: &Path) -> Place {
        let place = Place { name: format!("c{:016x}", rand::random::<u64>()) };
        let mut client = administrator();
        let template = template(&mut client, program);
        let make = format!("create database {} template {template} owner muster_test", place.name);
        client.batch_execute(&make).expect("a database");
        place
    }

    fn state_url(&self) -> String {
        database_url(&self.name)
    }

    fn journal_url(&self) -> String {
        format!("{}?stream={}&lanes={LANES}&replicas=1&bytes_max={STREAM_BYTES}", server(NATS), self.name)
    }

    /// A folder; what lies in a bucket behind S3 is tested with the engine.
    fn history_url(&self) -> String {
        format!("file://{}", self.bucket().display())
    }

    fn bucket(&self) -> PathBuf {
        std::env::temp_dir().join(format!("muster-bucket-{}", self.name))
    }

    /// What cannot be removed goes with the servers.
    fn remove(self) {
        let _ = std::fs::remove_dir_all(self.bucket());
        let _ = administrator().batch_execute(&format!("drop database if exists {} with (force)", self.name));
        for lane in 0..LANES {
            let _ = delete_stream(&format!("{}_{lane}", self.name));
        }
    }
}

/// The database that others are copied from, which is quicker than making the tables; made by the first test of all with
/// the program itself, and again for a program that makes others.
fn template(client: &mut Client, program: &Path) -> String {
    let name = format!("muster_program_{:016x}", tables());
    client.execute("select pg_advisory_lock($1)", &[&TEMPLATE_LOCK]).expect("a lock");
    let known = client.query_opt("select from pg_database where datname = $1", &[&name]).expect("the databases");
    if known.is_none() {
        let role = "do $$ begin create role muster_test login; exception when duplicate_object or unique_violation then null; end $$";
        client.batch_execute(role).expect("a role");
        let making = format!("{name}_making");
        client.batch_execute(&format!("drop database if exists {making}")).expect("nothing that was begun");
        client.batch_execute(&format!("create database {making} owner muster_test")).expect("a database");
        let mut migrate = Command::new(program);
        super::server::clean(&mut migrate);
        migrate.arg("migrate").env("MUSTER_CLUSTER__STATE_URL", database_url(&making));
        migrate.env("MUSTER_CLUSTER__JOURNAL_URL", server(NATS));
        let migrated = migrate.output().expect("the muster executable starts");
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        // Whoever sees it under its name sees all of it.
        client.batch_execute(&format!("alter database {making} rename to {name}")).expect("its name");
    }
    client.execute("select pg_advisory_unlock($1)", &[&TEMPLATE_LOCK]).expect("a lock");
    name
}

/// A number that changes with the files that make the tables.
fn tables() -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    for file in super::files::all_files(&super::files::of_tests("../../cluster/migrations")) {
        std::fs::read(&file).expect("a file that makes tables").hash(&mut hasher);
    }
    hasher.finish()
}

/// Asks a server of NATS, in its own words, to delete a stream.
fn delete_stream(name: &str) -> std::io::Result<()> {
    let urls = server(NATS);
    let address = urls.split(',').next().and_then(|url| url.rsplit("://").next()).unwrap_or_default().to_owned();
    let mut connection = TcpStream::connect(address)?;
    let delete =
        format!("CONNECT {{\"verbose\":false}}\r\nSUB done 1\r\nPUB $JS.API.STREAM.DELETE.{name} done 0\r\n\r\n");
    connection.write_all(delete.as_bytes())?;
    let mut said = BufReader::new(connection).lines();
    // Its answer is a message, and an error would be one line.
    while said.next().transpose()?.is_some_and(|line| !line.starts_with("MSG") && !line.starts_with("-ERR")) {}
    Ok(())
}
