//! The servers under measurement, as processes of their own.
//!
//! Both are this very program. A child never outlives its owner; its surroundings are clean of settings, so that what
//! is measured does not depend on the shell it was started from.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    client::Client,
    config::environment::{self, is_ours, variable_of},
    local::LocalServer,
};

const READY_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(600);
const LOOK_PAUSE: Duration = Duration::from_millis(10);
/// A server is at rest after so many looks in a row at which it had used next to no processor time.
const QUIET_LOOKS: u32 = 3;
const QUIET_PAUSE: Duration = Duration::from_millis(100);
const QUIET_TIMEOUT: Duration = Duration::from_secs(120);

/// A running server process.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the servers keep their things during a benchmark; removed at the end.
pub struct Home(PathBuf);

impl Home {
    /// A new directory below `parent`.
    pub fn new(parent: &Path) -> anyhow::Result<Home> {
        let parent = fs::canonicalize(parent).with_context(|| format!("{} cannot be used", parent.display()))?;
        let path = parent.join(format!("muster-bench-{}", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("{} cannot be made", path.display()))?;
        Ok(Home(path))
    }

    pub fn data_dir(&self) -> PathBuf {
        self.0.join("data")
    }

    fn log(&self) -> PathBuf {
        self.0.join("server.log")
    }

    /// The end of what the server said.
    fn said(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn this_program() -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("the running program cannot be found")?);
    for (name, _) in std::env::vars_os() {
        if is_ours(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    Ok(command)
}

/// Starts the product in an empty data directory, without a limit on requests.
pub fn start_product(home: &Home, config: Option<&Path>, token: &str) -> anyhow::Result<Server> {
    let log = File::create(home.log()).context("the server's log cannot be written")?;
    let mut command = this_program()?;
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(home.data_dir());
    if let Some(config) = config {
        command.arg("--config").arg(fs::canonicalize(config).with_context(|| config.display().to_string())?);
    }
    command
        .current_dir(&home.0)
        .env(environment::BOOTSTRAP_TOKEN, token)
        .env(variable_of("limits.requests_per_minute"), u32::MAX.to_string())
        .env(variable_of("log.level"), "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    let mut child = command.spawn().context("the server cannot be started")?;
    let until = Instant::now() + READY_TIMEOUT;
    loop {
        let address = LocalServer::read(&home.data_dir())?.and_then(|local| address_of(&local.url));
        if let Some(address) = address.filter(|address| is_ready(*address)) {
            return Ok(Server { child, address });
        }
        let ended = child.try_wait().context("the server cannot be waited for")?;
        if ended.is_some() || Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            bail!("the server did not become ready:\n{}", home.said());
        }
        thread::sleep(LOOK_PAUSE);
    }
}

/// Starts the server that parses and drops.
pub fn start_baseline(home: &Home) -> anyhow::Result<Server> {
    let mut command = this_program()?;
    command.args(["bench", "--baseline-server"]).current_dir(&home.0);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .context("the baseline server cannot be started")?;
    let mut line = String::new();
    let stdout = child.stdout.take().context("standard output is piped")?;
    let told = BufReader::new(stdout).read_line(&mut line);
    match told.ok().and_then(|_| line.trim().parse().ok()) {
        Some(address) => Ok(Server { child, address }),
        None => {
            let _ = child.kill();
            let _ = child.wait();
            bail!("the baseline server did not say where it listens")
        }
    }
}

/// The address in `http://ADDRESS:PORT`.
pub fn address_of(url: &str) -> Option<SocketAddr> {
    let rest = url.strip_prefix("http://")?.trim_end_matches('/');
    rest.replace("localhost", "127.0.0.1").parse().ok()
}

fn is_ready(address: SocketAddr) -> bool {
    let client = Client::new(&format!("http://{address}"), None, Duration::from_secs(5));
    client.ok().and_then(|client| client.get("/readyz").ok()).is_some_and(|answer| answer.status == 200)
}

impl Server {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks for a graceful stop and waits for it.
    pub fn stop(mut self) -> anyhow::Result<ExitStatus> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).context("the server is gone already")?;
        let until = Instant::now() + STOP_TIMEOUT;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(LOOK_PAUSE);
        }
        bail!("the server did not stop within {STOP_TIMEOUT:?}")
    }
}

/// The most memory that a process ever had resident, in bytes; `None` where the system does not tell.
pub fn memory_peak_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1_024)
}

/// Waits until a process has no more work to do, and says for how long it had.
pub fn settle(pid: u32) -> Duration {
    let started = Instant::now();
    let mut worked = Duration::ZERO;
    let mut quiet = 0;
    let mut before = processor_ticks(pid);
    while quiet < QUIET_LOOKS && started.elapsed() < QUIET_TIMEOUT {
        thread::sleep(QUIET_PAUSE);
        let now = processor_ticks(pid);
        match (before, now) {
            (Some(earlier), Some(later)) if later > earlier + 1 => {
                quiet = 0;
                worked = started.elapsed();
            }
            (Some(_), Some(_)) => quiet += 1,
            _ => return worked,
        }
        before = now;
    }
    worked
}

/// Processor time of a process, user and system; `None` where the system does not tell.
pub fn processor_seconds(pid: u32) -> Option<f64> {
    processor_ticks(pid).map(|ticks| ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// Processor time of a process in ticks, user and system.
fn processor_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything; what follows its last parenthesis are numbers, user and system time the 12th and 13th.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system) = (fields.next()?.parse::<u64>().ok()?, fields.next()?.parse::<u64>().ok()?);
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_urls() {
        assert_eq!(address_of("http://127.0.0.1:80/"), Some(SocketAddr::from(([127, 0, 0, 1], 80))));
        assert_eq!(address_of("http://localhost:80"), Some(SocketAddr::from(([127, 0, 0, 1], 80))));
        assert_eq!(address_of("https://127.0.0.1:80"), None);
        assert_eq!(address_of("http://example.com"), None);
    }

    #[test]
    fn the_system_tells_about_this_process() {
        let pid = std::process::id();
        assert!(memory_peak_bytes(pid).unwrap() > 1 << 20);
        assert!(processor_ticks(pid).is_some());
        assert_eq!(memory_peak_bytes(u32::MAX), None);
        assert_eq!(settle(u32::MAX), Duration::ZERO);
    }
}
