//! Installing what is pinned, once.
//!
//! Packages go to a directory named after the pinned versions, in `MUSTER_SENDERS_CACHE`, or beside the default cache of
//! builds, outside the clone. One process installs and the others wait for it. When a registry cannot be reached, the test
//! fails and says so: what a library does cannot be told without the library.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::source;

/// The directory of Node's packages.
pub fn node() -> PathBuf {
    let pins = ["node/package.json", "node/package-lock.json"];
    let found = installed("node", &pins, |directory| {
        for pin in pins {
            let name = Path::new(pin).file_name().expect("a file's name");
            fs::copy(source(pin), directory.join(name)).expect("a pinned file is copied");
        }
        let mut command = Command::new("npm");
        command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(directory);
        run("npm", &mut command);
    });
    found.join("node_modules")
}

/// A Python that has the packages that this file of the test's own pins.
pub fn python(pins: &str) -> PathBuf {
    let found = installed("python", &[pins], |directory| {
        run("python3", Command::new("python3").args(["-m", "venv"]).arg(directory.join("venv")));
        let mut command = Command::new(directory.join("venv/bin/python"));
        command.args(["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--requirement"]);
        run("pip", command.arg(source(pins)));
    });
    found.join("venv/bin/python")
}

/// The directory for these pins, filled by `install` if nobody has done that yet.
fn installed(name: &str, pins: &[&str], install: impl FnOnce(&Path)) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    for pin in pins {
        fs::read(source(pin)).expect("a pinned file").hash(&mut hasher);
    }
    let cache = cache();
    fs::create_dir_all(&cache).expect("a directory for packages");
    let lock = File::create(cache.join(format!("{name}.lock"))).expect("a file to lock");
    lock.lock().expect("the lock is ours in the end");
    let directory = cache.join(format!("{name}-{:016x}", hasher.finish()));
    let mark = directory.join("complete");
    if !mark.exists() {
        // What an installation left that did not come to its end.
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).expect("a directory for packages");
        install(&directory);
        fs::write(&mark, "").expect("a mark in a directory of ours");
    }
    directory
}

fn cache() -> PathBuf {
    if let Some(chosen) = std::env::var_os("MUSTER_SENDERS_CACHE") {
        return chosen.into();
    }
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").expect("a home directory")).join(".cache");
    caches.unwrap_or_else(home).join("muster/senders")
}

fn run(name: &str, command: &mut Command) {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => panic!("{name} cannot be run ({error}); `scripts/test packages` installs what is missing"),
    };
    assert!(
        output.status.success(),
        "the programs of others could not be installed: {name} failed. Without its package registry, or packages installed \
         before, these tests cannot say anything; run the rest with `cargo nextest run -E 'not \
         binary(/senders|readers|connectors|console/)'`.\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
