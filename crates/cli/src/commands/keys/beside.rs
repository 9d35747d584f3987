//! By asking the running server.

use std::time::Duration;

use anyhow::{Context, anyhow};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    run::Order,
    shown::{ShownKey, scope_names},
};
use crate::{
    client::{Answer, CallError, Client},
    exit::{Exit, Failure},
    local::LocalServer,
};

const PATH: &str = "/admin/v1/keys";
const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct Listed {
    results: Vec<ShownKey>,
}

/// Carries an order out through a server, as its operator.
pub fn carry_out(server: &LocalServer, order: &Order) -> anyhow::Result<Vec<ShownKey>> {
    let client = Client::new(&server.url, Some(&server.token), TIMEOUT)?;
    match order {
        Order::Create { workspace, scopes, name } => {
            let body = json!({"workspace": workspace, "scopes": scope_names(*scopes), "name": name});
            let answer = checked(client.post(PATH, body.to_string().as_bytes(), None))?;
            Ok(vec![serde_json::from_str(&answer.body).context("the server's answer is no key")?])
        }
        Order::List => list(&client),
        Order::Revoke { id } => {
            checked(client.delete(&format!("{PATH}/{id}")))?;
            let mut keys = list(&client)?;
            keys.retain(|key| key.id == *id);
            Ok(keys)
        }
    }
}

fn list(client: &Client) -> anyhow::Result<Vec<ShownKey>> {
    let answer = checked(client.get(PATH))?;
    let listed: Listed = serde_json::from_str(&answer.body).context("the server's answer is no list of keys")?;
    Ok(listed.results)
}

fn checked(answer: Result<Answer, CallError>) -> anyhow::Result<Answer> {
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
fn sentence(body: &str) -> String {
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
        let server = LocalServer { url: "http://127.0.0.1:1".to_owned(), token: "mk_x".to_owned(), pid: 1 };
        let error = carry_out(&server, &Order::List).unwrap_err();
        assert_eq!(crate::exit::of(&error), Exit::Unreachable);
    }
}
