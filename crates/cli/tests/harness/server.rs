//! Starting, stopping, killing and observing the `muster serve` process.
//!
//! A server listens on a loopback port that the system chooses; it is ready when it has written `local.json` into its
//! data directory and answers `GET /readyz` with 200. Settings come from the test alone: `MUSTER_` variables of the
//! surrounding environment are removed. A server never outlives its [`Server`].

use std::fs::{self, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use serde_json::Value;

use super::cluster;
use super::home::{Home, tail};
use super::http::Client;

/// The token of workspace `default`, every scope.
pub const TOKEN: &str = "test-bootstrap-4f1d7c02b9e84a3c";

/// How long a server may take to become ready, or to stop when asked.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a server is to be started.
#[derive(Clone)]
pub struct Launch {
    data_dir: PathBuf,
    log: PathBuf,
    listen: String,
    settings: Vec<(String, String)>,
    handles_max: Option<u64>,
}

impl Launch {
    /// A server over `home`'s data directory, with limits that do not get in the way of tests of other things.
    pub fn new(home: &Home) -> Launch {
        Launch::at(&home.data_dir(), &home.log())
    }

    /// The same for a data directory of the test's own.
    pub fn at(data_dir: &Path, log: &Path) -> Launch {
        let launch = Launch {
            data_dir: data_dir.to_owned(),
            log: log.to_owned(),
            listen: "127.0.0.1:0".to_owned(),
            settings: Vec::new(),
            handles_max: None,
        };
        launch.set("MUSTER_BOOTSTRAP_TOKEN", TOKEN).set("MUSTER_LIMITS__REQUESTS_PER_MINUTE", 6_000_000)
    }

    /// Sets an environment variable of the server; the last value given for a name stands.
    pub fn set(self, name: &str, value: impl ToString) -> Launch {
        let mut launch = self.unset(name);
        launch.settings.push((name.to_owned(), value.to_string()));
        launch
    }

    /// With so many file handles, and no way to have more.
    pub fn handles_max(self, handles: u64) -> Launch {
        Launch { handles_max: Some(handles), ..self }
    }

    /// At an address that an earlier server had.
    pub fn listening_on(self, address: SocketAddr) -> Launch {
        Launch { listen: address.to_string(), ..self }
    }

    /// Takes back a setting.
    pub fn unset(mut self, name: &str) -> Launch {
        self.settings.retain(|(known, _)| known != name);
        self
    }

    /// Small checkpoints and eager compaction, so that short tests go through many of both.
    pub fn restless(self, rows: u64) -> Launch {
        self.set("MUSTER_CHECKPOINT__ROWS_MAX", rows)
            .set("MUSTER_CHECKPOINT__INTERVAL_SECONDS", 1)
            .set("MUSTER_COMPACTION__FILES_MIN", 3)
    }

    /// Starts the process and waits for nothing.
    pub fn spawn(&self) -> Starting {
        let local = self.data_dir.join("local.json");
        let _ = fs::remove_file(&local);
        let from = fs::metadata(&self.log).map(|about| about.len()).unwrap_or(0);
        let log = OpenOptions::new().create(true).append(true).open(&self.log).expect("a log file");
        let mut command = muster(self.log.parent().expect("the log lies in a directory"));
        if let Some(handles) = self.handles_max {
            command = within(&command, handles);
        }
        command.args(["serve", "--listen", &self.listen, "--data-dir"]).arg(&self.data_dir);
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle")).stderr(log);
        let child = command.spawn().expect("the muster executable starts");
        Starting { child: Running(child), local, log: self.log.clone(), from }
    }

    /// Starts the process and waits until it is ready.
    #[track_caller]
    pub fn start(&self) -> Server {
        started(self.spawn().ready())
    }

    /// Starts the process and waits until it answers anything at all, behind TLS too.
    #[track_caller]
    pub fn start_unready(&self) -> Server {
        started(self.spawn().answers("/healthz", |_| true))
    }
}

/// A server, or a failed test that shows what the server said.
#[track_caller]
fn started(result: Result<Server, Failure>) -> Server {
    match result {
        Ok(server) => server,
        Err(failure) => panic!("the server did not become ready ({:?}):\n{}", failure.status, failure.log),
    }
}

/// The executable under test with a clean environment, to be run in `directory`. Long runs name one of their own in
/// `MUSTER_TEST_PROGRAM`, which a build meanwhile does not replace.
pub fn muster(directory: &Path) -> Command {
    let program = std::env::var_os("MUSTER_TEST_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_muster").into());
    let mut command = Command::new(program);
    clean(&mut command);
    command.current_dir(directory);
    cluster::join(&mut command, directory);
    command
}

/// Takes settings of the surrounding environment away from a program.
pub fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MUSTER_") {
            command.env_remove(name);
        }
    }
}

/// The same command under a limit of file handles, the soft one and the hard one.
fn within(command: &Command, handles: u64) -> Command {
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n \"$1\" && shift && exec \"$@\"", "sh", &handles.to_string()]);
    limited.arg(command.get_program());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        limited.current_dir(directory);
    }
    limited
}

/// A child process that ends with its owner.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server that was started and may not be ready yet.
pub struct Starting {
    child: Running,
    local: PathBuf,
    log: PathBuf,
    from: u64,
}

/// Why a server did not become ready.
#[derive(Debug)]
pub struct Failure {
    /// How it ended; `None` when it was still running after [`PATIENCE`].
    pub status: Option<ExitStatus>,
    /// What it said since it was started.
    pub log: String,
}

