//! Random choices that can be repeated.
//!
//! `MUSTER_TEST_SEED` fixes them; every test that chooses prints the seed it used.

use rand::SeedableRng;
use rand::rngs::StdRng;

/// The seed of this run, printed.
pub fn seed() -> u64 {
    let seed = number_from("MUSTER_TEST_SEED").unwrap_or_else(rand::random);
    println!("MUSTER_TEST_SEED={seed}");
    seed
}

/// Choices of a run that needs no seed of its own.
pub fn seeded() -> StdRng {
    StdRng::seed_from_u64(seed())
}

/// A number that the environment may give.
pub fn number_from(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{variable}={text}: {error}")))
}
