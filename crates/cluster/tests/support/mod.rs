//! What the engine's own tests share: a database and streams of a test's own, on servers that somebody has started.

#![allow(dead_code, reason = "each test file uses its part of this")]

use std::time::Duration;

use muster_cluster::{Cluster, Options, migrate};
use postgres::{Client, NoTls};

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

/// A database and streams that last as long as a test.
pub struct Place {
    name: String,
    admin_url: String,
    pub state_url: String,
    pub journal_url: String,
}

impl Place {
    /// Makes them.
    pub fn new() -> Place {
        let name = format!("t{:016x}", rand::random::<u64>());
        let admin_url = server(POSTGRESQL);
        let (base, _) = admin_url.rsplit_once('/').expect("the URL of a database");
        let (scheme, host) = base.split_once("://").expect("the URL of a database");
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        // Rows are kept apart for everybody but a superuser.
        let state_url = format!("{scheme}://muster_test@{host}/{name}");
        let journal_url = format!("{}?stream={name}&lanes=2&replicas=1&bytes_max=1073741824", server(NATS));
        let (admin, database, state) = (admin_url.clone(), name.clone(), state_url.clone());
        aside(move || {
            let mut client = Client::connect(&admin, NoTls).expect("PostgreSQL answers");
            let role = "do $$ begin create role muster_test login; exception when duplicate_object or unique_violation then null; end $$";
            client.batch_execute(role).expect("a role");
            client.batch_execute(&format!("create database {database} owner muster_test")).expect("a database");
            migrate(&state).expect("tables");
        });
        Place { name, admin_url, state_url, journal_url }
    }

    /// Options for tests: little patience.
    pub fn options(&self) -> Options {
        let options = Options::new(&self.state_url, &self.journal_url).expect("URLs that are right");
        Options { readers: 2, freshness_timeout: Duration::from_secs(30), ..options }
    }

    pub fn open(&self, options: Options) -> Cluster {
        aside(move || Cluster::open(options)).expect("the engine opens")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (admin, database, nats) = (self.admin_url.clone(), self.name.clone(), server(NATS));
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
