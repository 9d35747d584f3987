//! The first key of a new data directory.
//!
//! A directory without any key gets one at its first start: workspace `default`, every scope. Its token is a new one,
//! shown once, or the one that `MUSTER_BOOTSTRAP_TOKEN` names, which is never shown. Starting again with the same
//! variable changes nothing.

use anyhow::Context;
use muster_server::keys::Token;
use muster_store::{
    Store,
    clock::Clock,
    credentials::{NewKey, Scopes},
    error::AdminError,
};

use crate::config::{environment::BOOTSTRAP_TOKEN, origin::SettingsError};

const WORKSPACE: &str = "default";
/// Shorter ones can be found by trying.
const TOKEN_LENGTH_MIN: usize = 16;
const TOKEN_LENGTH_MAX: usize = 256;

/// The token that the environment names for the first key.
pub fn from_environment() -> Result<Option<Token>, SettingsError> {
    match std::env::var(BOOTSTRAP_TOKEN) {
        Ok(text) => check(&text).map(Some),
        Err(_) => Ok(None),
    }
}

/// The sentences never repeat the token.
fn check(text: &str) -> Result<Token, SettingsError> {
    let length = text.chars().count();
    let says = if length < TOKEN_LENGTH_MIN {
        format!(
            "is {length} characters long; a token needs at least {TOKEN_LENGTH_MIN}, such as `openssl rand -hex 20` makes"
        )
    } else if length > TOKEN_LENGTH_MAX {
        format!("is {length} characters long; a token has at most {TOKEN_LENGTH_MAX}")
    } else {
        match Token::from_text(text) {
            Some(token) => return Ok(token),
            None => "has characters that a token cannot have: only visible ASCII without a colon; is there a space or \
                     a line end in it?"
                .to_owned(),
        }
    };
    Err(SettingsError(format!("the environment variable {BOOTSTRAP_TOKEN} {says}")))
}

/// Makes the first key where there is none; hands out its token if it is new and has to be shown.
pub async fn ensure(store: &dyn Store, clock: &dyn Clock, given: Option<Token>) -> anyhow::Result<Option<Token>> {
    match given {
        Some(token) if store.authenticate(&token.hash()).is_some() => Ok(None),
        Some(token) => {
            create(store, clock, "bootstrap", &token).await?;
            Ok(None)
        }
        None if store.keys().is_empty() => {
            let token = Token::mint();
            create(store, clock, "first", &token).await?;
            Ok(Some(token))
        }
        None => Ok(None),
    }
}

async fn create(store: &dyn Store, clock: &dyn Clock, name: &str, token: &Token) -> anyhow::Result<()> {
    let key = NewKey {
        workspace_name: WORKSPACE.to_owned(),
        name: name.to_owned(),
        scopes: Scopes::ALL,
        token_hash: token.hash(),
        created_at: clock.now(),
    };
    match store.create_key(key).await {
        Ok(key) => {
            tracing::info!(key = key.id, workspace = WORKSPACE, "made a key with every scope");
            Ok(())
        }
        // Another node of a cluster, started at the same time, was quicker.
        Err(AdminError::Exists(_)) if store.authenticate(&token.hash()).is_some() => Ok(()),
        Err(AdminError::Exists(_)) => {
            tracing::warn!(
                "the key of {BOOTSTRAP_TOKEN} was revoked and stays so; set another token or unset the variable"
            );
            Ok(())
        }
        Err(error) => Err(error).context("the first key could not be made"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_cannot_serve_are_refused_without_repeating_them() {
        for (text, wanted) in [
            ("short-secret", "12 characters long"),
            ("", "0 characters long"),
            ("has a space in it somewhere", "visible ASCII"),
            ("user:password-long-enough", "colon"),
            ("a-long-enough-secret-with-a-line-end\n", "line end"),
        ] {
            let says = check(text).unwrap_err().to_string();
            assert!(says.contains(wanted) && says.contains(BOOTSTRAP_TOKEN), "{says}");
            assert!(text.is_empty() || !says.contains(text), "{says}");
        }
        assert!(check(&"x".repeat(257)).is_err());
        assert!(check("0123456789abcdef").is_ok());
    }
}
