//! Which way an order about a data directory goes.
//!
//! Into the directory itself when nobody uses it; by asking the server that has it otherwise, as its operator. Both ways
//! give the same answers.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::anyhow;
use muster_store::Store;
use serde_json::Value;

use crate::{
    assemble::{self, NotOpened},
    client::{Answer, CallError, Client, Trust},
    config::settings::Settings,
    exit::{Exit, Failure},
    local::LocalServer,
    output,
};

const TIMEOUT: Duration = Duration::from_secs(30);

/// Carries an order out, one way or the other.
pub fn carry_out<T>(
    settings: &Settings,
    offline: impl AsyncFnOnce(&dyn Store) -> anyhow::Result<T>,
    beside: impl FnOnce(&Client) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    carry_out_within(TIMEOUT, settings, offline, beside)
}

/// The same for what may take the server longer than orders usually do.
pub fn carry_out_within<T>(
    timeout: Duration,
    settings: &Settings,
    offline: impl AsyncFnOnce(&dyn Store) -> anyhow::Result<T>,
    beside: impl FnOnce(&Client) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let data_dir = &settings.place.data_dir;
    let is_new = settings.cluster.is_none() && !data_dir.exists();
    match assemble::open(settings) {
        Ok(opened) => {
            if is_new {
                output::talk(&format!("made a new data directory, {}", data_dir.display()));
            }
            if opened.dropped {
                output::talk(&opened.recovery);
            }
            in_directory(&opened.store, offline)
        }
        Err(NotOpened::InUse) => {
            let server = server_over(data_dir)?;
            beside(&Client::trusting(Trust::Local, &server.url, Some(&server.token), timeout)?)
        }
        Err(error) => Err(error.into_error(data_dir)),
    }
}

/// Does it and closes the store, so that the change is in its final place.
fn in_directory<T>(
    store: &Arc<dyn Store>,
    change: impl AsyncFnOnce(&dyn Store) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(change(store.as_ref()));
    let closed = runtime.block_on(store.close());
    let done = done?;
    closed.map_err(|error| anyhow!("the change was made, but the store could not be closed in order: {error}"))?;
    Ok(done)
}

/// A data directory must be there for anything that does not make one, unless everything is in a cluster.
pub fn require_directory(settings: &Settings) -> anyhow::Result<()> {
    let data_dir = &settings.place.data_dir;
    if settings.cluster.is_some() || assemble::holds_data(data_dir) {
        return Ok(());
    }
    let dir = data_dir.display();
    let what = if data_dir.exists() {
        format!("{dir} is no data directory")
    } else {
        format!("there is no data directory {dir}")
    };
    let says = format!("{what}; give the right one with --data-dir, or start a server to make it");
    Err(Failure::error(Exit::Failure, says))
}

/// How the server that has a data directory is asked.
pub fn server_over(data_dir: &Path) -> anyhow::Result<LocalServer> {
    LocalServer::read(data_dir)?.ok_or_else(|| {
        let says = format!(
            "another process uses {} and does not say where it can be asked; it may be starting or stopping: try again \
             in a moment",
            data_dir.display()
        );
        Failure::error(Exit::InUse, says)
    })
}

/// The server's answer, if it agreed.
pub fn checked(answer: Result<Answer, CallError>) -> anyhow::Result<Answer> {
    let answer = answer.map_err(|error| match error {
        CallError::Unreachable(says) => Failure::error(
            Exit::Unreachable,
            format!("a server uses the data directory but does not answer at {says}; it may be starting or stopping"),
        ),
        CallError::Unusable(says) => anyhow!(says),
    })?;
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    Err(anyhow!("the server refused: {}", sentence(&answer.body)))
}

/// The sentence in an error of any of the server's forms.
pub fn sentence(body: &str) -> String {
    let value: Value = serde_json::from_str(body).unwrap_or_default();
    let error = &value["error"];
    let first = error["errors"].get(0);
    let field =
        first.and_then(|first| Some(format!("{}: {}", first["instancePath"].as_str()?, first["message"].as_str()?)));
    field.or_else(|| error.as_str().map(str::to_owned)).unwrap_or_else(|| body.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_every_form_become_a_sentence() {
        assert_eq!(sentence(r#"{"error":"there is no key 9"}"#), "there is no key 9");
        let field = r#"{"error":{"message":"validation failed","errors":[{"instancePath":"/name","message":"must be string"}]}}"#;
        assert_eq!(sentence(field), "/name: must be string");
        assert_eq!(sentence("<html>"), "<html>");
    }

    #[test]
    fn a_server_that_is_gone_is_unreachable() {
        let client = Client::new("http://127.0.0.1:1", Some("mk_x"), TIMEOUT).unwrap();
        let error = checked(client.get("/")).unwrap_err();
        assert_eq!(crate::exit::of(&error), Exit::Unreachable);
    }
}
