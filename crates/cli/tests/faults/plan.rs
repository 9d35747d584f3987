//! What is to fail under a server, changed while it runs.
//!
//! A [`Plan`] is a file that the shim reads through a mapping; writing to the file changes what the next call meets. A
//! new plan lets everything through. The shim counts what it let fail, so that a test can see that a fault was met.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::harness::files::of_tests;
use super::harness::home::Home;
use super::harness::server::Launch;

/// What a path belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Journal,
    History,
    State,
    Other,
}

impl Part {
    pub const ALL: [Part; 4] = [Part::Journal, Part::History, Part::State, Part::Other];
}

/// What is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Bytes into a file, its length.
    Write,
    Sync,
    Read,
    /// Making, opening for writing, renaming and removing files and directories.
    Name,
}

const CALLS: usize = 4;
const SHORT_WRITES_AT: usize = Part::ALL.len() * CALLS * 4;
const CLOCK_AT: usize = SHORT_WRITES_AT + 8;
const FAILED_AT: usize = CLOCK_AT + 8;
const PLAN_BYTES: usize = FAILED_AT + 8;

/// The plan of one data directory.
pub struct Plan {
    file: File,
    path: PathBuf,
    shim: PathBuf,
}

impl Plan {
    /// Compiles the shim and makes a plan in which nothing fails.
    pub fn new(home: &Home) -> Plan {
        Plan::named(home, "plan")
    }

    /// The same, where one home has several.
    pub fn named(home: &Home, name: &str) -> Plan {
        let shim = home.path().join(format!("{name}.so"));
        let source = of_tests("faults/shim.c");
        let mut cc = Command::new("cc");
        cc.args(["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]).arg(&shim).arg(source);
        assert!(cc.status().expect("a C compiler, named cc").success(), "the shim compiles");
        let path = home.file(&format!("{name}.faults"), vec![0; PLAN_BYTES]);
        let file = File::options().read(true).write(true).open(&path).unwrap();
        Plan { file, path, shim }
    }

    /// A server over the home's data directory, under this plan.
    pub fn launch(&self, home: &Home) -> Launch {
        let root = fs::canonicalize(home.path()).unwrap().join("data");
        self.under(Launch::at(&root, &home.log()), &root)
    }

    /// A server over a data directory, under this plan.
    pub fn under(&self, launch: Launch, root: &Path) -> Launch {
        launch
            .set("LD_PRELOAD", self.shim.display())
            .set("FAULTS_ROOT", root.display())
            .set("FAULTS_PLAN", self.path.display())
    }

    /// Lets calls fail from now on.
    pub fn fail(&self, faults: &[(Part, Call, i32)]) {
        for (part, call, error) in faults {
            let at = (*part as usize * CALLS + *call as usize) * 4;
            self.put(at, &error.to_ne_bytes());
        }
    }

    /// Lets everything through again; the clock keeps its place.
    pub fn heal(&self) {
        self.put(0, &[0; SHORT_WRITES_AT + 4]);
    }

    /// Lets every write stop half way.
    pub fn write_short(&self) {
        self.put(SHORT_WRITES_AT, &1i32.to_ne_bytes());
    }

    /// Makes each sync of the journal take so much longer.
    pub fn slow_down(&self, micros: i32) {
        self.put(SHORT_WRITES_AT + 4, &micros.to_ne_bytes());
    }

    /// Sets the wall clock so far from the true time.
    pub fn set_clock(&self, offset_seconds: i64) {
        self.put(CLOCK_AT, &offset_seconds.to_ne_bytes());
    }

    /// How many calls were made to fail.
    pub fn failed(&self) -> i64 {
        let mut count = [0; 8];
        self.file.read_exact_at(&mut count, FAILED_AT as u64).unwrap();
        i64::from_ne_bytes(count)
    }

    fn put(&self, at: usize, bytes: &[u8]) {
        self.file.write_all_at(bytes, at as u64).unwrap();
    }
}
