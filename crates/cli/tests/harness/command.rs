//! Running the other commands of the executable to their end.
//!
//! A command that does not end by itself is ended after a minute and fails the test.

use std::io::Read;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::server::muster;

const PATIENCE: Duration = Duration::from_secs(60);

/// What a command left behind.
pub struct Outcome {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// Fails unless the command succeeded; hands out its data.
    #[track_caller]
    pub fn succeeded(self) -> String {
        assert!(self.status.success(), "{}\nstdout: {}\nstderr: {}", self.status, self.stdout, self.stderr);
        self.stdout
    }

    /// Fails unless the command reported a failure in its status; hands out all it said.
    #[track_caller]
    pub fn failed(self) -> String {
        let said = self.said();
        assert!(!self.status.success(), "expected a failure, got:\n{said}");
        assert_ne!(self.status.code(), Some(101), "a failure is a message, not a panic:\n{said}");
        said
    }

    /// Both streams.
    pub fn said(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }
}

/// Runs `muster ARGUMENTS` in `directory`.
pub fn run(directory: &Path, arguments: &[&str]) -> Outcome {
    run_with(directory, arguments, &[])
}

/// The same with environment variables.
pub fn run_with(directory: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Outcome {
    let mut command = muster(directory);
    command.args(arguments).envs(settings.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the muster executable starts");
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let until = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break status;
        }
        if Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            panic!("muster {arguments:?} did not end within {PATIENCE:?}");
        }
        sleep(Duration::from_millis(5));
    };
    Outcome { status, stdout: stdout.join().expect("a reader"), stderr: stderr.join().expect("a reader") }
}

/// Creates a key with `muster keys create --json` and hands out its token.
#[track_caller]
pub fn create_key(directory: &Path, data_dir: &Path, workspace: &str, scope: &str, name: &str) -> String {
    let data_dir = data_dir.to_str().expect("temporary paths are text");
    let arguments = ["keys", "create", "--workspace", workspace, "--scope", scope, "--name", name];
    let arguments = [&arguments[..], &["--data-dir", data_dir, "--json"]].concat();
    let stdout = run(directory, &arguments).succeeded();
    let created: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"));
    created["token"].as_str().unwrap_or_else(|| panic!("no token in {stdout}")).to_owned()
}

fn collect(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    let mut stream = stream.expect("the stream is piped");
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