impl Starting {
    /// Waits for readiness, for the end of the process, or for patience to run out.
    pub fn ready(self) -> Result<Server, Failure> {
        self.answers("/readyz", |status| status == 200)
    }

    /// The same until this path is answered as wanted.
    fn answers(mut self, path: &str, wanted: fn(u16) -> bool) -> Result<Server, Failure> {
        let until = Instant::now() + PATIENCE;
        let address = loop {
            if let Some(address) = self.address() {
                break address;
            }
            self.check_alive(until)?;
        };
        // Behind TLS a plain client gets an answer too: that it should speak TLS.
        let mut client = Client::new(address, None);
        while !client.get(path).is_ok_and(|answer| wanted(answer.status)) {
            self.check_alive(until)?;
        }
        Ok(Server { child: self.child, address, local: self.local })
    }

    /// Ends the process as a power switch would, wherever it is.
    pub fn kill(self) {
        drop(self);
    }

    fn address(&self) -> Option<SocketAddr> {
        let local: Value = serde_json::from_slice(&fs::read(&self.local).ok()?).ok()?;
        let url = local["url"].as_str()?;
        url.rsplit("://").next()?.trim_end_matches('/').parse().ok()
    }

    fn check_alive(&mut self, until: Instant) -> Result<(), Failure> {
        let status = self.child.0.try_wait().expect("a child can be waited for");
        if status.is_some() || Instant::now() > until {
            return Err(Failure { status, log: self.said() });
        }
        sleep(Duration::from_millis(5));
        Ok(())
    }

    fn said(&self) -> String {
        let all = fs::read(&self.log).unwrap_or_default();
        let from = usize::try_from(self.from).unwrap_or(0).min(all.len());
        tail(&String::from_utf8_lossy(&all[from..]), 200)
    }
}

/// A server that is ready.
pub struct Server {
    child: Running,
    local: PathBuf,
    pub address: SocketAddr,
}

impl Server {
    /// A client with the bootstrap token.
    pub fn client(&self) -> Client {
        self.client_of(TOKEN)
    }

    /// A client with another token.
    pub fn client_of(&self, token: &str) -> Client {
        Client::new(self.address, Some(&format!("Basic {token}")))
    }

    /// A client that names itself as the text says, or not at all.
    pub fn client_with(&self, authorization: Option<&str>) -> Client {
        Client::new(self.address, authorization)
    }

    /// The file by which commands on the same machine find this server.
    pub fn local_file(&self) -> &Path {
        &self.local
    }

    /// SIGKILL; returns when the process is gone.
    pub fn kill(self) {
        drop(self);
    }

    /// SIGTERM, without waiting.
    pub fn ask_to_stop(&self) {
        let pid = Pid::from_child(&self.child.0);
        kill_process(pid, Signal::TERM).expect("the server process is still there");
    }

    /// SIGHUP, without waiting.
    pub fn hang_up(&self) {
        kill_process(Pid::from_child(&self.child.0), Signal::HUP).expect("the server process is still there");
    }

    /// Waits for the end of a process that was asked to stop.
    #[track_caller]
    pub fn wait(mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.0.try_wait().expect("a child can be waited for") {
                return status;
            }
            assert!(Instant::now() < until, "the server did not stop within {PATIENCE:?} after SIGTERM");
            sleep(Duration::from_millis(5));
        }
    }

    /// SIGTERM; the process must end by itself, in order.
    #[track_caller]
    pub fn stop(self) {
        self.ask_to_stop();
        let status = self.wait();
        assert!(status.success(), "after SIGTERM the server ended with {status}");
    }

    /// The most memory the process ever had resident, in bytes.
    pub fn memory_peak_bytes(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    /// The memory that the process has resident now, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// How many file handles the process has open.
    pub fn handles(&self) -> usize {
        fs::read_dir(self.proc("fd")).expect("the process is there").count()
    }

    /// The greatest number that one of its open file handles has.
    pub fn greatest_handle(&self) -> u64 {
        let names = fs::read_dir(self.proc("fd")).expect("the process is there");
        let numbers = names.filter_map(|name| name.ok()?.file_name().to_str()?.parse().ok());
        numbers.max().expect("it has some open")
    }

    /// Bounds the numbers that its file handles may have from now on.
    pub fn limit_handles(&self, handles: u64) {
        let limit = Rlimit { current: Some(handles), maximum: getrlimit(Resource::Nofile).maximum };
        let pid = Pid::from_child(&self.child.0);
        prlimit(Some(pid), Resource::Nofile, limit).expect("the limit of a child can be set");
    }

    fn status_bytes(&self, name: &str) -> u64 {
        let status = fs::read_to_string(self.proc("status")).expect("the process is there");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux reports it");
        line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("a number of kB") * 1024
    }

    /// Processor time used so far, user and system, in clock ticks.
    pub fn cpu_ticks(&self) -> u64 {
        let stat = fs::read_to_string(self.proc("stat")).expect("the process is there");
        let (_, after_name) = stat.rsplit_once(')').expect("the name stands in parentheses");
        // The state is the third field of the line and the first here; utime and stime are the 14th and 15th.
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        fields[11].parse::<u64>().expect("ticks") + fields[12].parse::<u64>().expect("ticks")
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.child.0.id()))
    }
}
