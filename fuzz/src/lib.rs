//! Targets for fuzzing: whatever reads bytes of others, each with inputs that are tried first.
//!
//! A target is a test in `tests/` that hands [bolero](https://docs.rs/bolero) a function which must not panic; its inputs lie in
//! `tests/__fuzz__/TARGET/corpus`. An ordinary run of the tests tries those and a second of random ones. `scripts/fuzz` builds
//! the same targets so that libFuzzer sees which code an input reaches, and looks for inputs that reach more.
//!
//! Here is only what holds a corpus to the program: inputs that it writes itself have to be those that it writes today.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

// The runner builds this as a test, too, and what is instrumented cannot be linked without libFuzzer.
#[cfg(test)]
use bolero as _;

/// Compares an input in the corpus of a target with what the program writes now; with `MUSTER_FUZZ_RENEW` set, replaces it.
///
/// # Panics
/// When they differ, or the file cannot be written.
pub fn hold_to(target: &str, name: &str, written: &[u8]) {
    let path = corpus(target).join(name);
    if env::var_os("MUSTER_FUZZ_RENEW").is_some() {
        fs::write(&path, written).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let kept = fs::read(&path).unwrap_or_default();
    assert!(kept == written, "{} is not what is written today; MUSTER_FUZZ_RENEW=1 replaces it", path.display());
}

/// Where the inputs of a target lie.
pub fn corpus(target: &str) -> PathBuf {
    // As cargo says now: what runs may have been built in another checkout that shares the target directory.
    let here = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&here).join("tests/__fuzz__").join(target).join("corpus")
}
