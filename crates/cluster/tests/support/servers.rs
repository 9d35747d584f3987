//! Servers of a test's own, which it may kill.

#![allow(dead_code, reason = "each test file uses its part of this")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use postgres::{Client, NoTls};

/// A PostgreSQL and three nodes of NATS; they end with it.
pub struct Servers {
    directory: PathBuf,
    pub postgresql: String,
    pub nats: String,
}

fn script(directory: &Path, network: Option<&str>, args: &[&str]) -> Output {
    // Where it runs: what was built in another checkout with these sources may be taken from the cache.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let script = Path::new(&here).join("../../scripts/servers");
    let output = Command::new(script)
        .args(args)
        .env("MUSTER_SERVERS_DIR", directory)
        .env("MUSTER_SERVERS_WITHOUT_S3", "1")
        // Processes are killed here, never the machine.
        .env("MUSTER_SERVERS_FSYNC", "off")
        .env("MUSTER_SERVERS_NETWORK", network.unwrap_or_default())
        .output()
        .expect("scripts/servers runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

impl Servers {
    /// Starts them.
    pub fn start() -> Servers {
        Servers::start_at(None)
    }

    /// Starts them, each in the namespace that a network has for it.
    pub fn start_in(network: &str) -> Servers {
        Servers::start_at(Some(network))
    }

    fn start_at(network: Option<&str>) -> Servers {
        let directory = std::env::temp_dir().join(format!("muster-faults-{:016x}", rand::random::<u64>()));
        let started = script(&directory, network, &["start"]);
        let printed = String::from_utf8(started.stdout).expect("text");
        let value = |name: &str| {
            let line = printed.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")));
            line.unwrap_or_else(|| panic!("{name} is missing in {printed}")).to_owned()
        };
        let (postgresql, nats) = (value("MUSTER_TEST_POSTGRESQL_URL"), value("MUSTER_TEST_NATS_URL"));
        Servers { directory, postgresql, nats }
    }

    /// Kills one, as a fault would.
    pub fn kill(&self, name: &str) {
        script(&self.directory, None, &["kill", name]);
    }

    /// Starts one again with what it had on disk.
    pub fn restart(&self, name: &str) {
        script(&self.directory, None, &["restart", name]);
    }

    /// Starts all that were killed again.
    pub fn start_again(&self) {
        script(&self.directory, None, &["start"]);
    }

    /// Has PostgreSQL end at once, with a word to nobody.
    pub fn shut_down_immediately(&self) {
        let number = std::fs::read_to_string(self.directory.join("postgresql/pid")).expect("its number");
        let number = number.trim();
        assert!(Command::new("kill").args(["-QUIT", number]).status().expect("kill runs").success());
        while Path::new(&format!("/proc/{number}/stat")).exists() && !is_zombie(number) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends connections to PostgreSQL that a condition on `pg_stat_activity` names.
    pub fn end_connections(&self, condition: &str) {
        let mut client = Client::connect(&self.postgresql, NoTls).expect("PostgreSQL answers");
        let end = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and {condition}"
        );
        client.batch_execute(&end).expect("connections end");
    }

    /// Where one keeps what it has.
    pub fn home(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

fn is_zombie(number: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{number}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

impl Drop for Servers {
    fn drop(&mut self) {
        // What fails here is the directory of a test that failed.
        if !std::thread::panicking() {
            script(&self.directory, None, &["stop"]);
        } else {
            let _ = std::panic::catch_unwind(|| script(&self.directory, None, &["stop"]));
        }
    }
}
