//! Keys and secrets of destinations, which print nothing.
//!
//! One is shown once, when this server made it. It is kept in the state store as it is, because it has to be used.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use rand::Rng;

/// What the secrets of webhooks start with.
const WEBHOOK_PREFIX: &str = "whsec_";
/// Random bytes of a webhook's secret.
const WEBHOOK_BYTES: usize = 32;
/// Bytes that a webhook's secret may have.
const WEBHOOK_BYTES_MIN: usize = 16;
const WEBHOOK_BYTES_MAX: usize = 256;
/// Bytes that any secret may have as text.
const TEXT_BYTES_MAX: usize = 1_024;

/// A secret.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// A key of the receiver's; says what is wrong with one that cannot be sent.
    pub fn key(text: &str) -> Result<Secret, String> {
        let text = text.trim();
        if text.is_empty() || text.len() > TEXT_BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("must be 1 to {TEXT_BYTES_MAX} visible ASCII characters"));
        }
        Ok(Secret(text.to_owned()))
    }

    /// A secret that signs webhooks: `whsec_` and base64.
    pub fn webhook(text: &str) -> Result<Secret, String> {
        let secret = Secret::key(text)?;
        match secret.signing_key() {
            Some(key) if (WEBHOOK_BYTES_MIN..=WEBHOOK_BYTES_MAX).contains(&key.len()) => Ok(secret),
            _ => Err(format!(
                "must be {WEBHOOK_PREFIX} and the base64 of {WEBHOOK_BYTES_MIN} to {WEBHOOK_BYTES_MAX} bytes; leave it \
                 out to have one made"
            )),
        }
    }

    /// A new secret that signs webhooks.
    #[must_use]
    pub fn mint_webhook() -> Secret {
        let mut bytes = [0; WEBHOOK_BYTES];
        rand::rng().fill(&mut bytes);
        Secret(format!("{WEBHOOK_PREFIX}{}", STANDARD.encode(bytes)))
    }

    /// The bytes that sign, if this is a webhook's.
    pub(super) fn signing_key(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.0.strip_prefix(WEBHOOK_PREFIX)?).ok()
    }

    /// The secret as text, for whom it is meant.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// One that was kept.
    pub(super) fn kept(text: String) -> Secret {
        Secret(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_checked_and_print_nothing() {
        let minted = Secret::mint_webhook();
        assert_eq!(minted.signing_key().map(|key| key.len()), Some(WEBHOOK_BYTES));
        assert_eq!(Secret::webhook(minted.reveal()), Ok(minted.clone()));
        assert_ne!(Secret::mint_webhook(), minted);
        assert_eq!(format!("{minted:?}"), "Secret");
        for wrong in ["", "whsec_", "whsec_AAAA", "whsec_not base64", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert!(Secret::webhook(wrong).is_err(), "{wrong}");
        }
        assert!(Secret::key("a b").is_err() && Secret::key("sk.live=").is_ok());
    }
}
