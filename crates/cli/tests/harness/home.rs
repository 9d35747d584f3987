//! A temporary directory for one server: its data, its captured output.
//!
//! Removed when the test passes; kept, and named, when it fails, with the end of the server's output shown.
//! Never shared between tests.

use std::fs::{self, File, Permissions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::cluster;

/// What the server says of a checkpoint that is done.
pub const COMMITTED: &str = ": checkpoint rows=";

/// What says where a disk is, where directories for the time being are in memory.
const DISK: &str = "MUSTER_TEST_DISK";

/// One test's own place on disk.
pub struct Home {
    dir: TempDir,
}

impl Home {
    pub fn new() -> Home {
        let mine = Permissions::from_mode(0o700);
        let place = std::env::var_os(DISK).map_or_else(std::env::temp_dir, PathBuf::from);
        let dir = tempfile::Builder::new().prefix("muster-test-").permissions(mine).tempdir_in(place);
        Home { dir: dir.expect("a temporary directory") }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Where the server keeps its data; made by the server itself.
    pub fn data_dir(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Where the output of every server started here is collected, both streams, all starts.
    pub fn log(&self) -> PathBuf {
        self.path().join("server.log")
    }

    /// Everything that servers started here have said so far.
    pub fn log_text(&self) -> String {
        fs::read(self.log()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// How many bytes that is.
    pub fn log_bytes(&self) -> u64 {
        fs::metadata(self.log()).map_or(0, |about| about.len())
    }

    /// What they have said since the log had so many bytes.
    pub fn log_since(&self, bytes: u64) -> String {
        let mut said = Vec::new();
        let read = File::open(self.log()).and_then(|mut log| {
            log.seek(SeekFrom::Start(bytes))?;
            log.read_to_end(&mut said)
        });
        read.expect("the log can be read");
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Writes a file beside the data directory.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).expect("a file in a fresh directory");
        path
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.dir.disable_cleanup(true);
            let clusters = cluster::shown_below(self.path()).join(" ");
            eprintln!("kept for inspection: {} {clusters}\n{}", self.path().display(), tail(&self.log_text(), 40));
        } else {
            cluster::remove_below(self.path());
        }
    }
}

/// The last `lines` lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
