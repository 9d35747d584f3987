//! Random inputs for whatever reads bytes of others: made from a corpus by small and large changes.
//!
//! A target is a function that must not panic. Each runs for `MUSTER_FUZZ_SECONDS` (two by default) from a seed that is
//! printed and that `MUSTER_FUZZ_SEED` repeats. An input that made a target panic is kept in `fuzz/findings/` and becomes a
//! file of the corpus, where it is tried first for ever. It runs on the stable toolchain; it does not watch which code is
//! reached, so its corpus should hold something of everything.

use std::{
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

const SECONDS: u64 = 2;
/// Inputs do not grow beyond this.
const INPUT_BYTES_MAX: usize = 1 << 16;
/// Texts that readers of our inputs look for.
const WORDS: [&[u8]; 26] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b"null",
    b"\\u0000",
    b"\\ud800",
    b"1e400",
    b"-0",
    b"9007199254740993",
    b"\"type\"",
    b"\"traits\"",
    b"\"userId\"",
    b"\"messageId\"",
    b"\"timestamp\"",
    b"\"track\"",
    b"\"unlink\"",
    b"2024-02-30T25:61:61Z",
    b"-000001-01-01",
    b"MJF1",
    b"MUSTERJ1",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x00",
];

/// Tries a target on its corpus and then on random inputs until the time is over. Returns how many were tried.
///
/// # Panics
/// As the target does, once the input is kept.
pub fn fuzz(name: &str, more: &[Vec<u8>], target: impl Fn(&[u8])) -> u64 {
    // As cargo says now: what runs may have been built in another checkout that shares the target directory.
    let here = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let here = Path::new(&here);
    let mut corpus = read_corpus(&here.join("corpus").join(name));
    corpus.extend(more.iter().cloned());
    assert!(!corpus.is_empty(), "the corpus of {name} is empty");
    let seed = number("MUSTER_FUZZ_SEED").unwrap_or_else(rand::random);
    let until = Instant::now() + Duration::from_secs(number("MUSTER_FUZZ_SECONDS").unwrap_or(SECONDS));
    let mut rng = StdRng::seed_from_u64(seed);
    let mut tried = 0;
    for input in &corpus {
        check(here, name, seed, input, &target);
        tried += 1;
    }
    while Instant::now() < until {
        for _ in 0..64 {
            check(here, name, seed, &change(&corpus, &mut rng), &target);
        }
        tried += 64;
    }
    tried
}

fn check(here: &Path, name: &str, seed: u64, input: &[u8], target: &impl Fn(&[u8])) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        let found = here.join("findings");
        let path = found.join(format!("{name}-{seed}"));
        // Whether or not it can be kept, the panic goes on.
        let _ = fs::create_dir_all(&found).and_then(|()| fs::write(&path, input));
        resume_unwind(panic);
    }
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

fn read_corpus(dir: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().filter_map(|path| fs::read(path).ok()).collect()
}

/// An input of the corpus, changed in a few places.
fn change(corpus: &[Vec<u8>], rng: &mut StdRng) -> Vec<u8> {
    let mut input = corpus.choose(rng).cloned().unwrap_or_default();
    for _ in 0..rng.random_range(1..6) {
        change_once(&mut input, corpus, rng);
    }
    input.truncate(INPUT_BYTES_MAX);
    input
}

fn change_once(input: &mut Vec<u8>, corpus: &[Vec<u8>], rng: &mut StdRng) {
    let at = rng.random_range(0..=input.len());
    let until = rng.random_range(at..=input.len().min(at + 64));
    match rng.random_range(0..8) {
        0 if at < input.len() => input[at] ^= 1 << rng.random_range(0..8),
        1 if at < input.len() => input[at] = rng.random(),
        2 => drop(input.drain(at..until)),
        3 => input.truncate(at),
        4 => {
            let again = input[at..until].to_vec();
            let to = rng.random_range(0..=input.len());
            drop(input.splice(to..to, again));
        }
        5 => {
            let word = WORDS.choose(rng).copied().unwrap_or_default();
            drop(input.splice(at..until, word.iter().copied()));
        }
        6 => {
            let other = corpus.choose(rng).cloned().unwrap_or_default();
            let from = rng.random_range(0..=other.len());
            drop(input.splice(at.., other[from..].iter().copied()));
        }
        _ => {
            let noise: Vec<u8> = (0..rng.random_range(1..9)).map(|_| rng.random()).collect();
            drop(input.splice(at..at, noise));
        }
    }
}
