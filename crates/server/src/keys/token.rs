//! Tokens: made once, shown once, kept as a hash.
//!
//! A [`Token`] prints nothing, so that it cannot end up in a log by way of a debug line. Its text leaves it only
//! through [`Token::reveal`].

use std::fmt;

use muster_store::credentials::TokenHash;
use rand::{Rng, TryRngCore, rngs::OsRng};
use sha2::{Digest, Sha256};

/// Characters after the prefix; 40 of 62 kinds are 238 bits, which nobody finds by trying.
const RANDOM_CHARACTERS: usize = 40;
const PREFIX: &str = "mk_";

/// A secret that stands for a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new token: `mk_` and 40 random letters and digits, from the system's own source of randomness.
    #[must_use]
    pub fn mint() -> Token {
        let mut source = OsRng.unwrap_err();
        let random = (0..RANDOM_CHARACTERS).map(|_| char::from(source.sample(rand::distr::Alphanumeric)));
        Token(PREFIX.chars().chain(random).collect())
    }

    /// A token that someone chose; `None` when it cannot stand in a header or is empty.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Token> {
        let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
        fits.then(|| Token(text.to_owned()))
    }

    /// The text, for the one moment at which it is shown.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What a store keeps of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        hash(self.0.as_bytes())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// The hash of a token's text.
pub(super) fn hash(text: &[u8]) -> TokenHash {
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_distinct_and_print_nothing() {
        let (one, other) = (Token::mint(), Token::mint());
        assert_ne!(one, other);
        assert_eq!(one.reveal().len(), PREFIX.len() + RANDOM_CHARACTERS);
        assert!(one.reveal()[PREFIX.len()..].bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(format!("{one:?}"), "Token");
        assert_eq!(Token::from_text(one.reveal()), Some(one));
        for bad in ["", "a b", "a:b", "ä", "a\n"] {
            assert_eq!(Token::from_text(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_hash_is_sha_256() {
        let known = [0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea];
        assert_eq!(Token::from_text("abc").unwrap().hash()[..8], known);
    }
}
