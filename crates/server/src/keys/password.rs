//! Passwords of team members: hashed slowly, tried rarely.
//!
//! What is kept is an Argon2id hash with a salt of its own. How often a password may be tried is bounded for each place that
//! tries come from and for all of them together, since each try costs memory and time on purpose. Nothing is counted by
//! member: whoever knows an address could keep its owner out, and would learn from the count that it is one. The text of a
//! password is dropped as soon as it was hashed or compared, and never logged.

use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::{Arc, LazyLock},
    time::Duration,
};

use argon2::{Argon2, PasswordHash as Phc, PasswordHasher, PasswordVerifier, password_hash::Result as HashResult};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};
use muster_store::team::PasswordHash;
use rand::{RngCore, TryRngCore, rngs::OsRng};
use tokio::sync::Semaphore;

use crate::error::ApiError;

/// Letters that a password has at least, and bytes at most.
pub(crate) const LETTERS_MIN: usize = 10;
pub(crate) const BYTES_MAX: usize = 200;
/// Tries a minute from one place, and from all.
const TRIES_OF_ONE: NonZeroU32 = NonZeroU32::new(20).expect("not zero");
const TRIES_OF_ALL: NonZeroU32 = NonZeroU32::new(120).expect("not zero");
/// Hashes that are worked out at one time; each takes about 20 MiB.
const AT_ONE_TIME: usize = 2;
const SALT_BYTES: usize = 16;
const MINUTE: Duration = Duration::from_secs(60);

/// Places that are counted at one time. One is forgotten once it has all its tries again.
const PLACES_MAX: usize = 10_000;

/// Bounds how often passwords are tried.
pub(crate) struct Passwords {
    of_one: DefaultKeyedRateLimiter<IpAddr>,
    of_all: DefaultDirectRateLimiter,
    places: Arc<Semaphore>,
}

/// A hash that no password has, so that an address nobody has takes as long to try as one that somebody has.
static NOBODY: LazyLock<PasswordHash> = LazyLock::new(|| hashed("").unwrap_or_else(|_| PasswordHash(String::new())));

impl Default for Passwords {
    fn default() -> Self {
        Passwords {
            of_one: RateLimiter::keyed(Quota::per_minute(TRIES_OF_ONE)),
            of_all: RateLimiter::direct(Quota::per_minute(TRIES_OF_ALL)),
            places: Arc::new(Semaphore::new(AT_ONE_TIME)),
        }
    }
}

impl Passwords {
    /// Whether a password is that of a member; `None` when there is no such member, which takes as long. `origin` is where
    /// the try comes from.
    ///
    /// # Errors
    ///
    /// [`ApiError::OverRate`] when it was tried too often.
    pub(crate) async fn is(
        &self,
        password: String,
        member: Option<&PasswordHash>,
        origin: IpAddr,
    ) -> Result<bool, ApiError> {
        let clock = governor::clock::DefaultClock::default();
        let late = |wait: Duration| ApiError::OverRate { retry_after_seconds: wait.as_secs() + 1 };
        if self.of_one.len() >= PLACES_MAX {
            self.of_one.retain_recent();
            if self.of_one.len() >= PLACES_MAX {
                return Err(late(MINUTE));
            }
        }
        // First, so that one place does not use up what is there for all.
        self.of_one.check_key(&origin).map_err(|until| late(until.wait_time_from(clock.now())))?;
        self.of_all.check().map_err(|until| late(until.wait_time_from(clock.now())))?;
        let known = member.is_some();
        let hash = member.unwrap_or(&NOBODY).clone();
        let fits = self.beside(move || matches(&password, &hash)).await?;
        Ok(fits && known)
    }

    /// What is kept of a password.
    pub(crate) async fn hash(&self, password: String) -> Result<PasswordHash, ApiError> {
        self.beside(move || hashed(&password)).await?.map_err(|error| {
            tracing::error!(%error, "a password could not be hashed");
            ApiError::Internal
        })
    }

    /// Does slow work on a thread of its own, a few at one time.
    async fn beside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| ApiError::Internal)?;
        let working = tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        });
        working.await.map_err(|_| ApiError::Internal)
    }
}

/// What is wrong with a password that somebody chose, if anything.
pub(crate) fn check(password: &str) -> Result<(), String> {
    if password.chars().count() < LETTERS_MIN || password.len() > BYTES_MAX {
        return Err(format!("a password has at least {LETTERS_MIN} letters and at most {BYTES_MAX} bytes"));
    }
    Ok(())
}

fn hashed(password: &str) -> HashResult<PasswordHash> {
    let mut salt = [0; SALT_BYTES];
    OsRng.unwrap_err().fill_bytes(&mut salt);
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt)?;
    Ok(PasswordHash(hash.to_string()))
}

fn matches(password: &str, hash: &PasswordHash) -> bool {
    Phc::new(&hash.0).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_no_other() {
        let (one, other) = (hashed("correct horse").unwrap(), hashed("correct horse").unwrap());
        assert_ne!(one, other, "each has a salt of its own");
        assert!(one.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", one.0);
        assert!(matches("correct horse", &one) && matches("correct horse", &other));
        for wrong in ["", "correct hors", "Correct horse", "correct horse "] {
            assert!(!matches(wrong, &one), "{wrong}");
        }
        assert!(!matches("x", &PasswordHash("nonsense".to_owned())));
    }

    #[test]
    fn short_and_long_ones_are_refused() {
        assert!(check("äöüäöüäöüä").is_ok());
        assert!(check("123456789").is_err());
        assert!(check(&"x".repeat(BYTES_MAX + 1)).is_err());
    }

    #[tokio::test]
    async fn a_stranger_neither_keeps_a_member_out_nor_learns_that_there_is_one() {
        let passwords = Passwords::default();
        let hash = hashed("correct horse").unwrap();
        let from =
            |last: u8, text: &str, member| passwords.is(text.to_owned(), member, IpAddr::from([192, 0, 2, last]));
        let member = || Some(&hash);
        for _ in 0..TRIES_OF_ONE.get() {
            // As a try does, without its time, in which there would be another one to have.
            for stranger in [1, 2] {
                assert!(passwords.of_one.check_key(&IpAddr::from([192, 0, 2, stranger])).is_ok());
            }
        }
        // It goes no better and no worse for who tried an address that nobody has, and it uses up nothing of what all have.
        for _ in 0..TRIES_OF_ALL.get() {
            for (stranger, member) in [(1, member()), (1, None), (2, member()), (2, None)] {
                let late = from(stranger, "correct horse", member).await;
                assert!(matches!(late, Err(ApiError::OverRate { .. })), "{late:?}");
            }
        }
        assert_eq!(from(3, "correct horse", member()).await, Ok(true));
        assert_eq!(from(3, "", None).await, Ok(false), "nobody's password fits nobody");
    }
}
